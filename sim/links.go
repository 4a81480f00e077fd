package sim

import (
	"weir/faults"
	"weir/protocol"
)

// service is one of the two services, as a place beside the nodes.
type service int

const (
	theLog service = iota
	theBucket
	services
)

// links says which ways are blocked, until when, by which fault. Places are the nodes' and, behind them, the services'.
type links struct {
	nodes int
	ways  []block // from × to
	away  [services]block
	slow  [services]block
}

// block is what a fault blocks; it counts as struck when it first stops something.
type block struct {
	until protocol.Time
	id    faults.ID
	fresh bool
}

func newLinks(nodes int) links {
	n := nodes + int(services)
	return links{nodes: nodes, ways: make([]block, n*n)}
}

func (l *links) way(from, to int) *block { return &l.ways[from*(l.nodes+int(services))+to] }

func (l *links) place(s service) int { return l.nodes + int(s) }

// stops reports whether b blocks now, and records it when it does so for the first time.
func (w *World) stops(b *block) bool {
	if b.until <= w.now {
		return false
	}
	if b.fresh {
		b.fresh = false
		w.struck(b.id)
	}
	return true
}

func (w *World) blocked(from, to int) bool { return w.stops(w.links.way(from, to)) }

// until is when the way between two places opens; it is now, or earlier, if it is open.
func (w *World) until(from, to int) protocol.Time {
	if from == to || !w.blocked(from, to) {
		return 0
	}
	return w.links.way(from, to).until
}

// forget takes away blocks that have stopped nothing yet.
func (l *links) forget() {
	for _, list := range [][]block{l.ways, l.away[:], l.slow[:]} {
		for i := range list {
			if list[i].fresh {
				list[i] = block{}
			}
		}
	}
}

// quiet is when the last block ends and the last paused process wakes.
func (w *World) quiet() protocol.Time {
	t := w.now
	for i := range w.links.ways {
		t = max(t, w.links.ways[i].until)
	}
	for i := range w.links.away {
		t = max(t, w.links.away[i].until, w.links.slow[i].until)
	}
	for _, n := range w.nodes {
		t = max(t, n.wakes)
	}
	return t
}
