package reports

import (
	"strings"
	"testing"
)

func explained() *Explanation {
	return &Explanation{
		Title: "exactly-once is violated: 1 lost, of 6 inputs", Subject: "shuffle (x.scenario): 42 steps", Evidence: []string{"lost: value 3", strings.Repeat("word ", 40)},
		Model: "1 2 3", Observed: "1 2 | 4", Shrunk: "minimised: faults 9 -> 1", File: "weir-scenario 1\n",
		Events: []ExplainedEvent{
			{Step: 1, At: "0.001s", Where: "coordinator", What: "checkpoint 1 triggered"},
			{Step: 2, At: "0.002s", What: "pause of node 1", Fault: true},
			{Step: 3, At: "0.003s", Where: "out[0]", What: strings.Repeat("x", 300), Apart: true},
			{At: "0.004s", Where: "reader 0.1", What: "reads"},
		},
		Faults:  []ExplainedFault{{"pause#0: node 1, at 2ms", "pass", true}, {"pause#1: node 1, at 3ms", "fail exactly-once", false}},
		Nearest: "without pause#0", Missed: []string{"pause#2: at 9s"}, Again: []string{"again x"},
	}
}

func TestExplanation(t *testing.T) {
	var text, page strings.Builder
	x := explained()
	x.Text(&text)
	x.Markdown(&page)
	for _, want := range []string{"--- FAIL: shuffle", "          model     1 2 3\n          observed  1 2 | 4\n", "   *      2", "<== the nearest passing run", "why: 1 of 2 faults are needed", "without it: pass",
		"did not strike: pause#2", "    again x", "minimised: faults 9 -> 1"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	for _, want := range []string{"# exactly-once is violated", "| observed | `1 2 \\| 4` |", "## Why", "weir-scenario 1"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q in\n%s", want, page.String())
		}
	}
	for line := range strings.Lines(text.String()) {
		if len(line) > 200 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
}

func TestExplanationWithoutFaults(t *testing.T) {
	x := explained()
	x.Faults, x.Nearest = nil, ""
	var b strings.Builder
	if x.Text(&b); !strings.Contains(b.String(), "no fault is needed") {
		t.Error(b.String())
	}
	x.Faults = make([]ExplainedFault, 50)
	b.Reset()
	if x.Text(&b); !strings.Contains(b.String(), "50 faults, too many to leave each out") {
		t.Error(b.String())
	}
}
