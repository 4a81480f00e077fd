package sim

import (
	"encoding/json"
	"fmt"

	"weir/faults"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/sim/broker"
	"weir/sim/bucket"
)

// The toy is a small job with aligned barriers and no sinks that commit: two sources shuffle to two keepers. Its
// coordinator keeps attempt and positions in HEAD. It is here to exercise the world, not to be right in every corner.
const (
	toySources = 2
	toyKeepers = 2
	toyTopic   = "in"
	toyHead    = protocol.ObjectKey("HEAD")
)

type toyState struct {
	Epoch, Attempt, Next uint64
	Positions            []int64
}

func (s toyState) Encode(dst []byte) []byte {
	b, _ := json.Marshal(s)
	return append(dst, b...)
}

func toyChannels() []Channel {
	out := []Channel{{}}
	for s := range toySources {
		for k := range toyKeepers {
			out = append(out, Channel{protocol.TaskID(1 + s), protocol.TaskID(1 + toySources + k)})
		}
	}
	return out
}

type toyBugs struct {
	noAlign   bool // keepers do not hold back
	keepAlias bool // keepers use a batch after release
	early     bool // sources send what is buffered after the barrier
	hang      bool // the coordinator stops triggering
	impure    func() uint64
}

func toyJob(cfg protocol.Config, bugs toyBugs) Job {
	return Job{
		Channels: toyChannels(),
		NewCoordinator: func(workers []protocol.NodeID) protocol.Machine {
			return &toyCoordinator{cfg: cfg, workers: workers, bugs: bugs}
		},
		NewWorker: func() protocol.Machine { return &toyWorker{} },
		NewTask: func(start protocol.TaskStart, pool batch.Pool) protocol.Machine {
			if int(start.Task) <= toySources {
				return &toySource{start: start, pool: pool, bugs: bugs}
			}
			return &toyKeeper{start: start, bugs: bugs}
		},
	}
}

type toyCoordinator struct {
	cfg      protocol.Config
	workers  []protocol.NodeID
	bugs     toyBugs
	self     protocol.Address
	head     toyState
	want     toyState
	version  protocol.Version
	office   bool
	running  bool
	lives    []protocol.Incarnation
	heard    []protocol.Time
	ready    map[protocol.TaskID]bool
	acked    map[protocol.TaskID]bool
	pending  uint64
	at       protocol.Time
	op       protocol.OpID
	position []int64
}

const (
	toyTick   protocol.TimerID = 1
	toyReload protocol.TimerID = 2
)

func (c *toyCoordinator) Pending() []protocol.Wait {
	return []protocol.Wait{{What: "toy acks", Deadline: 0}}
}

func (c *toyCoordinator) scope() protocol.Scope {
	return protocol.Scope{Job: "toy", Epoch: protocol.Epoch(c.head.Epoch), Attempt: protocol.Attempt(c.head.Attempt)}
}

func (c *toyCoordinator) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	switch ev := ev.(type) {
	case protocol.Started:
		c.self = ev.Self
		c.lives = make([]protocol.Incarnation, len(c.workers))
		c.heard = make([]protocol.Time, len(c.workers))
		c.load(out)
	case protocol.Loaded:
		c.loaded(now, ev, out)
	case protocol.Stored:
		if ev.Outcome == protocol.OK {
			c.won(now, ev.Version, out)
		} else {
			out.Append(protocol.Wake{Timer: toyReload, At: now.Add(c.cfg.RetryDelay)})
		}
	case protocol.Woken:
		if ev.Timer == toyReload {
			c.load(out)
		} else {
			c.tick(now, out)
		}
	case protocol.Told:
		c.told(now, ev, out)
	}
}

func (c *toyCoordinator) load(out *protocol.Effects) {
	c.op++
	out.Append(protocol.Load{Op: c.op, Key: toyHead})
}

func (c *toyCoordinator) loaded(now protocol.Time, ev protocol.Loaded, out *protocol.Effects) {
	var s toyState
	switch ev.Outcome {
	case protocol.OK:
		_ = json.Unmarshal(ev.Body, &s)
	case protocol.NotFound:
	default:
		out.Append(protocol.Wake{Timer: toyReload, At: now.Add(c.cfg.RetryDelay)})
		return
	}
	if c.office && s.Epoch > c.head.Epoch {
		out.Append(protocol.Note{Kind: protocol.NoteDeposed})
		out.Append(protocol.Exit{Verdict: protocol.Verdict{Kind: protocol.Deposed}})
		return
	}
	c.version = ev.Version
	if c.want.Epoch <= s.Epoch && !c.office {
		s.Epoch++
		c.want = s
	}
	if c.want.Attempt <= s.Attempt {
		c.want.Attempt = s.Attempt + 1
	}
	c.store(out)
}

