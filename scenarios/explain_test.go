package scenarios

import (
	"fmt"
	"strings"
	"testing"

	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/sim"
)

// The story of a job that forgets what it counted when it restarts: what was expected, what was seen, the one fault that
// is needed, and where a run without it goes another way.
func TestExplain(t *testing.T) {
	s, err := NewShrink(failing(t), 1000)
	if err != nil {
		t.Fatal(err)
	}
	s.Run()
	extra := s.Best.With(s.Best.Plan)
	noise, err := faults.ParseFault("message-doubled#77: on Ready from in[0] to coordinator")
	if err != nil {
		t.Fatal(err)
	}
	extra.Plan = append(extra.Plan, noise)
	st := extra.Explain(nil)
	if st.Outcome.Sort() != "fail "+ExactlyOnce || len(st.Needs) != 2 || st.Needs[0].Without != "pass" || st.Needs[1].Without != st.Outcome.Sort() || st.Nearest != 0 {
		t.Fatalf("%s, nearest %d, needs %+v", st.Outcome.Sort(), st.Nearest, st.Needs)
	}
	if st.Runs != 5 {
		t.Errorf("%d runs", st.Runs)
	}
	if len(st.Events)+len(st.Instead) > MostTurns || len(st.Instead) == 0 || !st.Apart.Apart || st.Apart.Step == 0 {
		t.Errorf("%d events, the runs part at %+v", len(st.Events), st.Apart)
	}
	faulty, parted, last := 0, -1, st.Events[0].At
	for i, e := range st.Events {
		if e.Fault {
			faulty++
			if e.What == extra.Plan[0].ID.String() {
				t.Errorf("a fault is told by its number: %+v", e)
			}
		}
		if e.Apart {
			parted = i
		}
		if e.At < last {
			t.Errorf("event %d is told too late", i)
		}
		last = e.At
	}
	if faulty != 2 || parted < 0 {
		t.Errorf("%d faults are told, parting at %d", faulty, parted)
	}
	p := st.Proof
	if !strings.HasPrefix(p.Verdict, "exactly-once is violated: ") || len(p.Evidence) < 2 || p.Model == "" || p.Observed == "" || p.Model == p.Observed {
		t.Errorf("proof %+v", p)
	}
	text := st.Text([]string{"told"}, []string{"again"})
	for _, want := range []string{p.Verdict + "\n    lost: ", "\n      model     ", "\ntold\n", "   <== here it parts", "\nwhy: 1 of 2 faults are needed.\n", "without it: pass\n", "without it: it fails all the same\n", "\nwhat should have happened: without "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	t.Log(text)
	if late := extra.Explain(func() bool { return true }); late.Needs != nil || late.Nearest != -1 || !strings.Contains(late.Text(nil, nil), "why: 2 faults; there was no time to leave each out (-weir.shrinktime gives more).\n") {
		t.Errorf("it takes its time:\n%s", late.Text(nil, nil))
	}
}

// A run without its faults fails as well: nothing is needed, and there is no passing run to compare with.
func TestExplainNeedsNoFault(t *testing.T) {
	s := linear()
	s.Spec = counted("linear-out") // the job does not count
	f, _ := s.File(3, Options{})
	st := f.Explain(nil)
	if st.Nearest != -1 || len(st.Needs) != 0 || st.Outcome.Passed() || st.Proof.Verdict == "" {
		t.Errorf("%+v", st.Proof)
	}
}

// Of runs in which all is well no commit is told to come before its decision, and no machine aborts.
func TestNothingIsTooEarlyInRunsThatPass(t *testing.T) {
	told := 0
	for i, s := range All() {
		for n := range uint64(2) {
			f, o := s.File(uint64(i)+n*100, Options{Limit: faults.Full()})
			if !o.Passed() {
				t.Fatal(o.Message)
			}
			of := &telling{mark: -1}
			f.Run(Watching{See: of.see})
			for _, turn := range of.list {
				if strings.Contains(turn.What, undecided) || strings.Contains(turn.What, "ABORT") {
					t.Errorf("%s %#x: %s %s", s.Name, f.Seed, turn.Where, turn.What)
				}
				if strings.HasPrefix(turn.What, "transaction committed") {
					told++
				}
			}
		}
	}
	if told < 100 {
		t.Errorf("%d commits", told)
	}
	early := &telling{}
	if said := early.early("out[0]", protocol.Note{Kind: protocol.NoteCommitted, Checkpoint: 1}); said != undecided {
		t.Errorf("an early commit is told as %q", said)
	}
}

func TestTurnsAreTogether(t *testing.T) {
	note := func(where, what string) Turn { return Turn{Where: where, What: what, weight: 2} }
	all := []Turn{note("a[0]", "x"), note("a[1]", "x"), note("a[2]", "x"), {What: "pause#0", Fault: true, weight: 3}, note("a[0]", "x"), note("b", "y1"), note("b", "y2"), note("b", "y3"), note("b", "y4"), note("b", "y5"),
		{What: "z1", weight: 1}, {What: "z2", weight: 1}, {What: "z3", weight: 1}, {What: "z4", weight: 1}}
	var got []string
	for _, turn := range together(once(all)) {
		got = append(got, strings.TrimSpace(turn.Where+" "+turn.What))
	}
	want := []string{"a[0] +2 x", "pause#0", "a[0] x", "b y1", "b (2 more in between) y4", "b y5", "(4 like this) z1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSideBySide(t *testing.T) {
	var want, got []string
	for i := range 30 {
		want = append(want, fmt.Sprint(i))
		if i != 17 {
			got = append(got, fmt.Sprint(i))
		}
	}
	model, seen := sideBySide(want, got)
	if model != "… 13 14 15 16 17 18 19 20 21 22 …" || seen != "… 13 14 15 16 18 19 20 21 22 23 …" {
		t.Errorf("%q, %q", model, seen)
	}
	if model, seen := sideBySide([]string{"1"}, nil); model != "1" || seen != "nothing" {
		t.Errorf("%q, %q", model, seen)
	}
}

// Failures look the same if only numbers and names differ.
func TestFingerprint(t *testing.T) {
	lost := func(k checker.Kind) Outcome {
		return Outcome{Scenario: "linear", Broken: ExactlyOnce, Verdict: checker.Verdict{Result: checker.Fail, Tally: []checker.Tally{{Kind: k, N: 3}}}}
	}
	broken := func(text string) Outcome {
		return Outcome{Scenario: "linear", Broken: "cut", Run: sim.Result{Failure: &sim.Failure{Class: "invariant", Name: "cut", Text: text}}}
	}
	a, b, c := lost(checker.Lost), lost(checker.Lost), lost(checker.Doubled)
	b.Seed = 7
	d, e, f := broken(`out[1] froze for 12 of "x"`), broken(`out[0] froze for 3 of "yy"`), broken("in[0] froze for 3")
	if a.Fingerprint() != b.Fingerprint() || a.Fingerprint() == c.Fingerprint() || d.Fingerprint() != e.Fingerprint() || d.Fingerprint() == f.Fingerprint() {
		t.Errorf("%q %q %q %q %q %q", a.Fingerprint(), b.Fingerprint(), c.Fingerprint(), d.Fingerprint(), e.Fingerprint(), f.Fingerprint())
	}
}
