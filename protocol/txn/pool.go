package txn

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/pending"
)

// Pool is the slots of one sink task in one attempt.
type Pool struct {
	cfg   *PoolConfig
	slots []*slot
	ops   pending.Set[poolOp]
	// Invariant: filling is the slot whose transaction takes records, or nil.
	filling *slot
	// Invariant: unacked counts Produce effects without Produced, over all slots.
	unacked int
	broken  string // why the region must restart; "" while all is well
	service bool   // broken because the service was away
}

// PoolConfig is what makes a pool.
type PoolConfig struct {
	protocol.Config
	Scope  protocol.Scope
	Sink   string
	Index  int // of the sink task
	Task   protocol.TaskID
	Topic  string
	Ledger protocol.LedgerRef // of this task; its offset is not used
}

type slotState uint8

const (
	slotIdle slotState = iota
	slotOpening
	slotOpen
	slotFilling
	slotFlushing
	slotPrepared
	slotSealed
	slotAbandoned
)

// slot is one transactional id.
type slot struct {
	id    protocol.TransactionalID
	state slotState
	seq   uint64
	// Invariant: unacked counts this slot's Produce effects without Produced; zero when it is prepared.
	unacked int
	first   protocol.Time // when the first record was handed over
	ledger  uint64        // Seq of the ledger record's Produce
	c       protocol.Committable
}

type poolOp struct {
	kind poolOpKind
	slot *slot
}

type poolOpKind uint8

const (
	opOpen   poolOpKind = 1 + iota
	opAnswer            // of the slot's oldest Produce
	opFlush
	opAge // the transaction must be sealed before it is too old
)

// NewPool makes a pool whose slots are idle.
func NewPool(cfg *PoolConfig, tag uint8, timer protocol.TimerID) *Pool {
	p := &Pool{cfg: cfg, ops: pending.New[poolOp](tag, timer)}
	for i := range cfg.PoolSize() {
		n := SlotName{Job: cfg.Scope.Job, Sink: cfg.Sink, Index: cfg.Index, Epoch: cfg.Scope.Epoch, Attempt: cfg.Scope.Attempt, Slot: i}
		p.slots = append(p.slots, &slot{id: n.ID()})
	}
	return p
}

// Broken says why the region must restart, or "", and whether a service that was away is the reason.
func (p *Pool) Broken() (why string, service bool) { return p.broken, p.service }

func (p *Pool) breakf(service bool, format string, args ...any) {
	if p.broken == "" {
		p.broken, p.service = fmt.Sprintf(format, args...), service
	}
}

// Ready reports whether records can be produced now.
//
// While a transaction is being flushed the next one takes no record, or the log's order would break:
//
//  1. a record of key k is handed to the transaction of checkpoint n, and its request is lost on the wire;
//  2. the barrier of n comes, then another record of k, to the transaction of n+1, which arrives at once;
//  3. the client sends the first request again: it is appended behind the second, and both transactions commit.
func (p *Pool) Ready() bool {
	return p.filling != nil || p.find(slotOpen) != nil && !p.Flushing()
}

// Flushing reports whether a transaction is being flushed.
func (p *Pool) Flushing() bool { return p.find(slotFlushing) != nil }

// Unacked is the number of Produce effects that are not answered.
func (p *Pool) Unacked() int { return p.unacked }

func (p *Pool) find(state slotState) *slot {
	for _, s := range p.slots {
		if s.state == state {
			return s
		}
	}
	return nil
}

// Advance opens one slot ahead of need: one that is open beside the one that is filling.
func (p *Pool) Advance(now protocol.Time, out *protocol.Effects) {
	if p.find(slotOpen) != nil || p.find(slotOpening) != nil {
		return
	}
	s := p.find(slotIdle)
	if s == nil {
		return
	}
	s.state = slotOpening
	op := p.ops.Add("opening of "+string(s.id), now.Add(p.cfg.IOTimeout), poolOp{opOpen, s})
	out.Append(protocol.OpenSlot{Op: op, ID: s.id, Timeout: p.cfg.TxnTimeout, Topics: []string{p.cfg.Topic, p.cfg.Ledger.Topic}})
}

// OnOpened takes the answer to OpenSlot. Unknown may have fenced and may fence later: the id is not used again.
func (p *Pool) OnOpened(ev protocol.Opened, out *protocol.Effects) {
	op, ok := p.ops.Take(ev.Op)
	if !ok {
		return
	}
	s := op.slot
	switch ev.Outcome {
	case protocol.OK:
		*s = slot{id: s.id, state: slotOpen, c: protocol.Committable{ID: s.id, Producer: ev.Producer, Version: ev.Version, Scope: p.cfg.Scope,
			Sink: p.cfg.Sink, Task: p.cfg.Task, Ledger: p.cfg.Ledger, Timeout: p.cfg.TxnTimeout}}
		out.Append(protocol.Note{Kind: protocol.NoteSlotOpened, Detail: string(s.id)})
	case protocol.Denied:
		p.breakf(false, "transactional id %q: the broker denies it; grant Write and Describe on the prefix %q", s.id, Prefix(p.cfg.Scope.Job))
	default:
		p.abandon(s, out)
	}
}

