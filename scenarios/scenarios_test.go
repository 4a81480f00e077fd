package scenarios

import (
	"testing"

	"weir/faults"
	"weir/protocol"
	"weir/sim"
)

// sweep runs seeds of every scenario and returns the faults that struck.
func sweep(t *testing.T, seeds int, opt Options) (all faults.Counts) {
	t.Helper()
	for _, s := range All() {
		bad := 0
		for seed := range uint64(seeds) {
			o := s.Run(seed, opt)
			all.Add(&o.Run.Faults)
			if !o.Passed() {
				t.Errorf("%s: %s: %s\nrepeat: go run ./cmd/weir repro --scenario %s --seed %#x", s.Name, o.Broken, o.Message, s.Name, seed)
				if bad++; bad > 2 {
					break
				}
			}
		}
	}
	return all
}

func TestCalm(t *testing.T) { sweep(t, 5, Options{}) }

func TestFaults(t *testing.T) {
	all := sweep(t, 60, Options{Limit: faults.Full()})
	for k := range faults.Kind(faults.Kinds) {
		if all.Of(k) == 0 {
			t.Errorf("%v never struck", k)
		}
	}
}

// Of every scenario's seeds a tenth at least must be hit where it matters most.
func TestTargets(t *testing.T) {
	for _, s := range All() {
		seeds, window, unknown := 80, 0, 0
		if s.Finishes {
			seeds = 400 // short ones
		}
		for seed := range uint64(seeds) {
			r := sim.Run(s.config(1000+seed, Options{Limit: faults.Full()}))
			window += min(r.Targets.Window, 1)
			unknown += min(r.Targets.Unknown, 1)
		}
		if t.Logf("%s: %d seeds, %d between prepare and seal, %d unknown", s.Name, seeds, window, unknown); window*10 < seeds || unknown*10 < seeds {
			t.Errorf("%s: too few", s.Name)
		}
	}
}

// One seed in eight of a scenario without an end is stopped on the way, and ends in good order.
func TestStops(t *testing.T) {
	for _, s := range All() {
		stopped := 0
		for seed := range uint64(40) {
			if o := s.Run(seed, Options{}); o.Run.Verdict.Kind == protocol.Stopped {
				stopped++
			}
		}
		if s.Stops == s.Finishes || s.Stops != (stopped > 0) || stopped > 12 {
			t.Errorf("%s: %d of 40 seeds are stopped", s.Name, stopped)
		}
	}
}
