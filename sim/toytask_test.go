package sim

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/batch"
)

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
