package broker

import "weir/protocol"

// A waiter is a read that found nothing yet.
type waiter struct {
	node protocol.NodeID
	at   protocol.Offset // of what it waits for
	fire func()          // goes on; nil once it has
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

func (w *waiter) resume() {
	if fire := w.fire; fire != nil {
		w.fire = nil
		fire()
	}
}

// drop forgets a waiter.
func (p *partition) drop(w *waiter) {
	w.fire = nil
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
			w.fire = nil
		}
	}
	clear(p.waiters[len(kept):])
	p.waiters = kept
}
