package broker

import "weir/protocol"

// wait registers a read at its partition; it goes on when its offset is stable, or ends after the poll time.
func (r *read) wait(p *partition) {
	r.p, r.waits = p, true
	p.waiters = append(p.waiters, r)
	r.d.net.Expire(r.d.opts.Poll, r)
}

// resume sends the request after all.
func (r *read) resume() {
	if r.waits {
		r.waits = false
		r.send()
	}
}

// held is a read with something to see, which the broker does not show it yet.
type held read

// Over implements wire.Timer.
func (h *held) Over() bool { return !h.waits }

// Due implements wire.Timer.
func (h *held) Due() {
	r := (*read)(h)
	r.p.drop(r)
	r.send()
}

// Over implements wire.Timer.
func (r *read) Over() bool { return !r.waits || r.held }

// Due answers that there was nothing.
func (r *read) Due() {
	r.p.drop(r)
	if r.reads {
		r.done(protocol.LedgerRead{Op: r.op, Outcome: protocol.Unknown})
	} else {
		r.done(protocol.Fetched{Op: r.op, Outcome: protocol.OK, Next: r.at})
	}
}

// wake lets every read go on that has something to see.
func (p *partition) wake() {
	if len(p.waiters) == 0 {
		return
	}
	stable := p.stable()
	if lag := p.waiters[0].d.b.opts.ReadLag; lag > 0 {
		p.hold(stable, lag)
		return
	}
	p.release(func(r *read) bool { return r.at < stable })
}

// hold lets every read that has something to see go on a while later, when more may have come.
func (p *partition) hold(stable protocol.Offset, lag protocol.Duration) {
	for _, r := range p.waiters {
		if r.at < stable && !r.held {
			r.held = true
			r.d.net.Expire(lag, (*held)(r))
		}
	}
}

// wakeAll lets every read go on: the topic is gone.
func (p *partition) wakeAll() { p.release(func(*read) bool { return true }) }

func (p *partition) release(ready func(*read) bool) {
	var few [4]*read
	due, kept := few[:0], p.waiters[:0]
	for _, r := range p.waiters {
		if ready(r) {
			due = append(due, r)
		} else {
			kept = append(kept, r)
		}
	}
	clear(p.waiters[len(kept):])
	p.waiters = kept
	for _, r := range due {
		r.resume()
	}
}

// drop forgets a waiter.
func (p *partition) drop(w *read) {
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
		if w.from.Node != node {
			kept = append(kept, w)
		} else {
			w.waits = false
		}
	}
	clear(p.waiters[len(kept):])
	p.waiters = kept
}
