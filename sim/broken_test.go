package sim

import (
	"strings"
	"testing"

	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/protocol/batch"
)

// device is a device with something wrong.
type device struct {
	protocol.Device
	perform func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event))
}

func (d device) Perform(from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	d.perform(d.Device, from, ef, done)
}

// crooked is a machine with something wrong.
type crooked struct {
	protocol.Machine
	step    func(next protocol.Machine, now protocol.Time, ev protocol.Event, out *protocol.Effects)
	pending []protocol.Wait
}

func (c crooked) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	if c.step == nil {
		c.Machine.Step(now, ev, out)
		return
	}
	c.step(c.Machine, now, ev, out)
}

func (c crooked) Pending() []protocol.Wait { return append(c.pending, c.Machine.Pending()...) }

// bend is what is wrong with a run: any of a task, a coordinator, the services.
type bend struct {
	task, coordinator func(protocol.Machine) protocol.Machine
	services          func(*Services, Env)
}

// bent is a run with something wrong.
func bent(cfg Config, b bend) Config {
	services, newJob := cfg.Services, cfg.Jobs[0].NewJob
	cfg.Services = func(e Env) Services {
		s := services(e)
		if b.services != nil {
			b.services(&s, e)
		}
		return s
	}
	cfg.Jobs[0].NewJob = func() Job {
		j := newJob()
		newTask, newCoordinator := j.NewTask, j.NewCoordinator
		if b.task != nil {
			j.NewTask = func(start protocol.TaskStart, pool batch.Pool) protocol.Machine { return b.task(newTask(start, pool)) }
		}
		if b.coordinator != nil {
			j.NewCoordinator = func(workers []protocol.NodeID) protocol.Machine { return b.coordinator(newCoordinator(workers)) }
		}
		return j
	}
	return cfg
}

// found runs seeds until one fails, and says how: by an invariant's name, or as the checker's.
func found(b bend, seeds uint64) (name string, seed uint64) {
	for seed := range seeds {
		cfg := bent(jobConfig(seed, seed%3 == 2, true), b)
		r := Run(cfg)
		if r.Failure != nil {
			return r.Failure.Name, seed
		}
		if h := r.History.Checker(true); checker.Check(&h, countSpec()).Result == checker.Fail {
			return "checker", seed
		}
	}
	return "nothing", seeds
}

// broken wants the named invariant to find what is wrong.
func broken(t *testing.T, name string, task func(protocol.Machine) protocol.Machine, services func(*Services, Env)) {
	t.Helper()
	if got, seed := found(bend{task: task, services: services}, 60); got != name {
		t.Fatalf("seed %d: found by %s, want %s", seed, got, name)
	}
}

func TestManifestOfWhatIsNotThere(t *testing.T) {
	broken(t, "manifests", nil, func(s *Services, e Env) {
		s.Clients[0].Bucket = device{s.Clients[0].Bucket, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
			if st, ok := ef.(protocol.Store); ok && strings.HasPrefix(string(st.Key), "data/") {
				e.Net.After(protocol.Millisecond, func() {
					body := st.Object.Encode(nil)
					done(protocol.Stored{Op: st.Op, Outcome: protocol.OK, Version: "x", Size: int64(len(body))})
				})
				return
			}
			next.Perform(from, ef, done)
		}}
	})
}

func TestListedObjectDeleted(t *testing.T) {
	broken(t, "deletes", nil, func(s *Services, e Env) {
		s.Clients[0].Bucket = device{s.Clients[0].Bucket, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
			next.Perform(from, ef, done)
			if st, ok := ef.(protocol.Store); ok && strings.HasPrefix(string(st.Key), "data/") {
				e.Net.After(500*protocol.Millisecond, func() { // it is listed by now
					next.Perform(from, protocol.Delete{Key: st.Key}, func(protocol.Event) {})
				})
			}
		}}
	})
}

func TestBatchGivenBackTwice(t *testing.T) {
	broken(t, "batches", func(m protocol.Machine) protocol.Machine {
		return crooked{Machine: m, step: func(next protocol.Machine, now protocol.Time, ev protocol.Event, out *protocol.Effects) {
			var own protocol.Effects
			next.Step(now, ev, &own)
			for _, ef := range own.All() {
				out.Append(ef)
				if _, ok := ef.(protocol.Release); ok {
					out.Append(ef)
				}
			}
		}}
	}, nil)
}