func (c *toyCoordinator) store(out *protocol.Effects) {
	c.op++
	out.Append(protocol.Store{Op: c.op, Key: toyHead, Object: c.want, IfMatch: c.version})
}

func (c *toyCoordinator) won(now protocol.Time, v protocol.Version, out *protocol.Effects) {
	c.version = v
	claimed := c.want.Attempt != c.head.Attempt
	c.head, c.office = c.want, true
	if claimed {
		c.running, c.pending = false, 0
		out.Append(protocol.Note{Kind: protocol.NoteClaimed})
		for i := range c.heard {
			c.heard[i], c.lives[i] = now, 0
		}
	} else {
		out.Append(protocol.Note{Kind: protocol.NoteDecided, Checkpoint: protocol.CheckpointID(c.pending)})
		out.Append(protocol.Note{Kind: protocol.NoteSealed, Checkpoint: protocol.CheckpointID(c.pending)})
		c.pending = 0
	}
	c.tick(now, out)
}

func (c *toyCoordinator) restart(out *protocol.Effects) {
	c.running, c.pending = false, 0
	out.Append(protocol.Note{Kind: protocol.NoteRestart})
	c.want = c.head
	c.want.Attempt++
	c.store(out)
}

func (c *toyCoordinator) tick(now protocol.Time, out *protocol.Effects) {
	out.Append(protocol.Wake{Timer: toyTick, At: now.Add(c.cfg.Heartbeat)})
	for i, n := range c.workers {
		out.Append(protocol.Tell{To: protocol.Address{Node: n, Task: protocol.WorkerTask}, Message: protocol.Ping{Scope: c.scope()}})
		if c.running && now.Sub(c.heard[i]) > c.cfg.NodeTimeout {
			out.Append(protocol.Note{Kind: protocol.NoteWorkerLost})
			c.restart(out)
			return
		}
	}
	if !c.running || c.bugs.hang {
		return
	}
	if c.pending != 0 && now.Sub(c.at) > c.cfg.Timeout {
		c.restart(out)
		return
	}
	if c.pending == 0 && len(c.ready) == toySources+toyKeepers && now.Sub(c.at) > c.cfg.Interval {
		c.trigger(now, out)
	}
}

func (c *toyCoordinator) trigger(now protocol.Time, out *protocol.Effects) {
	c.head.Next++
	c.pending, c.at = c.head.Next, now
	c.acked = map[protocol.TaskID]bool{}
	c.position = make([]int64, toySources)
	out.Append(protocol.Note{Kind: protocol.NoteTriggered, Checkpoint: protocol.CheckpointID(c.pending)})
	nodes := c.nodes()
	for s := range toySources {
		out.Append(protocol.Tell{To: protocol.Address{Node: nodes[s+1], Task: protocol.TaskID(s + 1)}, Message: protocol.Trigger{Scope: c.scope(), Checkpoint: protocol.CheckpointID(c.pending)}})
	}
}

func (c *toyCoordinator) nodes() []protocol.NodeID {
	out := []protocol.NodeID{c.self.Node}
	for t := range toySources + toyKeepers {
		out = append(out, c.workers[t%len(c.workers)])
	}
	return out
}

func (c *toyCoordinator) told(now protocol.Time, ev protocol.Told, out *protocol.Effects) {
	switch g := ev.Message.(type) {
	case protocol.Pong:
		c.pong(now, ev.From.Node, g, out)
	case protocol.TaskFailed:
		if c.running && g.Scope.SameAttempt(c.scope()) {
			c.restart(out)
		}
	case protocol.Ready:
		if g.Scope.SameAttempt(c.scope()) {
			c.ready[ev.From.Task] = true
		}
	case protocol.Ack:
		c.ack(g, out)
	}
}

