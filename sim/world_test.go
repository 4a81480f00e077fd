package sim

import (
	"slices"
	"strings"
	"testing"

	"weir/faults"
	"weir/protocol"
)

func TestToyLivesUnderFaults(t *testing.T) {
	var all faults.Counts
	sealed := 0
	for seed := range uint64(120) {
		r := Run(toyConfig(seed, toyBugs{}))
		if r.Failure != nil {
			t.Fatalf("%s\n%s", r.String(), strings.Join(r.Ring[max(0, len(r.Ring)-80):], "\n"))
		}
		all.Add(&r.Faults)
		sealed += r.Sealed
	}
	for k := range faults.Kind(faults.Kinds) {
		t.Logf("%-18v %v", k, all[k])
		if all.Of(k) == 0 && k != faults.MarkerLate { // the toy has no transactions
			t.Errorf("%v never struck", k)
		}
	}
	t.Logf("%d checkpoints sealed", sealed)
}

func TestSameSeedSameRun(t *testing.T) {
	for seed := range uint64(20) {
		a, b := Run(toyConfig(seed, toyBugs{})), Run(toyConfig(seed, toyBugs{}))
		if a.Digest != b.Digest || a.Steps != b.Steps {
			t.Fatalf("seed %d: %v, then %v", seed, a.String(), b.String())
		}
	}
}

// An audit that can't fail is none: a machine that is not a function of its events must be seen.
func TestDigestSeesImpureMachine(t *testing.T) {
	var clock uint64
	tick := func() uint64 { clock++; return clock * clock }
	for seed := range uint64(5) {
		a, b := Run(toyConfig(seed, toyBugs{impure: tick})), Run(toyConfig(seed, toyBugs{impure: tick}))
		if a.Digest != b.Digest {
			return
		}
	}
	t.Fatal("5 seeds of an impure machine gave equal digests")
}

func TestReplayByFiredFaults(t *testing.T) {
	for seed := range uint64(20) {
		a := Run(toyConfig(seed, toyBugs{}))
		cfg := toyConfig(seed, toyBugs{})
		cfg.Profile, cfg.Replay = faults.Calm(), true
		for _, f := range a.Fired {
			cfg.Only = append(cfg.Only, f.ID)
		}
		if b := Run(cfg); !slices.Equal(a.Fired, b.Fired) {
			t.Fatalf("seed %d: %d faults struck, %d in the replay", seed, len(a.Fired), len(b.Fired))
		}
	}
}

func caught(t *testing.T, bugs toyBugs, name string) {
	t.Helper()
	for seed := range uint64(40) {
		if r := Run(toyConfig(seed, bugs)); r.Failure != nil {
			if r.Failure.Name != name {
				t.Fatalf("found %v, want %s", r.Failure, name)
			}
			return
		}
	}
	t.Fatalf("40 seeds passed with a bug that %s must catch", name)
}

func TestBugsAreCaught(t *testing.T) {
	caught(t, toyBugs{noAlign: true}, "cut")
	caught(t, toyBugs{early: true}, "origins")
	caught(t, toyBugs{hang: true}, "liveness")
}

func TestReleasedBatchIsScribbled(t *testing.T) {
	for seed := range uint64(5) {
		if r := Run(toyConfig(seed, toyBugs{keepAlias: true})); r.Note("alias scribbled") > 0 {
			return
		}
	}
	t.Fatal("an alias kept after Release read what it had read before")
}

// A crash behind every effect of every control step of a calm run's first attempts must be survived.
func TestCrashBehindEveryEffect(t *testing.T) {
	digests := map[uint64]bool{}
	runs := 0
	for step := uint64(1); step <= 400; step += 7 {
		for effect := 0; ; effect++ {
			cfg := jobConfig(1, false)
			cfg.Profile, cfg.CrashAt = faults.Calm(), CrashPoint{step, effect}
			cfg.Limits.Horizon = 2 * protocol.Second
			r := runJob(t, cfg)
			if !r.Crashed {
				break
			}
			digests[r.Digest] = true
			runs++
		}
	}
	if t.Logf("%d crash points, %d different runs", runs, len(digests)); runs < 100 || len(digests) < runs*9/10 {
		t.Fatalf("%d crash points gave %d different runs", runs, len(digests))
	}
}

// The loop with the toy's machines, the virtual broker and all checks; input is there from the start, nobody reads on.
func BenchmarkToy(b *testing.B) {
	b.ReportAllocs()
	var steps uint64
	for i := range b.N {
		cfg := toyConfig(uint64(i), toyBugs{})
		cfg.Limits.Horizon, cfg.Readers = 2*protocol.Second, nil
		cfg.Feeds[0].Start, cfg.Feeds[0].Records, cfg.Feeds[0].Batch = 20_000, 20_000, 64
		r := Run(cfg)
		steps += r.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(steps)/float64(b.N), "steps/op")
}

func BenchmarkJob(b *testing.B) {
	b.ReportAllocs()
	var steps uint64
	for i := range b.N {
		r := Run(jobConfig(uint64(i), false))
		steps += r.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(steps)/float64(b.N), "steps/op")
}
