package task

import (
	"weir/protocol"
	"weir/protocol/align"
	"weir/protocol/batch"
	"weir/protocol/pending"
	"weir/protocol/txn"
)

// Sink writes what its inputs bring to a topic, one transaction per checkpoint.
type Sink struct {
	base
	in      *inbox
	pool    *txn.Pool // nil until the topics are surveyed
	poolCfg txn.PoolConfig
	sealing *txn.Sealing
	ops     pending.Set[sinkOp]
	// Invariant: parts has an open batch or nil per partition of the topic; all nil right after a barrier.
	parts []*batch.Batch
	width int // partitions of the output topic
	ready bool
	// Invariant: owed are aligned checkpoints that are not acked: a flush is under way. In order.
	owed []protocol.CheckpointID
	// confirmed is the newest decided checkpoint this task knows of, sealed the newest it has said Sealed for.
	confirmed, sealed protocol.CheckpointID
}

type sinkOp struct {
	ledger, backoff bool
}

const (
	tagSurvey, tagPool, tagSealing     = 1, 2, 3
	timerPool, timerSealing            = timerRepeat + 1, timerRepeat + 2
	unackedPerCredit               int = 4 // Produce effects in flight per Data frame of credit
)

// NewSink is a sink task.
func NewSink(cfg Config) *Sink {
	s := &Sink{base: base{cfg: cfg}, ops: pending.New[sinkOp](tagSurvey, timerDeadline)}
	s.in, s.out = newInbox(&s.cfg), newOutbox(&s.cfg)
	s.sealing = txn.NewSealing(&s.cfg.Config, tagSealing, timerSealing)
	return s
}

// Step implements protocol.Machine.
func (s *Sink) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	if s.failed {
		return
	}
	switch ev := ev.(type) {
	case protocol.Started:
		s.self = ev.Self
		s.survey(now, false, out)
	case protocol.Surveyed:
		s.onSurveyed(now, ev, out)
	case protocol.Received:
		s.in.enqueue(ev.Channel, ev.Frame)
	case protocol.Resumed:
		s.onResumed(now, out)
	case protocol.Opened:
		s.onOpened(now, ev, out)
	case protocol.Produced:
		s.pool.OnProduced(now, ev)
	case protocol.Flushed:
		s.pool.OnFlushed(ev, out)
		s.maybeAck(now, out)
	case protocol.Ended:
		s.onJudged(out)(s.sealing.OnEnded(now, ev, out))
	case protocol.LedgerRead:
		s.onJudged(out)(s.sealing.OnRead(now, ev, out))
	case protocol.Woken:
		s.onWoken(now, ev.Timer, out)
	case protocol.Told:
		s.onTold(now, ev.Message, out)
	case protocol.Lost:
		s.failf(protocol.FailService, out, "channel %d broke", ev.Channel)
	}
	s.proceed(now, out)
}

// Pending implements protocol.Machine.
func (s *Sink) Pending() []protocol.Wait {
	list := s.sealing.Pending(s.ops.Append(nil))
	if s.pool != nil {
		list = s.pool.Pending(list)
	}
	return list
}

func (s *Sink) proceed(now protocol.Time, out *protocol.Effects) {
	if s.failed {
		return
	}
	s.ops.Arm(out)
	s.sealing.Arm(out)
	if s.pool == nil {
		return
	}
	s.pool.Advance(now, out)
	if why, service := s.pool.Broken(); why != "" {
		kind := protocol.FailState
		if service {
			kind = protocol.FailService
		}
		s.failf(kind, out, "%s", why)
		return
	}
	s.resume(s.flowing(), out)
	s.pool.Arm(out)
}

// flowing reports whether the next frame can be taken now. Records need a slot to fill and room in flight; a barrier
// needs neither, so that a checkpoint which makes slots free is not held up by the want of one.
func (s *Sink) flowing() bool {
	if !s.ready {
		return false
	}
	f := s.in.head()
	if _, data := f.(protocol.Data); data {
		return s.pool.Ready() && s.pool.Unacked() < s.cfg.Credit*unackedPerCredit
	}
	return f != nil && !s.pool.Flushing()
}

// survey learns the partitions of the output topic, then of the ledger.
func (s *Sink) survey(now protocol.Time, ledger bool, out *protocol.Effects) {
	topic := s.cfg.Topic
	if ledger {
		topic = s.cfg.Ledger
	}
	op := s.ops.Add("survey of "+topic, now.Add(s.cfg.IOTimeout), sinkOp{ledger: ledger})
	out.Append(protocol.Survey{Op: op, Topic: topic})
}