func TestWaitWithoutEnd(t *testing.T) {
	broken(t, "waits", func(m protocol.Machine) protocol.Machine {
		return crooked{Machine: m, pending: []protocol.Wait{{What: "Godot", Deadline: 1}}}
	}, nil)
}

// A commit by an attempt that a later one has replaced must be seen where it happens, at the broker.
func TestCommitOfOlderAttempt(t *testing.T) {
	cfg := jobConfig(1, false, false)
	cfg.Profile = faults.Calm()
	w := newWorld(cfg)
	w.job.scope = protocol.Scope{Epoch: 2, Attempt: 5}
	committed := false
	w.services.Committed = func(protocol.TransactionalID) bool { return committed }
	for _, c := range []struct {
		id             string
		before, after  bool
		wantsViolation bool
	}{
		{"count/write/0/2.5/0", false, true, false}, // its own
		{"count/write/0/2.4/0", false, false, false},
		{"count/write/0/2.4/0", true, true, false}, // a double
		{"somebody/else", false, true, false},
		{"count/write/0/2.4/0", false, true, true},
	} {
		call := &call{node: w.nodes[0]}
		call.req.Kind, call.req.Object = "EndTxn", c.id
		committed = c.before
		before := w.watchRequest(call)
		committed = c.after
		w.watchApplied(call, before)
		if got := w.failure != nil; got != c.wantsViolation {
			t.Errorf("%+v: failure %v", c, w.failure)
		}
	}
}

// A machine that panics fails its run and not the process, and says where.
func TestPanicIsAFailure(t *testing.T) {
	broken(t, "panic", func(m protocol.Machine) protocol.Machine {
		return crooked{Machine: m, step: func(next protocol.Machine, now protocol.Time, ev protocol.Event, out *protocol.Effects) {
			if b, ok := ev.(protocol.Received); ok {
				_, barrier := b.Frame.(protocol.Barrier)
				protocol.Assert(!barrier, "planted")
			}
			next.Step(now, ev, out)
		}}
	}, nil)
}

// A job that stops without looking for what it leaves open holds readers up.
func TestStopThatLeavesTransactionsOpen(t *testing.T) {
	blind := lies(func(ef protocol.Effect) protocol.Event {
		if l, ok := ef.(protocol.ListTxns); ok {
			return protocol.TxnsListed{Op: l.Op, Outcome: protocol.OK}
		}
		return nil
	})
	for seed := range uint64(40) {
		cfg := bent(jobConfig(seed, false, true), bend{services: blind})
		cfg.Profile, cfg.Expect, cfg.StopAfter = faults.Calm(), protocol.Stopped, 1500*protocol.Millisecond
		if r := Run(cfg); r.Failure != nil {
			if r.Failure.Name != "settles" {
				t.Fatalf("found %v", r.Failure)
			}
			return
		}
	}
	t.Fatal("40 seeds passed")
}

// An ack that makes a transaction younger than it is would let one be decided that is too old.
func TestAckMakesYounger(t *testing.T) {
	w := newWorld(jobConfig(1, false, false))
	w.now = epochStart.Add(20 * protocol.Second)
	ours := protocol.Producer{ID: 7, Epoch: 1}
	w.services.Began = func(_ protocol.TransactionalID, p protocol.Producer) (protocol.Time, bool) {
		return epochStart.Add(5 * protocol.Second), p == ours
	}
	for _, c := range []struct {
		producer       protocol.Producer
		age            protocol.Duration
		wantsViolation bool
	}{
		{ours, 15 * protocol.Second, false},
		{ours, 16 * protocol.Second, false},            // from the first record, which came to the broker later
		{protocol.Producer{ID: 7, Epoch: 2}, 0, false}, // the id's next transaction
		{ours, 15*protocol.Second - 1, true},
	} {
		w.watchAges(&protocol.Ack{Snapshot: protocol.Snapshot{Committables: []protocol.Committable{{ID: "a", Producer: c.producer, Age: c.age}}}})
		if got := w.failure != nil; got != c.wantsViolation {
			t.Errorf("%+v: failure %v", c, w.failure)
		}
	}
}
