package sim

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/task"
)

// copies is a source's code: every record goes on, routed by its key.
type copies struct{}

func (copies) Process(in *batch.Batch, _ state.Keyed, out task.Emitter) error {
	for i := range in.Len() {
		r := in.Record(i)
		r.Hash = state.Hash(in.Key(i))
		out.Emit(0, in.Key(i), in.Value(i), r)
	}
	return nil
}

// counts appends to each value how many came before it with its key.
type counts struct{}

func (counts) Process(in *batch.Batch, st state.Keyed, out task.Emitter) error {
	for i := range in.Len() {
		var n uint64
		if old, ok := st.Get(in.Key(i)); ok {
			n = binary.BigEndian.Uint64(old)
		}
		st.Put(in.Key(i), binary.BigEndian.AppendUint64(nil, n+1))
		out.Emit(0, in.Key(i), fmt.Appendf(nil, "%s %d", in.Value(i), n+1), in.Record(i))
	}
	return nil
}

func countGraph(bounded bool) *job.Graph {
	return &job.Graph{
		Name: "count",
		Stages: []job.Stage{
			{ID: "read", Kind: job.SourceStage, Topic: "in", Bounded: bounded, Code: func() task.Code { return copies{} }},
			{ID: "count", Kind: job.OperatorStage, Keyed: true, Code: func() task.Code { return counts{} }},
			{ID: "write", Kind: job.SinkStage, Topic: "out"},
		},
		Edges: []job.Edge{{From: 0, To: 1, Kind: job.Shuffle}, {From: 1, To: 2, Kind: job.Forward}},
	}
}

func countSpec() checker.Spec {
	return checker.Spec{
		Expect: func(in *checker.Input, out []checker.Effect) []checker.Effect {
			return append(out, checker.Effect{Topic: "out", ID: in.Value, Key: in.Key})
		},
		Observe: func(_ string, r *checker.Record) ([]byte, bool) {
			id, _, _ := strings.Cut(string(r.Value), " ")
			return []byte(id), true
		},
		Folds: []checker.Fold{{
			Topic: "out",
			Key:   func(in *checker.Input) ([]byte, bool) { return in.Key, true },
			Apply: func(state []byte, _ *checker.Input) ([]byte, []byte) {
				n, _ := strconv.Atoi(string(state))
				next := strconv.AppendInt(nil, int64(n+1), 10)
				return next, next
			},
			Observe: func(r *checker.Record) (key, value []byte, ok bool) {
				_, n, ok := strings.Cut(string(r.Value), " ")
				return r.Key, []byte(n), ok
			},
			Order: checker.Alike,
		}},
	}
}

// jobConfig is a run of the counting job; bounded says that it ends with its input.
func jobConfig(seed uint64, bounded, varied bool) Config {
	pc := protocol.Defaults()
	pc.Interval, pc.Timeout, pc.IOTimeout, pc.RestartDelay = protocol.Second, 5*protocol.Second, 2*protocol.Second, 100*protocol.Millisecond
	pc.Heartbeat, pc.NodeTimeout, pc.TxnTimeout = 100*protocol.Millisecond, protocol.Second, 5*protocol.Minute
	pc.Parallelism, pc.BatchRecords, pc.KeyGroups = 2, 16, 16
	profile := faults.Draw(faults.NewChoice(seed), faults.Full())
	if varied {
		pc = Vary(faults.NewChoice(seed), pc)
	}
	plan := func() *job.Plan {
		p, err := job.NewPlan(countGraph(bounded), pc)
		if err != nil {
			panic(err)
		}
		return p
	}
	cfg := Config{
		Seed: seed,
		Jobs: []JobSpec{{
			Protocol: pc, NewJob: JobOf(plan, nil), Manifests: CheckpointManifests(),
			Topology: Topology{Coordinators: []protocol.NodeID{1, 2}, Workers: []protocol.NodeID{11, 12, 13}},
		}},
		Services: Virtual(TopicsOf(plan(), 2), nil, pc),
		Feeds: []Feed{{Topic: "in", Records: 400, Start: 50, Every: 10 * protocol.Millisecond, Transactions: 100, Open: 10,
			Make: func(i int, s *faults.Stream) (protocol.Partition, []byte, []byte) {
				return protocol.Partition(s.Pick(2)), []byte{'a' + byte(s.Pick(8))}, fmt.Appendf(nil, "%d", i)
			}}},
		Readers: []Reader{{Topic: "out", Every: 200 * protocol.Millisecond, Rewind: 20}},
		Profile: profile,
	}
	if bounded {
		cfg.Expect = protocol.Finished
		cfg.Feeds[0].Start, cfg.Feeds[0].Open = cfg.Feeds[0].Records, 0
	}
	return cfg
}

func runJob(t *testing.T, cfg Config) Result {
	t.Helper()
	r := Run(cfg)
	if r.Failure != nil {
		t.Errorf("profile %v\n%s\n%s", cfg.Profile, r.String(), strings.Join(r.Ring[max(0, len(r.Ring)-60):], "\n"))
		return r
	}
	h := r.History.Checker(cfg.Expect != protocol.Stopped)
	if v := checker.Check(&h, countSpec()); v.Result != checker.Pass {
		t.Errorf("profile %v\n%s\n%v", cfg.Profile, r.String(), v)
	}
	return r
}

func TestCalmJob(t *testing.T) {
	for seed := range uint64(3) {
		cfg := jobConfig(seed, false, false)
		cfg.Profile = faults.Calm()
		t.Log(runJob(t, cfg).String())
	}
}

func TestStopAsAsked(t *testing.T) {
	for seed := range uint64(20) {
		cfg := jobConfig(seed, false, true)
		cfg.Expect, cfg.StopAfter = protocol.Stopped, protocol.Duration(1+seed)*200*protocol.Millisecond
		runJob(t, cfg)
	}
}

func TestJobUnderFaults(t *testing.T) {
	var all faults.Counts
	sealed := 0
	for seed := range uint64(200) {
		if t.Failed() {
			break
		}
		r := runJob(t, jobConfig(seed, seed%3 == 2, seed%2 == 1))
		all.Add(&r.Faults)
		sealed += r.Sealed
	}
	for k := range faults.Kind(faults.Kinds) {
		t.Logf("%-18v %v", k, all[k])
	}
	t.Logf("%d checkpoints sealed", sealed)
}
