package scenarios

import (
	"strings"
	"testing"

	"weir/faults"
	"weir/protocol"
	"weir/sim"
)

// story is one of two faults, of which one is needed.
func story() *Story {
	f := &File{scenario: linear(), Scenario: "linear", Records: 6, Jobs: []Setup{
		{sim.Topology{Coordinators: []protocol.NodeID{1, 2}, Workers: []protocol.NodeID{11}}, protocol.Config{Parallelism: 2, Interval: protocol.Second}},
		{sim.Topology{Coordinators: []protocol.NodeID{3}, Workers: []protocol.NodeID{3}}, protocol.Config{Parallelism: 1, Interval: protocol.Second}},
	}}
	f.Plan = faults.Plan{{ID: faults.ID{Kind: faults.Pause}, Node: 1, At: 2_000_000}, {ID: faults.ID{Kind: faults.Pause, N: 1}, Node: 1, At: 3_000_000}}
	return &Story{
		Outcome: Outcome{Broken: ExactlyOnce, Run: sim.Result{Sealed: 1, Plan: f.Plan, Missed: f.Plan[1:]}}, Nearest: 0, file: f,
		Proof: Proof{Verdict: "exactly-once is violated: 1 lost, of 6 inputs", Evidence: []string{"lost: value 3", strings.Repeat("word ", 40)}, Model: "1 2 3", Observed: "1 2 | 4"},
		Events: []Turn{
			{Step: 1, At: protocol.Millisecond, Where: "coordinator", What: "checkpoint 1 triggered"},
			{Step: 2, At: 2 * protocol.Millisecond, What: "pause#0 of node 1", Fault: true},
			{Step: 3, At: 3 * protocol.Millisecond, Where: "out[0]", What: strings.Repeat("x", 300), Apart: true},
			{At: 4 * protocol.Millisecond, Where: "reader 0.1", What: "reads"},
		},
		Apart: Turn{Step: 3}, Instead: []Turn{{Step: 3, Where: "out[0]", What: "y"}},
		Needs: []Need{{f.Plan[0], "pass"}, {f.Plan[1], "fail exactly-once"}},
	}
}

func TestText(t *testing.T) {
	st := story()
	text, page := st.Text([]string{"minimised: much"}, []string{"again x"}), st.Markdown(nil, []string{"again x"})
	for _, want := range []string{"exactly-once is violated: 1 lost, of 6 inputs\n    lost: value 3\n", "      model     1 2 3\n      observed  1 2 | 4\n",
		"cluster of job 1: coordinator on node 1 (to stand in: 2), workers on 11; 2 tasks per stage, a checkpoint every 1s\ncluster of job 2: one process, node 3; 1 task per stage, ",
		"the run: 6 records of input, 0 steps, 0s of virtual time, 1 checkpoint sealed, 2 faults; Kafka unknown\nminimised: much\n",
		"*      2     0.002s               pause#0 of node 1\n", "x…   <== here it parts", "why: 1 of 2 faults are needed.\n     pause#0: node 1, at 2ms\n         that is: the process stands still",
		"without it: pass\n", "without it: it fails all the same\n", "what should have happened: without pause#0 the run goes another way at step 3, and passes:\n", "did not strike: pause#1: node 1, at 3ms\n", "\nagain x\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, want := range []string{"# exactly-once is violated", "| observed | `1 2 \\| 4` |", "## Why", "```\nweir-scenario 1\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 200 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
}

func TestWhy(t *testing.T) {
	st := story()
	st.Nearest, st.Needs = -1, nil
	for _, c := range []struct {
		faults int
		says   string
	}{{0, "why: no fault is needed: it fails on a good day.\n"}, {1, "why: 1 fault; there was no time to leave each out (-weir.shrinktime gives more).\n"}, {50, "why: 50 faults, too many to leave each out: shrink it first.\n"}} {
		st.file.Plan = make(faults.Plan, c.faults)
		if text := st.Text(nil, nil); !strings.Contains(text, c.says) {
			t.Errorf("no %q in\n%s", c.says, text)
		}
	}
}

// What users write into their topics cannot break the lines of a story.
func TestReadable(t *testing.T) {
	for v, want := range map[string]string{"": `""`, `{"n":1}`: `{"n":1}`, "a\nb": `"a\nb"`, "\x00": `"\x00"`, strings.Repeat("x", 99): `"` + strings.Repeat("x", mostValue) + `"`} {
		if got := readable(v); got != want {
			t.Errorf("%q is told as %s, want %s", v, got, want)
		}
	}
}
