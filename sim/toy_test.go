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

type toyWorker struct {
	self    protocol.Address
	inc     protocol.Incarnation
	running protocol.Scope
	failed  *protocol.TaskFailed
}

func (*toyWorker) Pending() []protocol.Wait { return nil }

func (m *toyWorker) Step(_ protocol.Time, ev protocol.Event, out *protocol.Effects) {
	switch ev := ev.(type) {
	case protocol.Started:
		m.self, m.inc = ev.Self, ev.Incarnation
	case protocol.Died:
		m.failed = &protocol.TaskFailed{Scope: ev.Scope, Task: ev.Task, Failure: ev.Failure}
	case protocol.Told:
		switch g := ev.Message.(type) {
		case protocol.Ping:
			g.Scope.Incarnation = m.inc
			out.Append(protocol.Tell{To: ev.From, Message: protocol.Pong{Scope: g.Scope, Running: m.running}})
			if m.failed != nil {
				out.Append(protocol.Tell{To: ev.From, Message: *m.failed})
			}
		case protocol.Start:
			if g.Scope.Incarnation != m.inc || !m.running.Older(g.Scope) {
				return
			}
			m.running, m.failed = g.Scope, nil
			out.Append(protocol.Halt{})
			for _, s := range g.Tasks {
				out.Append(protocol.Spawn{Start: s})
			}
		}
	}
}

type toySource struct {
	start   protocol.TaskStart
	pool    batch.Pool
	bugs    toyBugs
	next    protocol.Offset
	topicID protocol.TopicID
	credit  [toyKeepers]int
	buffer  *batch.Batch
	asking  bool
	acks    []protocol.Ack
	seen    protocol.CheckpointID
	op      protocol.OpID
	trig    bool
}

func (*toySource) Pending() []protocol.Wait { return nil }

func (m *toySource) channel(k int) protocol.ChannelID {
	return protocol.ChannelID(1 + (int(m.start.Task)-1)*toyKeepers + k)
}

func (m *toySource) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	switch ev := ev.(type) {
	case protocol.Started:
		for _, p := range m.start.Snapshot.Positions {
			m.next = p.Next
		}
		for k := range m.credit {
			m.credit[k] = 4
		}
		out.Append(protocol.Survey{Op: 1, Topic: toyTopic})
		out.Append(protocol.Wake{Timer: 1, At: now.Add(50 * protocol.Millisecond)})
	case protocol.Surveyed:
		if ev.Outcome != protocol.OK {
			out.Append(protocol.Survey{Op: 1, Topic: toyTopic})
			return
		}
		m.topicID = ev.TopicID
		m.fetch(out)
	case protocol.Woken:
		if !m.trig {
			out.Append(protocol.Tell{To: m.start.Coordinator, Message: protocol.Ready{Scope: m.start.Scope}})
		}
		for _, a := range m.acks {
			out.Append(protocol.Tell{To: m.start.Coordinator, Message: a})
		}
		out.Append(protocol.Wake{Timer: 1, At: now.Add(50 * protocol.Millisecond)})
	case protocol.Fetched:
		m.fetched(ev, out)
	case protocol.Granted:
		m.credit[(int(ev.Channel)-1)%toyKeepers] += ev.N
		m.flush(out)
	case protocol.Lost:
		out.Append(protocol.Fail{Failure: protocol.Failure{Kind: protocol.FailService, Text: "channel lost"}})
	case protocol.Told:
		if g, ok := ev.Message.(protocol.Trigger); ok && g.Scope.SameAttempt(m.start.Scope) && g.Checkpoint > m.seen {
			m.barrier(g.Checkpoint, out)
		}
	}
}

func (m *toySource) fetch(out *protocol.Effects) {
	if m.asking || m.buffer != nil {
		return
	}
	m.asking = true
	m.op++
	out.Append(protocol.Fetch{Op: m.op, Topic: toyTopic, TopicID: m.topicID, Partition: protocol.Partition(m.start.Task - 1), From: m.next, Max: 16})
}

func (m *toySource) fetched(ev protocol.Fetched, out *protocol.Effects) {
	m.asking = false
	if ev.Outcome == protocol.OK {
		m.next = ev.Next
		m.buffer = ev.Batch
	}
	m.flush(out)
}

