package broker

import "weir/protocol"

// A waiter is a read that found nothing yet: a Fetch, or a ReadLedger.
type waiter struct {
	p      *partition
	node   protocol.NodeID
	at     protocol.Offset // of what it waits for
	waits  bool            // it has neither gone on nor ended
	d      *Device
	from   protocol.Address
	fetch  protocol.Fetch
	ledger protocol.ReadLedger
	reads  bool // the ledger
	done   func(protocol.Event)
}

// resume sends the request after all.
func (w *waiter) resume() {
	if !w.waits {
		return
	}
	w.waits = false
	if w.reads {
		w.d.callLedger(w.from, w.ledger, w.done)
	} else {
		w.d.callFetch(w.from, w.fetch, w.done)
	}
}

// Over implements wire.Timer.
func (w *waiter) Over() bool { return !w.waits }

// Due answers that there was nothing.
func (w *waiter) Due() {
	w.p.drop(w)
	if w.reads {
		w.done(protocol.LedgerRead{Op: w.ledger.Op, Outcome: protocol.Unknown})
	} else {
		w.done(protocol.Fetched{Op: w.fetch.Op, Outcome: protocol.OK, Next: w.fetch.From})
	}
}

// wake lets every read go on that has something to see.
func (p *partition) wake() {
	if len(p.waiters) == 0 {
		return
	}
	stable := p.stable()
	p.release(func(w *waiter) bool { return w.at < stable })
}

// wakeAll lets every read go on: the topic is gone.
func (p *partition) wakeAll() { p.release(func(*waiter) bool { return true }) }

func (p *partition) release(ready func(*waiter) bool) {
	waiting := p.waiters
	p.waiters = nil
	var due []*waiter
	for _, w := range waiting {
		if ready(w) {
			due = append(due, w)
		} else {
			p.waiters = append(p.waiters, w)
		}
	}
	for _, w := range due {
		w.resume()
	}
}

// drop forgets a waiter.
func (p *partition) drop(w *waiter) {
	w.waits = false
	for i := range p.waiters {
		if p.waiters[i] == w {
			p.waiters = append(p.waiters[:i], p.waiters[i+1:]...)
			return
		}
	}
}

// dropNode forgets the waiters of a dead process.
func (b *Broker) dropNode(node protocol.NodeID) {
	for _, t := range b.topics {
		for _, p := range t.partitions {
			p.dropNode(node)
		}
	}
}

func (p *partition) dropNode(node protocol.NodeID) {
	kept := p.waiters[:0]
	for _, w := range p.waiters {
		if w.node != node {
			kept = append(kept, w)
		} else {
			w.waits = false
		}
	}
	clear(p.waiters[len(kept):])
	p.waiters = kept
}
