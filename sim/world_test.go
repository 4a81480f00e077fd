package sim

import (
	"fmt"
	"os"
	"os/exec"
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
		if r := Audit(func() Config { return jobConfig(seed, seed%3 == 2, true) }); r.Failure != nil {
			t.Fatal(r.Failure)
		}
	}
}

// An audit that can't fail is none: a machine that is not a function of its events must be seen, at the step it is.
func TestAuditSeesImpureMachine(t *testing.T) {
	var clock uint64
	tick := func() uint64 { clock++; return clock * clock }
	for seed := range uint64(5) {
		if r := Audit(func() Config { return toyConfig(seed, toyBugs{impure: tick}) }); r.Failure != nil {
			if last := r.Ring[len(r.Ring)-1]; r.Failure.Class != "nondeterminism" || !strings.Contains(strings.Join(r.Ring[len(r.Ring)-4:], ""), "frozen") {
				t.Fatalf("found %v, last %s", r.Failure, last)
			}
			return
		}
	}
	t.Fatal("5 seeds of an impure machine passed the audit")
}

const digestsOf = "SIM_TEST_DIGESTS"

// The digests of another process, with another number of threads and another garbage collector's rhythm, are the same.
func TestOtherProcessSameRuns(t *testing.T) {
	var own strings.Builder
	for seed := range uint64(10) {
		r := Run(jobConfig(seed, false, true))
		fmt.Fprintf(&own, "%016x ", r.Digest)
	}
	if os.Getenv(digestsOf) != "" {
		fmt.Printf("digests %s\n", own.String())
		return
	}
	for _, env := range []string{"GOMAXPROCS=1", "GOGC=5"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestOtherProcessSameRuns$")
		cmd.Env = append(os.Environ(), digestsOf+"=1", env)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "digests "+own.String()) {
			t.Fatalf("with %s: %v\n%s\nwant %s", env, err, out, own.String())
		}
	}
}

func TestReplayByFiredFaults(t *testing.T) {
	for seed := range uint64(20) {
		a := Run(toyConfig(seed, toyBugs{}))
		cfg := toyConfig(seed, toyBugs{})
		cfg.Profile, cfg.Replay = faults.Calm(), true
		for _, f := range a.Fired {
			cfg.Only = append(cfg.Only, f.ID)
		}
		if b := Run(cfg); !slices.Equal(a.Fired, b.Fired) || a.Digest != b.Digest {
			t.Fatalf("seed %d: %d faults struck, %d in the replay", seed, len(a.Fired), len(b.Fired))
		}
	}
}

func caught(t *testing.T, bugs toyBugs, name string) {
	t.Helper()
	for seed := range uint64(40) {
		cfg := toyConfig(seed, bugs)
		cfg.Feeds[0].Every, cfg.Feeds[0].Records = protocol.Millisecond, 2000
		if r := Run(cfg); r.Failure != nil {
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
			cfg := jobConfig(1, false, false)
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

// chatter is a worker that does nothing but answer, set timers and resume.
type chatter struct{ cfg protocol.Config }

func (chatter) Pending() []protocol.Wait { return nil }

func (c chatter) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	switch ev := ev.(type) {
	case protocol.Started:
		for range 4 {
			out.Append(protocol.Resume{})
		}
	case protocol.Resumed:
		out.Append(protocol.Tell{To: protocol.Address{Node: 11, Task: protocol.WorkerTask}, Message: protocol.Ping{}})
		out.Append(protocol.Wake{Timer: 1, At: now.Add(protocol.Second)})
	case protocol.Told:
		if _, ok := ev.Message.(protocol.Ping); ok {
			out.Append(protocol.Tell{To: ev.From, Message: protocol.Pong{}})
		} else {
			out.Append(protocol.Resume{})
		}
	}
}

// The loop alone: heap, digest, ring, delays, and machines that hardly do anything.
func BenchmarkLoop(b *testing.B) {
	b.ReportAllocs()
	cfg := toyConfig(1, toyBugs{})
	cfg.Topology.Coordinators, cfg.Topology.Workers = nil, []protocol.NodeID{11, 12, 13, 14}
	cfg.NewJob = func() Job { return Job{NewWorker: func() protocol.Machine { return chatter{cfg.Protocol} }} }
	cfg.Feeds, cfg.Readers, cfg.Profile = nil, nil, faults.Full()
	cfg.Profile[faults.CrashWorker], cfg.Profile[faults.CrashInEffects] = 0, 0
	cfg.Profile[faults.MessageLost], cfg.Profile[faults.MessageDoubled], cfg.Profile[faults.Pause], cfg.Profile[faults.Partition] = 0, 0, 0, 0
	cfg.Limits.Horizon, cfg.Limits.Steps = protocol.Minute<<20, uint64(b.N)
	b.ResetTimer()
	r := Run(cfg)
	b.ReportMetric(float64(r.Steps)/b.Elapsed().Seconds(), "steps/s")
}

// One seed of the counting job, with everything but the checker.
func BenchmarkJob(b *testing.B) {
	b.ReportAllocs()
	var steps uint64
	for i := range b.N {
		r := Run(jobConfig(uint64(i), false, false))
		steps += r.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(steps)/float64(b.N), "steps/op")
}