// flush shuffles the buffer by key.
func (m *toySource) flush(out *protocol.Effects) {
	if m.buffer != nil {
		for k := range m.credit {
			if m.credit[k] == 0 {
				return
			}
		}
		m.spill(out)
	}
	m.fetch(out)
}

func (m *toySource) spill(out *protocol.Effects) {
	for k := range m.credit {
		b := m.pool.Get()
		for i := range m.buffer.Len() {
			if int(m.buffer.Key(i)[0])%toyKeepers == k {
				b.Append(m.buffer.Key(i), m.buffer.Value(i), m.buffer.Record(i))
			}
		}
		m.credit[k]--
		out.Append(protocol.Send{Channel: m.channel(k), Frame: protocol.Data{Batch: b}})
	}
	out.Append(protocol.Release{Batch: m.buffer})
	m.buffer = nil
}

func (m *toySource) barrier(n protocol.CheckpointID, out *protocol.Effects) {
	m.seen, m.trig = n, true
	if m.buffer != nil && !m.bugs.early {
		m.spill(out) // may overdraw credit, which the world does not mind
	}
	for k := range m.credit {
		out.Append(protocol.Send{Channel: m.channel(k), Frame: protocol.Barrier{Checkpoint: n}})
	}
	out.Append(protocol.Note{Kind: protocol.NoteFrozen, Checkpoint: n})
	ack := protocol.Ack{Scope: m.start.Scope, Checkpoint: n, Snapshot: protocol.Snapshot{Task: m.start.Task, Positions: []protocol.Position{
		{Topic: toyTopic, Partition: protocol.Partition(m.start.Task - 1), Next: m.next, End: -1}}}}
	m.acks = []protocol.Ack{ack}
	out.Append(protocol.Tell{To: m.start.Coordinator, Message: ack})
	m.fetch(out)
}

type toyFrame struct {
	ch protocol.ChannelID
	f  protocol.Frame
}

type toyKeeper struct {
	start  protocol.TaskStart
	bugs   toyBugs
	queue  []toyFrame
	held   map[protocol.ChannelID]bool
	n      protocol.CheckpointID
	sum    uint64
	alias  []byte
	acks   []protocol.Ack
	caught bool
}

func (*toyKeeper) Pending() []protocol.Wait { return nil }

func (m *toyKeeper) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	switch ev := ev.(type) {
	case protocol.Started:
		m.held = map[protocol.ChannelID]bool{}
		out.Append(protocol.Wake{Timer: 1, At: now.Add(50 * protocol.Millisecond)})
	case protocol.Woken:
		out.Append(protocol.Tell{To: m.start.Coordinator, Message: protocol.Ready{Scope: m.start.Scope}})
		for _, a := range m.acks {
			out.Append(protocol.Tell{To: m.start.Coordinator, Message: a})
		}
		out.Append(protocol.Wake{Timer: 1, At: now.Add(50 * protocol.Millisecond)})
	case protocol.Received:
		m.queue = append(m.queue, toyFrame{ev.Channel, ev.Frame})
		out.Append(protocol.Resume{})
	case protocol.Resumed:
		m.resume(out)
	case protocol.Lost:
		out.Append(protocol.Fail{Failure: protocol.Failure{Kind: protocol.FailService, Text: "channel lost"}})
	}
}

func (m *toyKeeper) resume(out *protocol.Effects) {
	for i, q := range m.queue {
		if m.held[q.ch] && !m.bugs.noAlign {
			continue
		}
		m.queue = append(m.queue[:i:i], m.queue[i+1:]...)
		switch f := q.f.(type) {
		case protocol.Data:
			m.process(q.ch, f.Batch, out)
		case protocol.Barrier:
			m.aligned(q.ch, f.Checkpoint, out)
		}
		return
	}
}

func (m *toyKeeper) process(ch protocol.ChannelID, b *batch.Batch, out *protocol.Effects) {
	if m.bugs.impure != nil {
		m.sum += m.bugs.impure()
	}
	for i := range b.Len() {
		m.sum += uint64(b.Value(i)[0])
	}
	if m.bugs.keepAlias && b.Len() > 0 {
		if m.alias != nil && m.alias[0] == 0xDB {
			m.caught = true
		}
		m.alias = b.Value(0)
	}
	out.Append(protocol.Release{Batch: b})
	out.Append(protocol.Grant{Channel: ch, N: 1})
	if m.caught {
		out.Append(protocol.Note{Kind: "alias scribbled"})
	}
}

