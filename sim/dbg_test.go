package sim

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
	"weir/checker"
	"weir/faults"
)

func TestDbg(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 0, 64)
	cfg := jobConfig(seed, seed%3 == 2)
	if os.Getenv("FULL") != "" {
		cfg.Profile = faults.Full()
	}
	f, _ := os.Create("/tmp/w/trace.txt")
	cfg.Trace = func(s string) { fmt.Fprintln(f, s) }
	r := Run(cfg)
	for _, x := range r.Fired {
		fmt.Println(x)
	}
	fmt.Println(r.String())
	h := r.History.Checker(true)
	fmt.Println(checker.Check(&h, countSpec()))
}
func TestSweep(t *testing.T) {
	n, _ := strconv.ParseUint(os.Getenv("SEEDS"), 0, 64)
	from, _ := strconv.ParseUint(os.Getenv("FROM"), 0, 64)
	var all faults.Counts
	kinds := map[string]int{}
	var steps uint64
	start := time.Now()
	for seed := from; seed < from+n; seed++ {
		cfg := jobConfig(seed, seed%3 == 2)
		if os.Getenv("FULL") != "" {
			cfg.Profile = faults.Full()
		}
		r := Run(cfg)
		steps += r.Steps
		all.Add(&r.Faults)
		what := "ok"
		if r.Failure != nil {
			what = r.Failure.Class + " " + r.Failure.Name
		} else {
			h := r.History.Checker(true)
			if v := checker.Check(&h, countSpec()); v.Result != checker.Pass {
				what = "checker " + v.Result.String()
			}
		}
		kinds[what]++
		if what != "ok" && kinds[what] <= 3 {
			s := r.String()
			if len(s) > 700 {
				s = s[:700]
			}
			fmt.Println(what, s)
		}
	}
	fmt.Println(kinds, float64(n)/time.Since(start).Seconds(), "seeds/s", float64(steps)/time.Since(start).Seconds(), "steps/s")
	for k := range faults.Kind(faults.Kinds) {
		fmt.Println(k, all[k])
	}
}
