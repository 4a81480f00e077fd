package sim

import (
	"fmt"
	"strings"
	"testing"

	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/protocol/job"
	"weir/protocol/task"
)

// twoConfig is a run of two jobs: one copies "in" to "mid", the other counts "mid" into "out".
func twoConfig(seed uint64) Config {
	cfg := jobConfig(seed, false, true)
	copying := &job.Graph{
		Name: "copy",
		Stages: []job.Stage{
			{ID: "read", Kind: job.SourceStage, Topic: "in", Code: func() task.Code { return copies{} }},
			{ID: "write", Kind: job.SinkStage, Topic: "mid"},
		},
		Edges: []job.Edge{{From: 0, To: 1, Kind: job.Shuffle}},
	}
	counting := countGraph(false)
	counting.Stages[0].Topic = "mid"
	pc := cfg.Jobs[0].Protocol
	cfg.Jobs = nil
	var topics []Topic
	for i, g := range []*job.Graph{copying, counting} {
		plan := func() *job.Plan {
			p, err := job.NewPlan(g, pc)
			if err != nil {
				panic(err)
			}
			return p
		}
		at := protocol.NodeID(100 * i)
		reads, _, _ := plan().Topics()
		cfg.Jobs = append(cfg.Jobs, JobSpec{
			Protocol: pc, NewJob: JobOf(plan, nil), Manifests: CheckpointManifests(), Inputs: reads,
			Topology: Topology{Coordinators: []protocol.NodeID{at + 1, at + 2}, Workers: []protocol.NodeID{at + 11, at + 12}},
		})
		topics = append(topics, TopicsOf(plan(), 2)...)
	}
	cfg.Services = Virtual(topics, nil, pc, pc)
	return cfg
}

func TestTwoJobs(t *testing.T) {
	var all faults.Counts
	for seed := range uint64(60) {
		r := runJob(t, twoConfig(seed))
		if t.Failed() {
			return
		}
		all.Add(&r.Faults)
	}
	if all.Total() < 1000 {
		t.Errorf("%d faults struck", all.Total())
	}
}

func TestTwoJobsStop(t *testing.T) {
	for seed := range uint64(20) {
		cfg := twoConfig(seed)
		cfg.Expect, cfg.StopAfter = protocol.Stopped, protocol.Duration(1+seed)*200*protocol.Millisecond
		runJob(t, cfg)
	}
}

// What one job does wrong must be seen, whichever it is: at its own bucket, or by who reads what came of it.
func TestEitherOfTwoJobsIsWatched(t *testing.T) {
	spoil := map[string]func(*Clients, Env){
		"deletes": func(c *Clients, e Env) {
			c.Bucket = device{c.Bucket, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
				next.Perform(from, ef, done)
				if st, ok := ef.(protocol.Store); ok && strings.HasPrefix(string(st.Key), "manifest/") {
					e.Net.After(500*protocol.Millisecond, func() { next.Perform(from, protocol.Delete{Key: st.Key}, func(protocol.Event) {}) })
				}
			}}
		},
		"checker": func(c *Clients, e Env) {
			s := Services{Clients: []Clients{*c}}
			commitsEarly(&s, e)
			*c = s.Clients[0]
		},
	}
	for name, with := range spoil {
		for which := range 2 {
			if got := foundInTwo(which, with); got != name {
				t.Errorf("job %d: found by %s, want %s", which, got, name)
			}
		}
	}
}

func foundInTwo(which int, with func(*Clients, Env)) string {
	for seed := range uint64(200) {
		cfg := twoConfig(seed)
		services := cfg.Services
		cfg.Services = func(e Env) Services {
			s := services(e)
			with(&s.Clients[which], e)
			return s
		}
		cfg.Off = CheckFencing
		r := Run(cfg)
		if r.Failure != nil {
			return r.Failure.Name
		}
		if h := r.History.Checker(true); checker.Check(&h, countSpec()).Result == checker.Fail {
			return "checker"
		}
	}
	return "nothing"
}

func TestTwoJobsShareNoNode(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "share a node") {
			t.Errorf("got %v", r)
		}
	}()
	cfg := twoConfig(1)
	cfg.Jobs[1].Topology = cfg.Jobs[0].Topology
	Run(cfg)
}