func (p *Pool) abandon(s *slot, out *protocol.Effects) {
	s.state = slotAbandoned
	out.Append(protocol.Note{Kind: protocol.NoteSlotAbandoned, Detail: string(s.id)})
	usable := 0
	for _, s := range p.slots {
		if s.state != slotAbandoned {
			usable++
		}
	}
	if usable < max(leastSlots, len(p.slots)-1) {
		p.breakf(true, "%d of %d transactional ids are abandoned, the broker did not answer InitProducerID: a new attempt has new ones", len(p.slots)-usable, len(p.slots))
	}
}

// leastSlots are needed to go on: one that is filled, one that is flushed or not sealed, one whose seal is not durable.
//
// More are, if checkpoints may fail. The coordinator triggers as long as at most all slots but one are in use, counted
// from the config: were there fewer, records would wait for a slot, the barrier behind them, and the seal that makes
// slots free for the next decision, which waits for the barrier; until the checkpoint times out.
const leastSlots = 3

// Produce hands records of one partition to the transaction; it must be Ready.
func (p *Pool) Produce(now protocol.Time, part protocol.Partition, b *batch.Batch, out *protocol.Effects) {
	if p.filling == nil {
		p.fill(now)
	}
	c := &p.filling.c
	for i := range b.Len() {
		c.Count++
		c.Digest = digest(c.Digest, b.Key(i), b.Value(i))
	}
	c.Partitions = insert(c.Partitions, part)
	p.send(now, p.filling, p.cfg.Topic, part, b, out)
}

func (p *Pool) fill(now protocol.Time) {
	s := p.find(slotOpen)
	protocol.Assert(s != nil, "a record without an open slot")
	s.state, s.first, p.filling = slotFilling, now, s
	p.ops.Add("seal of "+string(s.id), now.Add(p.cfg.TxnTimeout/2), poolOp{opAge, s})
}

func (p *Pool) send(now protocol.Time, s *slot, topic string, part protocol.Partition, b *batch.Batch, out *protocol.Effects) {
	s.seq++
	if s.unacked == 0 {
		p.ops.Add("answers of "+string(s.id), now.Add(p.cfg.IOTimeout), poolOp{opAnswer, s})
	}
	s.unacked++
	p.unacked++
	out.Append(protocol.Produce{ID: s.id, Seq: s.seq, Topic: topic, Partition: part, Batch: b})
}

// Prepare ends the transaction at the barrier of checkpoint id: the ledger record, then the flush. A task without
// output since the last barrier has nothing to prepare.
func (p *Pool) Prepare(now protocol.Time, id protocol.CheckpointID, ledger *batch.Batch, out *protocol.Effects) {
	s := p.filling
	p.filling = nil
	s.c.Checkpoint, s.state = id, slotFlushing
	ledger.Append(LedgerKey(s.c), EncodeLedger(Proof(s.c)), batch.Record{Offset: -1})
	s.ledger = s.seq + 1
	p.send(now, s, p.cfg.Ledger.Topic, p.cfg.Ledger.Partition, ledger, out)
	deadline := now.Add(p.cfg.IOTimeout)
	op := p.ops.Add("flush of "+string(s.id), deadline+1, poolOp{opFlush, s})
	out.Append(protocol.Flush{Op: op, ID: s.id, Deadline: deadline})
}

// Filling reports whether records have been handed over since the last barrier.
func (p *Pool) Filling() bool { return p.filling != nil }

// OnProduced takes the answer to Produce. Anything but OK kills the slot, and with it the attempt.
func (p *Pool) OnProduced(now protocol.Time, ev protocol.Produced) {
	s := p.slot(ev.ID)
	if s == nil || s.unacked == 0 || s.state != slotFilling && s.state != slotFlushing {
		return
	}
	if ev.Outcome != protocol.OK {
		p.refused(s, ev)
		return
	}
	if s.state == slotFlushing && ev.Seq == s.ledger {
		s.c.Ledger.Offset = ev.Offset
	}
	s.unacked--
	p.unacked--
	p.forget(s, opAnswer)
	if s.unacked > 0 {
		p.ops.Add("answers of "+string(s.id), now.Add(p.cfg.IOTimeout), poolOp{opAnswer, s})
	}
}

// refused breaks the pool. A refusal comes again at every try, so that it counts against the restart limit.
func (p *Pool) refused(s *slot, ev protocol.Produced) {
	if ev.Outcome == protocol.Denied {
		p.breakf(false, "transaction %q: the broker refuses records for topic %q or its ledger: they are larger than its max.message.bytes, or this job may not write there (the log has the cause)", s.id, p.cfg.Topic)
		return
	}
	p.breakf(true, "transaction %q: a record was not acknowledged: %s", s.id, ev.Outcome)
}

func (p *Pool) slot(id protocol.TransactionalID) *slot {
	for _, s := range p.slots {
		if s.id == id {
			return s
		}
	}
	return nil
}

