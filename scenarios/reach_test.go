package scenarios

import (
	"errors"
	"testing"

	"weir"
	"weir/checker"
	"weir/faults"
	"weir/sim"
)

// TestRareStatesAreReached: a few hundred seeds get to most of what a sweep must get to now and then.
func TestRareStatesAreReached(t *testing.T) {
	var all sim.Sometimes
	list := All()
	for seed := range uint64(300) {
		o := list[seed%uint64(len(list))].Run(seed, Options{Limit: faults.Full()})
		all.Add(&o.Run.Sometimes)
	}
	reached := 0
	for r := range sim.Rare(sim.Rares) {
		if all[r] > 0 {
			reached++
		} else {
			t.Logf("not in so few seeds: %v", r)
		}
	}
	if reached < 25 {
		t.Errorf("%d of %d rare states were reached, 25 at least were wanted", reached, sim.Rares)
	}
}

// TestGivenUpIsLost: a job that ends though nobody asked it to owes what it will never write, to a checker that sees its
// readers only; what is told of it is why it ended.
func TestGivenUpIsLost(t *testing.T) {
	s := linear()
	s.RestartLimit = 3
	s.Factory = func() *weir.Job {
		j := weir.New("linear")
		copied := weir.MapErr(weir.From(j, "in", weir.Topic("linear-in", weir.String{})), "stop", func(id string) (string, error) {
			if id[len(id)-1] == '5' {
				return "", errors.New("no more")
			}
			return id, nil
		})
		weir.To(copied, "out", weir.SinkTopic("linear-out", weir.String{}.Append, func(dst []byte, id string) ([]byte, error) { return append(append(dst, "id="...), id...), nil }))
		return j
	}
	o := s.Run(1, Options{Limit: faults.Calm()})
	if o.Broken != "exhausted" || o.Verdict.Result != checker.Fail || o.Verdict.Count(checker.Lost) == 0 {
		t.Errorf("broken %q, checker %v: %s", o.Broken, o.Verdict.Result, o.Verdict.String())
	}
}