func (c *toyCoordinator) pong(now protocol.Time, from protocol.NodeID, g protocol.Pong, out *protocol.Effects) {
	if !c.office || !g.Scope.SameAttempt(c.scope()) {
		return
	}
	all := true
	for i, n := range c.workers {
		if n == from {
			c.heard[i] = now
			if c.running && c.lives[i] != g.Scope.Incarnation {
				out.Append(protocol.Note{Kind: protocol.NoteWorkerReborn})
				c.restart(out)
				return
			}
			c.lives[i] = g.Scope.Incarnation
		}
		all = all && c.lives[i] != 0
	}
	if all && !c.running {
		c.start(now, out)
	} else if all && !g.Running.SameAttempt(c.scope()) {
		c.startWorkers(out)
	}
}

func (c *toyCoordinator) start(now protocol.Time, out *protocol.Effects) {
	c.running, c.at = true, now
	c.ready = map[protocol.TaskID]bool{}
	c.startWorkers(out)
}

func (c *toyCoordinator) startWorkers(out *protocol.Effects) {
	nodes := c.nodes()
	for i, n := range c.workers {
		scope := c.scope()
		scope.Incarnation = c.lives[i]
		var tasks []protocol.TaskStart
		for t := 1; t < len(nodes); t++ {
			if nodes[t] != n {
				continue
			}
			s := protocol.TaskStart{Scope: scope, Task: protocol.TaskID(t), Coordinator: c.self, Nodes: nodes}
			if t <= toySources && len(c.head.Positions) > 0 {
				s.Snapshot.Positions = []protocol.Position{{Topic: toyTopic, Partition: protocol.Partition(t - 1), Next: protocol.Offset(c.head.Positions[t-1])}}
			}
			tasks = append(tasks, s)
		}
		out.Append(protocol.Tell{To: protocol.Address{Node: n, Task: protocol.WorkerTask}, Message: protocol.Start{Scope: scope, Tasks: tasks}})
	}
}

func (c *toyCoordinator) ack(g protocol.Ack, out *protocol.Effects) {
	if c.pending == 0 || !g.Scope.SameAttempt(c.scope()) || uint64(g.Checkpoint) != c.pending || c.acked[g.Snapshot.Task] {
		return
	}
	c.acked[g.Snapshot.Task] = true
	for _, p := range g.Snapshot.Positions {
		c.position[p.Partition] = int64(p.Next)
	}
	if len(c.acked) == toySources+toyKeepers {
		c.want = c.head
		c.want.Positions = c.position
		c.store(out)
	}
}

func toyConfig(seed uint64, bugs toyBugs) Config {
	pc := protocol.Defaults()
	pc.Interval, pc.Timeout, pc.IOTimeout, pc.RestartDelay = 200*protocol.Millisecond, 2*protocol.Second, protocol.Second, 100*protocol.Millisecond
	pc.Heartbeat, pc.NodeTimeout = 50*protocol.Millisecond, 400*protocol.Millisecond
	return Config{
		Seed: seed,
		Jobs: []JobSpec{{
			Protocol: pc, NewJob: func() Job { return toyJob(pc, bugs) },
			Topology: Topology{Coordinators: []protocol.NodeID{1, 2}, Workers: []protocol.NodeID{11, 12, 13}},
		}},
		Services: func(e Env) Services {
			opts := broker.Defaults()
			opts.MarkerDelay = e.MarkerDelay
			b, s := broker.New(e.Net, opts), bucket.New()
			b.CreateTopic(toyTopic, toySources)
			d := broker.NewDevice(b, e.Net, broker.Client{Timeout: pc.IOTimeout, Request: 300 * protocol.Millisecond, Backoff: 20 * protocol.Millisecond, Poll: 100 * protocol.Millisecond, Pool: e.Pool})
			return Services{Clients: []Clients{{Log: d, Bucket: bucket.NewDevice(s, e.Net, pc.IOTimeout), Crash: d.Crash, Object: s.Get}}, Outside: &outside{b: b, topics: []Topic{{toyTopic, toySources}}}}
		},
		Feeds: []Feed{{Topic: toyTopic, Records: 600, Start: 100, Every: 3 * protocol.Millisecond, Transactions: 100,
			Make: func(i int, s *faults.Stream) (protocol.Partition, []byte, []byte) {
				return protocol.Partition(s.Pick(toySources)), []byte{byte(s.Pick(8))}, fmt.Appendf(nil, "%d", i)
			}}},
		Readers: []Reader{{Topic: toyTopic, Every: 20 * protocol.Millisecond, Rewind: 50}},
		Profile: faults.Draw(faults.NewChoice(seed), faults.Full()),
	}
}
