package sim

import (
	"testing"

	"weir/protocol"
)

// TestOnlyTheRobbedMaySayLost: LOST is forgiven of a transaction that was taken away, by name, and of no other.
func TestOnlyTheRobbedMaySayLost(t *testing.T) {
	w := &World{}
	w.rob("job/out/0/1.1/2")
	for text, want := range map[string]bool{
		`transaction "job/out/0/1.1/2" of checkpoint 4 is decided`:  true,
		`transaction "job/out/0/1.1/21" of checkpoint 4 is decided`: false,
		`transaction "job/out/0/1.1/1" of checkpoint 4 is decided`:  false,
	} {
		if got := w.robbed(protocol.Verdict{Kind: protocol.LostWork, Text: text}); got != want {
			t.Errorf("%s: forgiven %t", text, got)
		}
	}
}

// TestFencesAreOwed: an attempt's first task may start only when every id that older ones have opened was fenced.
func TestFencesAreOwed(t *testing.T) {
	old, now := protocol.Scope{Epoch: 1, Attempt: 1}, protocol.Scope{Epoch: 1, Attempt: 2}
	for fenced, want := range map[bool]bool{true: false, false: true} {
		w, j := &World{job: &tenant{}}, &tenant{}
		j.watchIDs("job/out/0/1.1/0", false)
		j.watchIDs("job/out/0/1.2/0", false)
		if fenced {
			j.watchIDs("job/out/0/1.1/0", true)
		}
		w.checkFenced(j, old)
		w.checkFenced(j, now)
		if got := w.failure != nil; got != want {
			t.Errorf("fenced %t: broken %t", fenced, got)
		}
	}
}

// TestCalm: a service may not fail a job before anything has gone wrong; a slow one may exhaust its patience.
func TestCalm(t *testing.T) {
	for _, c := range []struct {
		why       string
		disturbed bool
		want      bool
	}{{"service: no answer", false, true}, {"service: no answer", true, false}, {"timeout: three in a row", false, false}, {"user: a bug", false, false}} {
		w := &World{job: &tenant{}, disturbed: c.disturbed}
		if w.checkCalm(c.why); (w.failure != nil) != c.want {
			t.Errorf("%+v: broken %t", c, w.failure != nil)
		}
	}
}