func (s *Sink) onSurveyed(now protocol.Time, ev protocol.Surveyed, out *protocol.Effects) {
	op, ok := s.ops.Take(ev.Op)
	if !ok {
		return
	}
	switch {
	case ev.Outcome == protocol.NotFound || ev.Outcome == protocol.Denied || ev.Outcome == protocol.OK && len(ev.Ranges) == 0:
		s.failf(protocol.FailState, out, "topic %q or its ledger %q: %s; create it, or grant this job its rights", s.cfg.Topic, s.cfg.Ledger, ev.Outcome)
	case ev.Outcome != protocol.OK:
		s.ops.Add("back-off of survey", now.Add(s.cfg.RetryDelay), sinkOp{ledger: op.ledger, backoff: true})
	case !op.ledger:
		s.width = len(ev.Ranges)
		s.parts = make([]*batch.Batch, s.width)
		s.survey(now, true, out)
	case s.cfg.Index >= len(ev.Ranges):
		s.failf(protocol.FailState, out, "ledger topic %q has %d partitions, the sink runs %d tasks: grow it", s.cfg.Ledger, len(ev.Ranges), s.cfg.Width)
	default:
		s.openPool(ev.TopicID)
	}
}

func (s *Sink) openPool(ledger protocol.TopicID) {
	s.poolCfg = txn.PoolConfig{Config: s.cfg.Config, Scope: s.scope(), Sink: s.cfg.Stage, Index: s.cfg.Index, Task: s.cfg.Start.Task, Topic: s.cfg.Topic,
		Ledger: protocol.LedgerRef{Topic: s.cfg.Ledger, TopicID: ledger, Partition: protocol.Partition(s.cfg.Index)}}
	s.pool = txn.NewPool(&s.poolCfg, tagPool, timerPool)
}

// onOpened makes the task ready with its first open slot.
func (s *Sink) onOpened(now protocol.Time, ev protocol.Opened, out *protocol.Effects) {
	s.pool.OnOpened(ev, out)
	if s.ready || !s.pool.Ready() {
		return
	}
	s.ready = true
	out.Append(protocol.Note{Kind: protocol.NoteRestored, Checkpoint: s.cfg.Start.Restored})
	s.in.open(s.cfg.Credit, out)
	s.repeat(protocol.Ready{Scope: s.scope()}, now, out)
}

func (s *Sink) onResumed(now protocol.Time, out *protocol.Effects) {
	s.resuming = false
	if !s.flowing() {
		return
	}
	in, f, ok := s.in.pop()
	if !ok {
		return
	}
	switch f := f.(type) {
	case protocol.Data:
		s.write(now, f.Batch, out)
		out.Append(protocol.Release{Batch: f.Batch})
		out.Append(s.in.inputs[in].one)
	case protocol.Barrier:
		if s.in.onBarrier(in, f.Checkpoint, out) {
			s.onAligned(now, f.Checkpoint, out)
		}
	case protocol.End:
		if id := s.in.gate.Current(); s.in.gate.End(in) == align.Aligned {
			s.onAligned(now, id, out)
		}
	}
}

// write splits a frame by output partition and hands each part to the transaction.
func (s *Sink) write(now protocol.Time, b *batch.Batch, out *protocol.Effects) {
	for i := range b.Len() {
		r := b.Record(i)
		at := int(r.Hash % uint32(s.width))
		if s.parts[at] == nil {
			s.parts[at] = s.cfg.Pool.Get()
		}
		s.parts[at].Append(b.Key(i), b.Value(i), r)
	}
	for at, part := range s.parts {
		if part != nil {
			s.parts[at] = nil
			s.pool.Produce(now, protocol.Partition(at), part, out)
		}
	}
}

// onAligned flushes the transaction; the ack follows when every one up to this barrier is flushed.
func (s *Sink) onAligned(now protocol.Time, id protocol.CheckpointID, out *protocol.Effects) {
	s.silence()
	s.acks.seen = max(s.acks.seen, id)
	out.Append(protocol.Note{Kind: protocol.NoteAligned, Checkpoint: id})
	if s.pool.Filling() {
		s.pool.Prepare(now, id, s.cfg.Pool.Get(), out)
	}
	s.owed = append(s.owed, id)
	s.maybeAck(now, out)
}

// maybeAck acks the aligned checkpoints whose transactions are all prepared. Each ack lists every transaction that is
// not known to be durably sealed, also of aborted checkpoints: recovery needs the newest manifest only.
func (s *Sink) maybeAck(now protocol.Time, out *protocol.Effects) {
	for len(s.owed) > 0 && s.pool.Flushed(s.owed[0]) {
		id := s.owed[0]
		s.owed = s.owed[1:]
		s.acks.remember(protocol.Ack{Scope: s.scope(), Checkpoint: id,
			Snapshot: protocol.Snapshot{Task: s.cfg.Start.Task, Committables: s.pool.Committables(id)}})
		s.sendAck(now, id, out)
	}
}

