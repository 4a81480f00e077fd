package scenarios

import (
	"fmt"
	"testing"

	"weir/faults"
	"weir/protocol"
	"weir/scenarios/jobs"
)

// standard is the scenario by which the simulator's speed is told: 1,000 records, parallelism 2, at least 5 checkpoints,
// two crashes.
func standard() *Scenario {
	s := of(jobs.Shuffle(), "for measuring")
	s.Spec, s.Parallelism, s.Fixed, s.Interval = counted("shuffle-out"), 2, true, protocol.Second
	s.Inputs[0].Records = 1000
	return s
}

// run is a seed of the standard scenario with its crashes, one of which may find nobody, and nothing else.
func (s *Scenario) run(seed uint64) Outcome {
	cfg := s.config(seed, Options{})
	cfg.Profile[faults.CrashWorker], cfg.Profile[faults.CrashCoordinator] = 2, 1
	cfg.Limits.Horizon = 12 * protocol.Second
	return s.outcome(seed, cfg)
}

// TestStandardScenarioIsWhatItSays: the benchmark would be worth nothing otherwise.
func TestStandardScenarioIsWhatItSays(t *testing.T) {
	s, sealed, crashes := standard(), 0, uint64(0)
	const seeds = 20
	for seed := range uint64(seeds) {
		o := s.run(seed)
		if !o.Passed() || o.Verdict.Scope.Inputs != 1000 {
			t.Fatalf("seed %d: %s %s, %d inputs", seed, o.Broken, o.Message, o.Verdict.Scope.Inputs)
		}
		sealed += o.Run.Sealed
		crashes += o.Run.Faults.Of(faults.CrashWorker) + o.Run.Faults.Of(faults.CrashCoordinator)
	}
	if sealed < 5*seeds || crashes < 2*seeds {
		t.Errorf("%d checkpoints and %d crashes in %d seeds", sealed, crashes, seeds)
	}
}

// BenchmarkSim is a whole seed of the standard scenario on one core: world, machines, devices, checks, checker.
func BenchmarkSim(b *testing.B) {
	b.ReportAllocs()
	s := standard()
	var steps uint64
	for i := range b.N {
		steps += s.run(uint64(i)).Run.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "seeds/s")
	b.ReportMetric(float64(steps)/float64(b.N), "steps/seed")
}

// TestID: ids look as they always did, or no seed's digest would be what it was.
func TestID(t *testing.T) {
	for _, n := range []int{0, 7, 10, 99, 100, 12345, 100000} {
		if got, want := string(id(3, 1, n)), fmt.Sprintf("k%d:%c%05d", 3, 'b', n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
