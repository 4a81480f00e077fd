package sim

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
	"weir/checker";"weir/protocol"
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
	h := r.History.Checker(cfg.Expect != protocol.Stopped)
	fmt.Println(checker.Check(&h, countSpec()))
}
func swarmConfig(seed uint64) Config {
	s := faults.NewChoice(seed).Stream("swarm")
	old := testConfig
	defer func() { testConfig = old }()
	testConfig = func(pc *protocol.Config) {
		pc.Parallelism = 1 + s.Pick(3)
		pc.BatchRecords = 1 + s.Pick(20)
		pc.Credit = 1 + s.Pick(6)
		pc.Tolerable = s.Pick(3)
		pc.Interval = protocol.Duration(s.Between(int64(100*protocol.Millisecond), int64(2*protocol.Second)))
		pc.Retained = 1 + s.Pick(3)
		pc.KeyGroups = 4 + s.Pick(16)
		if s.Chance(1, 2) { pc.TxnTimeout = 2*(pc.Interval*protocol.Duration(1+pc.Tolerable)+pc.Timeout) + protocol.Duration(s.Between(0, int64(20*protocol.Second))) }
	}
	cfg := jobConfig(seed, s.Chance(1, 3))
	if s.Chance(1, 4) && cfg.Expect == 0 { cfg.Expect = protocol.Stopped; cfg.StopAfter = protocol.Duration(s.Between(1, int64(10*protocol.Second))) }
	cfg.Limits.Horizon = protocol.Duration(s.Between(int64(protocol.Second), int64(30*protocol.Second)))
	return cfg
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
			h := r.History.Checker(cfg.Expect != protocol.Stopped)
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
