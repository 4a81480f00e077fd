package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"weir/checker"
	"weir/faults"
	"weir/faults/mutants"
	"weir/scenarios"
	"weir/sim"
)

func main() {
	h, alone, err := parse(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(h.run(alone))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hunter:", err)
		os.Exit(2)
	}
}

// hunt is a range of seeds. Seed s belongs to scenario s modulo their number, as in weir fuzz.
type hunt struct {
	all   []*scenarios.Scenario
	first uint64
	seeds int
}

// restarts that count are never due to a fault, so that a job that needs many of them is broken; without this limit it
// goes on for a long time.
const restarts = 20

func parse(args []string) (h hunt, alone bool, err error) {
	if len(args) != 3 {
		return h, false, errors.New("usage: hunter FIRST-SEED SEEDS ALONE")
	}
	h.all = scenarios.All()
	for _, s := range h.all {
		s.RestartLimit = cmp.Or(s.RestartLimit, restarts)
	}
	first, err1 := strconv.ParseUint(args[0], 0, 64)
	seeds, err2 := strconv.Atoi(args[1])
	alone, err3 := strconv.ParseBool(args[2])
	h.first, h.seeds = first, seeds
	return h, alone, errors.Join(err1, err2, err3)
}

// run hunts with all invariants, then with the checker alone. A seed that passes with all of them passes with fewer: an
// invariant looks on and changes nothing. So the second hunt begins where the first one ended.
func (h *hunt) run(alone bool) mutants.Found {
	f := mutants.Found{With: mutants.Catch{Seeds: mutants.Never}, Alone: mutants.Catch{Seeds: mutants.Never}}
	for i := range h.seeds {
		if o := h.outcome(i, 0); !o.Passed() {
			f.With = caught(i, &o, o.Broken, o.Message)
			break
		}
	}
	if !alone || f.With.Seeds == mutants.Never {
		return f
	}
	for i := f.With.Seeds - 1; i < h.seeds; i++ {
		if o := h.outcome(i, ^sim.Checks(0)); o.Verdict.Result == checker.Fail {
			f.Alone = caught(i, &o, scenarios.ExactlyOnce, o.Verdict.String())
			break
		}
	}
	return f
}

func (h *hunt) outcome(i int, off sim.Checks) scenarios.Outcome {
	seed := h.first + uint64(i)
	return h.all[seed%uint64(len(h.all))].Run(seed, scenarios.Options{Limit: faults.Full(), Off: off})
}

func caught(i int, o *scenarios.Outcome, broken, message string) mutants.Catch {
	if broken == "" {
		broken = "unknown"
	}
	return mutants.Catch{Seeds: i + 1, Seed: fmt.Sprintf("%#x", o.Seed), Scenario: o.Scenario, Broken: broken, Message: message}
}
