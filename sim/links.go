package sim

import (
	"slices"

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

// links says which ways are blocked, until when, by which faults. Places are the nodes' and, behind them, the services'.
type links struct {
	nodes int
	ways  []blocks // from × to
	away  [services]blocks
	slow  [services]blocks
}

// blocks is what faults do to one way at a time.
type blocks []block

// block is one fault's; it counts as struck when it first stops something that no other one stops.
type block struct {
	until protocol.Time
	id    faults.ID
	fresh bool // it has stopped nothing
}

func newLinks(nodes int) links {
	n := nodes + int(services)
	return links{nodes: nodes, ways: make([]blocks, n*n)}
}

func (l *links) way(from, to int) *blocks { return &l.ways[from*(l.nodes+int(services))+to] }

func (l *links) place(s service) int { return l.nodes + int(s) }

// begin lets a fault block from now on.
func (b *blocks) begin(now, until protocol.Time, id faults.ID) {
	*b = slices.DeleteFunc(*b, func(x block) bool { return x.until <= now })
	*b = append(*b, block{until: until, id: id, fresh: true})
}

// holds reports whether a fault blocks and has stopped something.
func (b *blocks) holds(now protocol.Time, id faults.ID) bool {
	return slices.ContainsFunc(*b, func(x block) bool { return x.until > now && x.id == id && !x.fresh })
}

// stops says until when something that comes now has to wait, if it has to, and whose fault that is: one's that has
// stopped something before, so that one which never does can be taken away and nothing changes.
func (w *World) stops(b *blocks) (until protocol.Time, ok bool) {
	if len(*b) == 0 {
		return 0, false
	}
	var fresh *block
	for i := range *b {
		x := &(*b)[i]
		switch {
		case x.until <= w.now:
		case !x.fresh:
			return x.until, true
		case fresh == nil:
			fresh = x
		}
	}
	if fresh == nil {
		return 0, false
	}
	fresh.fresh = false
	w.struck(fresh.id)
	return fresh.until, true
}

func (w *World) blocked(from, to int) bool {
	_, ok := w.stops(w.links.way(from, to))
	return ok
}

// until is when the way between two places may open; it is zero if it is open.
func (w *World) until(from, to int) protocol.Time {
	if from == to {
		return 0
	}
	until, _ := w.stops(w.links.way(from, to))
	return until
}

// forget takes away blocks that have stopped nothing yet.
func (l *links) forget() {
	for _, list := range [][]blocks{l.ways, l.away[:], l.slow[:]} {
		for i := range list {
			list[i] = slices.DeleteFunc(list[i], func(x block) bool { return x.fresh })
		}
	}
}

// quiet is when the last block ends and the last paused process wakes.
func (w *World) quiet() protocol.Time {
	t := w.now
	for _, list := range [][]blocks{w.links.ways, w.links.away[:], w.links.slow[:]} {
		for _, b := range list {
			for _, x := range b {
				t = max(t, x.until)
			}
		}
	}
	for _, n := range w.nodes {
		t = max(t, n.wakes)
	}
	return t
}
