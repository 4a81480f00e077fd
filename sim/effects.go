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
		*w.queue.push(w.now.Add(w.draw(w.latency.turn))) = item{kind: itResume, m: m}
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
		w.rareZombie(m, RareZombieTold)
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

// performOutside hands an effect to the device of its family. It passes most on as they came: to box one again costs.
func (w *World) performOutside(m *machine, as protocol.Effect) {
	clients := &m.proc.node.job.clients
	switch ef := as.(type) {
	case protocol.Store, protocol.Load, protocol.Delete:
		clients.Bucket.Perform(m.addr, as, m.done)
		return
	case protocol.Keep, protocol.Recall, protocol.Retain:
		clients.Disk.Perform(m.addr, as, m.done)
		return
	case protocol.Flush:
		ef.Deadline -= m.proc.skew // devices live by the world's clock
		w.book.asks(w, m.proc.node, "Flush", string(ef.ID))
		if _, ok := w.strikes(faults.RequestLost, faults.Odds{Weight: 4, Least: 15_000}); ok || w.unknown(m.addr.Node, "Flush", string(ef.ID)) {
			ef.Deadline = w.now
		}
		as = ef
	case protocol.OpenSlot:
		w.rareZombie(m, RareZombieOpened)
	case protocol.Produce:
		w.rareZombie(m, RareZombieProduced)
		m.lets(ef.Batch)
	}
	clients.Log.Perform(m.addr, as, m.done)
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
	w.book.tells(w, m, ef)
	if _, ok := w.fires(faults.MessageLost, faults.Usual()); ok {
		if to.proc != nil && to.proc.machine(ef.To.Task) != nil {
			w.count(faults.MessageLost)
		}
		return
	}
	it := item{kind: itTell, arg: uint64(ef.To.Node)<<32 | uint64(ef.To.Task), ev: protocol.Told{From: m.addr, Message: ef.Message}}
	delay := w.draw(w.latency.tell)
	if from == to {
		delay = 1 + delay/64
	}
	if s, ok := w.fires(faults.MessageReordered, faults.Usual()); ok {
		delay += w.book.delay(protocol.Duration(s.Between(0, 10*int64(w.latency.tell.hi))))
		w.tardy = append(w.tardy, tardy{faults.MessageReordered, it.arg, w.now.Add(delay)})
	}
	if s, ok := w.fires(faults.MessageDelayed, faults.Usual()); ok {
		delay += w.book.delay(protocol.Duration(s.Spread(int64(from.job.cfg.Heartbeat), 3*int64(from.job.cfg.NodeTimeout))))
		w.tardy = append(w.tardy, tardy{faults.MessageDelayed, it.arg, w.now.Add(delay)})
	}
	if s, ok := w.fires(faults.MessageDoubled, faults.Usual()); ok {
		again, copied := w.book.delay(protocol.Duration(s.Spread(0, int64(from.job.cfg.NodeTimeout)))), it
		copied.fn = func() { w.count(faults.MessageDoubled) }
		*w.queue.push(w.now.Add(delay + again)) = copied
	}
	w.overtake(it.arg, w.now.Add(delay))
	*w.queue.push(w.now.Add(delay)) = it
}

// tardy is a message that a fault holds up. The fault counts when a message to the same machine overtakes it.
type tardy struct {
	kind faults.Kind
	to   uint64
	due  protocol.Time
}

// overtake counts the faults that held up what a message passes that arrives at a time.
func (w *World) overtake(to uint64, at protocol.Time) {
	if len(w.tardy) == 0 {
		return
	}
	keep := w.tardy[:0]
	for _, t := range w.tardy {
		switch {
		case t.due <= w.now:
		case t.to == to && at < t.due:
			w.count(t.kind)
		default:
			keep = append(keep, t)
		}
	}
	w.tardy = keep
}

// strikes consults the faults; what strikes changes something, and counts.
func (w *World) strikes(k faults.Kind, odds faults.Odds) (faults.Stream, bool) {
	s, ok := w.fires(k, odds)
	if ok {
		w.count(k)
	}
	return s, ok
}

// fires consults the faults and records what strikes; the caller counts it when it has changed something.
func (w *World) fires(k faults.Kind, odds faults.Odds) (faults.Stream, bool) {
	id, s, ok := w.consult(k, odds)
	if ok {
		w.fire(id)
	}
	return s, ok
}

// consult asks the plan, if there is one, or the injector.
func (w *World) consult(k faults.Kind, odds faults.Odds) (faults.ID, faults.Stream, bool) {
	if w.book != nil {
		return w.book.consult(w, k, odds)
	}
	return w.faults.Consult(k, odds)
}

// struck records and counts a timed fault.
func (w *World) struck(id faults.ID) {
	w.fire(id)
	w.count(id.Kind)
}

func (w *World) fire(id faults.ID) {
	w.disturbed = true
	w.fired = append(w.fired, Fired{ID: id, At: w.now, Phase: w.job.phase})
	w.book.fired(id)
	w.trace.fault(w, id)
	w.digest.mix(uint64(id.Kind)<<8, id.N, 0xFA)
}

// count counts a fault that has changed an outcome or an order.
func (w *World) count(k faults.Kind) {
	p := w.job.phase
	w.counts[k][p]++
	switch k {
	case faults.CrashWorker, faults.CrashCoordinator, faults.CrashInEffects, faults.Pause, faults.ReplyLost:
		if p == faults.Prepared || p == faults.Decided {
			w.targets.Window++
		}
	}
}
