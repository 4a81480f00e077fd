package sim

import (
	"weir/faults"
	"weir/protocol"
	"weir/protocol/batch"
)

// perform does one effect of m. It steps no machine: whatever comes of the effect is pushed.
func (w *World) perform(m *machine, ef protocol.Effect) {
	switch ef := ef.(type) {
	case protocol.Resume:
		w.queue.push(w.now+protocol.Time(w.schedule.Between(1, 20_000)), item{kind: itResume, m: m})
	case protocol.Wake:
		w.wake(m, ef)
	case protocol.Send:
		w.send(m, ef)
	case protocol.Grant:
		w.grant(m, ef)
	case protocol.Release:
		w.giveBack(m, ef.Batch)
	case protocol.Tell:
		w.watchTell(m, ef)
		w.tell(m, ef)
	case protocol.Note:
		w.watchNote(m, ef)
	case protocol.Spawn:
		w.spawn(m.proc, ef.Start)
	case protocol.Halt:
		w.halt(m.proc)
	case protocol.Fail:
		m.failed = &ef.Failure
	case protocol.Exit:
		m.exits = &ef.Verdict
	default:
		w.performOutside(m, ef)
	}
}

// performOutside hands an effect to the device of its family.
func (w *World) performOutside(m *machine, ef protocol.Effect) {
	switch ef := ef.(type) {
	case protocol.Store, protocol.Load, protocol.Delete:
		w.services.Bucket.Perform(m.addr, ef, m.done)
	case protocol.Flush:
		ef.Deadline -= m.proc.skew // devices live by the world's clock
		w.services.Log.Perform(m.addr, ef, m.done)
	case protocol.Produce:
		m.lets(ef.Batch)
		w.services.Log.Perform(m.addr, ef, m.done)
	default:
		w.services.Log.Perform(m.addr, ef, m.done)
	}
}

func (w *World) giveBack(m *machine, b *batch.Batch) {
	if b == nil {
		return
	}
	if !m.lets(b) {
		w.breach(CheckBatches, "a batch was released by a machine that does not hold it")
		return
	}
	w.watchProcessed(m, b)
	w.pool.Put(b)
}

// tell carries a control message: it may be lost, doubled, delayed and reordered.
func (w *World) tell(m *machine, ef protocol.Tell) {
	from, to := m.proc.node, w.node(ef.To.Node)
	if from != to && w.blocked(from.place, to.place) {
		return
	}
	if _, ok := w.strikes(faults.MessageLost); ok {
		return
	}
	it := item{kind: itTell, arg: uint64(ef.To.Node)<<32 | uint64(ef.To.Task), ev: protocol.Told{From: m.addr, Message: ef.Message}}
	delay := w.draw(w.latency.tell)
	if from == to {
		delay = 1 + delay/64
	}
	if s, ok := w.strikes(faults.MessageReordered); ok {
		delay += protocol.Duration(s.Between(0, 10*int64(w.latency.tell.hi)))
	}
	if s, ok := w.strikes(faults.MessageDelayed); ok {
		delay += protocol.Duration(s.Spread(int64(w.cfg.Protocol.Heartbeat), 3*int64(w.cfg.Protocol.NodeTimeout)))
	}
	if s, ok := w.strikes(faults.MessageDoubled); ok {
		again := protocol.Duration(s.Spread(0, int64(w.cfg.Protocol.NodeTimeout)))
		w.queue.push(w.now.Add(delay+again), it)
	}
	w.queue.push(w.now.Add(delay), it)
}

// strikes consults the faults and records what strikes.
func (w *World) strikes(k faults.Kind) (faults.Stream, bool) {
	id, s, ok := w.faults.Consult(k)
	if ok {
		w.struck(id)
	}
	return s, ok
}

// struck records that a fault changed something.
func (w *World) struck(id faults.ID) {
	w.counts[id.Kind][w.watch.phase]++
	w.fired = append(w.fired, Fired{ID: id, At: w.now, Phase: w.watch.phase})
	w.trace.fault(w, id)
	w.digest.mix(uint64(id.Kind)<<8, id.N, 0xFA)
}
