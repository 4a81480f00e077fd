package scenarios

import (
	"testing"

	"weir/faults"
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
