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
		if all.Of(k) == 0 && k != faults.MarkerLate && k < faults.DiskFull { // the toy has no transactions, and no copies
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

// The faults that struck, by name, give the run again: those that did not strike had no part in it.
func TestReplayByFiredFaults(t *testing.T) {
	for seed := range uint64(60) {
		for i, config := range []func() Config{
			func() Config { return toyConfig(seed, toyBugs{}) },
			func() Config { return jobConfig(seed, seed%3 == 2, true) },
			func() Config { return twoConfig(seed) },
		} {
			if i == 2 && seed%6 > 0 {
				continue
			}
			a, cfg := Run(config()), config()
			cfg.Profile, cfg.Replay = faults.Calm(), true
			for _, f := range a.Fired {
				cfg.Only = append(cfg.Only, f.ID)
			}
			if b := Run(cfg); !slices.Equal(a.Fired, b.Fired) || a.Digest != b.Digest {
				t.Fatalf("config %d, seed %d: %d faults struck, %d in the replay", i, seed, len(a.Fired), len(b.Fired))
			}
		}
	}
}

func caught(t *testing.T, bugs toyBugs, name string) {
	t.Helper()
	for seed := range uint64(1000) {
		cfg := toyConfig(seed, bugs)
		cfg.Feeds[0].Every, cfg.Feeds[0].Records = protocol.Millisecond, 2000
		if r := Run(cfg); r.Failure != nil {
			if r.Failure.Name != name {
				t.Fatalf("found %v, want %s", r.Failure, name)
			}
			t.Logf("%s: seed %d", name, seed)
			return
		}
	}
	t.Fatalf("1000 seeds passed with a bug that %s must catch", name)
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

// A crash behind every effect of a sample of a calm run's steps must be survived.
func TestCrashBehindEveryEffect(t *testing.T) {
	calm := func() Config {
		cfg := jobConfig(1, false, false)
		cfg.Profile, cfg.Limits.Horizon = faults.Calm(), 2*protocol.Second
		return cfg
	}
	var census Census
	cfg := calm()
	cfg.Census = &census
	Run(cfg)
	digests := map[uint64]bool{}
	runs := 0
	for i := 0; i < 400; i += 7 {
		at := census.Steps[i]
		for effect := range at.Effects + 1 {
			cfg := calm()
			cfg.CrashAt = []CrashPoint{{at.Machine.Node, at.Step, effect}}
			r := runJob(t, cfg)
			if r.Crashed != 1 {
				t.Errorf("%+v is no place of the run", cfg.CrashAt)
			}
			digests[r.Digest] = true
			runs++
		}
	}
	if t.Logf("%d crash points, %d different runs", runs, len(digests)); runs < 100 || len(digests) < runs*9/10 {
		t.Fatalf("%d crash points gave %d different runs", runs, len(digests))
	}
}

// Every outcome of a calm run can be made Unknown: the request is counted, and the run is another one.
func TestEveryOutcomeUnknown(t *testing.T) {
	calm := func() Config {
		cfg := jobConfig(1, false, false)
		cfg.Profile, cfg.Limits.Horizon = faults.Calm(), 2*protocol.Second
		cfg.Feeds[0].Records, cfg.Feeds[0].Start = 20, 5
		return cfg
	}
	var census Census
	cfg := calm()
	cfg.Census = &census
	usual := Run(cfg)
	kinds, runs, same := map[string]int{}, 0, 0
	for i, at := range census.Requests {
		if kinds[at.Kind]++; kinds[at.Kind] > 5 {
			continue
		}
		for _, way := range []Way{Lost, Applied, Late} {
			cfg := calm()
			cfg.UnknownAt = UnknownPoint{uint64(i + 1), way}
			if runs++; runJob(t, cfg).Digest == usual.Digest {
				same++ // asked in the very last step
			}
		}
	}
	if runs < 100 || same > runs/10 {
		t.Errorf("%d of %d runs are as if nothing had happened", same, runs)
	}
	for _, kind := range []string{"Store", "Load", "Delete", "Survey", "Fetch", "OpenSlot", "Produce", "Flush", "EndTxn", "ReadLedger", "ListTxns", "Erase"} {
		if kinds[kind] == 0 {
			t.Errorf("a calm run has no %s", kind)
		}
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
	only := &cfg.Jobs[0]
	only.Topology.Coordinators, only.Topology.Workers = nil, []protocol.NodeID{11, 12, 13, 14}
	only.NewJob = func() Job { return Job{NewWorker: func() protocol.Machine { return chatter{only.Protocol} }} }
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

// What struck and changed nothing is in the list that replays a run, and not in the counts.
func TestOnlyWhatChangedSomethingCounts(t *testing.T) {
	var struck, counted [faults.Kinds]uint64
	for seed := range uint64(60) {
		cfg := jobConfig(seed, false, true)
		cfg.Profile = cfg.Profile.Raise(200_000, faults.DiskFull, faults.DiskLost, faults.DiskTorn, faults.DiskRot, faults.DiskError, faults.DiskSlow)
		r := Run(cfg)
		for _, f := range r.Fired {
			struck[f.ID.Kind]++
		}
		for k := range faults.Kind(faults.Kinds) {
			counted[k] += r.Faults.Of(k)
		}
	}
	for k := range faults.Kind(faults.Kinds) {
		often := k == faults.Pause || k == faults.MessageReordered || k == faults.MessageDelayed // without effect
		if t.Logf("%-18v struck %d, counted %d", k, struck[k], counted[k]); counted[k] == 0 || counted[k] > struck[k] || often && counted[k] == struck[k] {
			t.Errorf("%v: struck %d, counted %d", k, struck[k], counted[k])
		}
	}
}