func (s *Sink) sendAck(now protocol.Time, id protocol.CheckpointID, out *protocol.Effects) bool {
	ack := s.acks.find(id)
	if ack == nil {
		return false
	}
	aged := *ack
	aged.Snapshot.Committables = s.pool.Age(now, ack.Snapshot.Committables)
	s.tell(aged, out)
	return true
}

func (s *Sink) onWoken(now protocol.Time, timer protocol.TimerID, out *protocol.Effects) {
	switch timer {
	case timerRepeat:
		s.onRepeat(now, out)
	case timerPool:
		s.pool.OnDeadline(now, out)
	case timerSealing:
		s.sealing.OnDeadline(now, out)
	case timerDeadline:
		s.ops.Woken()
		for op, ok := s.ops.Expired(now); ok; op, ok = s.ops.Expired(now) {
			s.survey(now, op.ledger, out)
		}
	}
}

func (s *Sink) onTold(now protocol.Time, m protocol.Message, out *protocol.Effects) {
	switch m := m.(type) {
	case protocol.Trigger:
		if s.mine(m.Scope, out) && s.sendAck(now, m.Checkpoint, out) {
			out.Append(protocol.Note{Kind: protocol.NoteRepeated, Checkpoint: m.Checkpoint})
		}
	case protocol.Abort:
		if s.mine(m.Scope, out) {
			s.onAbort(m, out)
		}
	case protocol.Confirm:
		if s.mine(m.Scope, out) {
			s.onConfirm(now, m.Checkpoint, out)
		}
	case protocol.Settled:
		if s.mine(m.Scope, out) && s.pool != nil {
			s.pool.Settle(m.Checkpoint)
		}
	}
}

// onAbort forgets the checkpoint, never its transaction: the next decided checkpoint commits it too.
func (s *Sink) onAbort(m protocol.Abort, out *protocol.Effects) {
	if s.in.gate.Cancel(m.Checkpoint) {
		out.Append(protocol.Note{Kind: protocol.NoteCancelled, Checkpoint: m.Checkpoint})
	}
	s.acks.seen = max(s.acks.seen, m.Checkpoint)
	s.over(m.Checkpoint)
	s.tell(protocol.Aborted{Scope: s.scope(), Checkpoint: m.Checkpoint}, out)
}

// over drops the acks of checkpoints up to id.
func (s *Sink) over(id protocol.CheckpointID) {
	s.acks.forget(id)
	for len(s.owed) > 0 && s.owed[0] <= id {
		s.owed = s.owed[1:]
	}
}

// onConfirm commits everything prepared up to the decided checkpoint.
func (s *Sink) onConfirm(now protocol.Time, id protocol.CheckpointID, out *protocol.Effects) {
	if id > s.confirmed {
		s.over(id)
		for _, c := range s.pool.Unsealed(id) {
			if c.Checkpoint > s.confirmed {
				s.sealing.Commit(now, c, out)
			}
		}
		s.confirmed = id
	}
	s.maybeSealed(out)
}

// maybeSealed says Sealed when every transaction up to the newest decision has been read back, and again when asked again.
func (s *Sink) maybeSealed(out *protocol.Effects) {
	if s.confirmed != 0 && s.sealing.Open(s.confirmed) == 0 {
		s.sealed = s.confirmed
		s.tell(protocol.Sealed{Scope: s.scope(), Checkpoint: s.sealed}, out)
	}
}

// onJudged acts on the verdict on a committed transaction. Only recovery may say that one is lost: it reads the
// ledger after everything that could still change is fenced.
func (s *Sink) onJudged(out *protocol.Effects) func(txn.Judged, bool) {
	return func(j txn.Judged, ok bool) {
		if !ok {
			return
		}
		c := j.Committable
		switch j.Verdict {
		case txn.Present:
			s.pool.Sealed(c.ID)
			s.maybeSealed(out)
		case txn.Absent:
			s.failf(protocol.FailService, out, "transaction %q of checkpoint %d is decided and its ledger record is not at offset %d: recovery judges", c.ID, c.Checkpoint, c.Ledger.Offset)
		case txn.Denied:
			s.failf(protocol.FailState, out, "transaction %q of checkpoint %d: the broker denies the commit; grant this job Write on its transactional ids", c.ID, c.Checkpoint)
		}
	}
}
