package simtest

import (
	"slices"
	"time"

	"weir/faults"
	"weir/scenarios"
)

// stopwatch bounds what may take as long as the wall clock says. What is found within the bound is the same each time; how
// much is found depends on the machine.
func stopwatch(bound time.Duration) (over func() bool) {
	began := time.Now()                                     //tidy:allow clock tests are bounded by real time
	return func() bool { return time.Since(began) > bound } //tidy:allow clock tests are bounded by real time
}

// replay runs a seed with exactly these faults.
func (c *check) replay(seed uint64, list []faults.ID) scenarios.Outcome {
	return c.scenario.Run(seed, scenarios.Options{Limit: c.limit, Replay: true, Only: list})
}

// identities are the faults of a run, once each.
func identities(o *scenarios.Outcome) (ids []faults.ID) {
	for _, f := range o.Run.Fired {
		if !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// shrunk is the smallest run that fails like another one.
type shrunk struct {
	scenarios.Outcome
	faults []faults.ID
	// whole says that the run passes without any one of the faults; if not, there was no time to find out.
	whole bool
}

// shrink takes faults away from a failing run, all, then parts, then single ones, as long as it fails in the same way and
// there is time. Nil: the run does not fail in the same way when all its faults are named, so that none can be taken away.
func (c *check) shrink(o *scenarios.Outcome) *shrunk {
	over := stopwatch(c.shrinkTime)
	best := &shrunk{}
	fails := func(ids []faults.ID) bool {
		try := c.replay(o.Seed, ids)
		if try.Broken != o.Broken {
			return false
		}
		best.Outcome, best.faults = try, ids
		return true
	}
	list := identities(o)
	if !fails(list) {
		return nil
	}
	if fails(nil) {
		list = nil
	}
	for parts := 2; ; {
		smaller, out := without(list, min(parts, len(list)), fails, over)
		switch {
		case out:
			return best
		case smaller != nil:
			list, parts = smaller, max(parts-1, 2)
		case parts >= len(list):
			best.whole = true
			return best
		default:
			parts *= 2
		}
	}
}

// without is list without the first of so many parts that it fails without; nil if it needs each.
func without(list []faults.ID, parts int, fails func([]faults.ID) bool, over func() bool) (smaller []faults.ID, out bool) {
	for p := range parts {
		if over() {
			return nil, true
		}
		rest := slices.Delete(slices.Clone(list), p*len(list)/parts, (p+1)*len(list)/parts)
		if fails(rest) {
			return rest, false
		}
	}
	return nil, false
}