func (m *toyKeeper) aligned(ch protocol.ChannelID, n protocol.CheckpointID, out *protocol.Effects) {
	if n != m.n {
		m.n, m.held = n, map[protocol.ChannelID]bool{}
	}
	m.held[ch] = true
	if len(m.held) < toySources {
		return
	}
	m.held = map[protocol.ChannelID]bool{}
	out.Append(protocol.Note{Kind: protocol.NoteFrozen, Checkpoint: n, Detail: fmt.Sprint(m.sum)})
	ack := protocol.Ack{Scope: m.start.Scope, Checkpoint: n, Snapshot: protocol.Snapshot{Task: m.start.Task}}
	m.acks = []protocol.Ack{ack}
	out.Append(protocol.Tell{To: m.start.Coordinator, Message: ack})
	for range m.queue {
		out.Append(protocol.Resume{})
	}
}

// toyLog is the virtual broker as the toy's outside.
type toyLog struct{ b *broker.Broker }

func (l toyLog) Append(topic string, p protocol.Partition, fate Fate, entries []Entry) protocol.Offset {
	kvs := make([]broker.KV, len(entries))
	for i, e := range entries {
		kvs[i] = broker.KV{Key: e.Key, Value: e.Value}
	}
	if fate == Aborted {
		return l.b.FeedAborted(topic, p, kvs)
	}
	return l.b.Feed(topic, p, kvs)
}

func (l toyLog) Read(topic string, p protocol.Partition, from protocol.Offset, limit int) ([]Entry, protocol.Offset) {
	recs, next := l.b.ReadCommitted(topic, p, from, limit)
	var out []Entry
	for _, r := range recs {
		out = append(out, Entry{r.Offset, r.Key, r.Value})
	}
	return out, next
}

func (l toyLog) Range(topic string, p protocol.Partition) protocol.Range {
	start, stable, _ := l.b.Offsets(topic, p)
	return protocol.Range{Start: start, End: stable}
}

func (toyLog) Partitions(string) int { return toySources }

func toyConfig(seed uint64, bugs toyBugs) Config {
	pc := protocol.Defaults()
	pc.Interval, pc.Timeout, pc.IOTimeout, pc.RestartDelay = 200*protocol.Millisecond, 2*protocol.Second, protocol.Second, 100*protocol.Millisecond
	pc.Heartbeat, pc.NodeTimeout = 50*protocol.Millisecond, 400*protocol.Millisecond
	return Config{
		Seed: seed, Protocol: pc,
		Topology: Topology{Coordinators: []protocol.NodeID{1, 2}, Workers: []protocol.NodeID{11, 12, 13}},
		NewJob:   func() Job { return toyJob(pc, bugs) },
		Services: func(e Env) Services {
			opts := broker.Defaults()
			opts.MarkerDelay = e.MarkerDelay
			b, s := broker.New(e.Net, opts), bucket.New()
			b.CreateTopic(toyTopic, toySources)
			d := broker.NewDevice(b, e.Net, broker.Client{Timeout: pc.IOTimeout, Request: 300 * protocol.Millisecond, Backoff: 20 * protocol.Millisecond, Poll: 100 * protocol.Millisecond, Pool: e.Pool})
			return Services{Log: d, Bucket: bucket.NewDevice(s, e.Net, pc.IOTimeout), Crash: d.Crash, Outside: toyLog{b}, Object: s.Get}
		},
		Feeds: []Feed{{Topic: toyTopic, Records: 2000, Start: 100, Every: protocol.Millisecond, Transactions: 100,
			Make: func(i int, s *faults.Stream) (protocol.Partition, []byte, []byte) {
				return protocol.Partition(s.Pick(toySources)), []byte{byte(s.Pick(8))}, fmt.Appendf(nil, "%d", i)
			}}},
		Readers: []Reader{{Topic: toyTopic, Every: 20 * protocol.Millisecond, Rewind: 50}},
		Profile: faults.Draw(faults.NewChoice(seed), faults.Full()),
	}
}