// forget ends what is pending of one kind for a slot.
func (p *Pool) forget(s *slot, kind poolOpKind) {
	p.ops.Drop(func(op poolOp) bool { return op.slot == s && op.kind == kind })
}

// OnFlushed takes the answer to Flush: the transaction is prepared, or the attempt is over.
func (p *Pool) OnFlushed(ev protocol.Flushed, out *protocol.Effects) {
	op, ok := p.ops.Take(ev.Op)
	if !ok {
		return
	}
	s := op.slot
	if ev.Outcome != protocol.OK || s.unacked > 0 {
		p.breakf(true, "transaction %q: flush: %s, %d records not acknowledged", s.id, ev.Outcome, s.unacked)
		return
	}
	s.state = slotPrepared
	out.Append(protocol.Note{Kind: protocol.NotePrepared, Checkpoint: s.c.Checkpoint, Detail: string(s.id)})
}

// Flushed reports whether every transaction up to checkpoint id is prepared: only then can id be acked.
func (p *Pool) Flushed(id protocol.CheckpointID) bool {
	for _, s := range p.slots {
		if s.state == slotFlushing && s.c.Checkpoint <= id {
			return false
		}
	}
	return true
}

// Committables lists every prepared transaction up to checkpoint id that is not known to be durably sealed.
func (p *Pool) Committables(id protocol.CheckpointID) []protocol.Committable {
	var list []protocol.Committable
	for _, s := range p.slots {
		if (s.state == slotPrepared || s.state == slotSealed) && s.c.Checkpoint <= id {
			list = append(list, s.c)
		}
	}
	return list
}

// Unsealed lists the prepared transactions up to checkpoint id that were not read back.
func (p *Pool) Unsealed(id protocol.CheckpointID) []protocol.Committable {
	var list []protocol.Committable
	for _, s := range p.slots {
		if s.state == slotPrepared && s.c.Checkpoint <= id {
			list = append(list, s.c)
		}
	}
	return list
}

// Age fills in how old each transaction is now: clocks of machines are never compared, durations travel.
func (p *Pool) Age(now protocol.Time, list []protocol.Committable) []protocol.Committable {
	aged := append([]protocol.Committable(nil), list...)
	for i := range aged {
		if s := p.slot(aged[i].ID); s != nil && s.c.Checkpoint == aged[i].Checkpoint {
			aged[i].Age = now.Sub(s.first)
		}
	}
	return aged
}

// Sealed marks a transaction as read back.
func (p *Pool) Sealed(id protocol.TransactionalID) {
	if s := p.slot(id); s != nil && s.state == slotPrepared {
		s.state = slotSealed
		p.forget(s, opAge)
	}
}

// Settle frees the slots of sealed transactions up to checkpoint id: the seal is durable.
func (p *Pool) Settle(id protocol.CheckpointID) {
	for _, s := range p.slots {
		if s.state == slotSealed && s.c.Checkpoint <= id {
			s.state = slotIdle
		}
	}
}

// OnDeadline ends what was not answered in time.
func (p *Pool) OnDeadline(now protocol.Time, out *protocol.Effects) {
	p.ops.Woken()
	for op, ok := p.ops.Expired(now); ok; op, ok = p.ops.Expired(now) {
		out.Append(protocol.Note{Kind: protocol.NoteDeadline, Detail: string(op.slot.id)})
		switch op.kind {
		case opOpen:
			p.abandon(op.slot, out)
		case opAnswer:
			p.breakf(true, "transaction %q: records were not acknowledged in %d ms", op.slot.id, p.cfg.IOTimeout/protocol.Millisecond)
		case opFlush:
			p.breakf(true, "transaction %q: the flush was not answered in %d ms", op.slot.id, p.cfg.IOTimeout/protocol.Millisecond)
		case opAge:
			p.breakf(true, "transaction %q is half as old as its timeout %d ms and not sealed", op.slot.id, p.cfg.TxnTimeout/protocol.Millisecond)
		}
	}
}

// Arm sets the timer; call it at the end of a step.
func (p *Pool) Arm(out *protocol.Effects) { p.ops.Arm(out) }

// Pending appends what is waited for.
func (p *Pool) Pending(list []protocol.Wait) []protocol.Wait { return p.ops.Append(list) }

// digest folds a record into h: FNV-1a over lengths and bytes.
func digest(h uint64, key, value []byte) uint64 {
	for _, field := range [2][]byte{key, value} {
		h = (h ^ uint64(len(field)+1)) * 1099511628211
		for _, c := range field {
			h = (h ^ uint64(c)) * 1099511628211
		}
	}
	return h
}

// insert keeps list sorted and without doubles.
func insert(list []protocol.Partition, p protocol.Partition) []protocol.Partition {
	at := 0
	for at < len(list) && list[at] < p {
		at++
	}
	if at < len(list) && list[at] == p {
		return list
	}
	list = append(list, 0)
	copy(list[at+1:], list[at:])
	list[at] = p
	return list
}
