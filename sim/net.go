package sim

import (
	"weir/faults"
	"weir/protocol"
	"weir/sim/wire"
)

// leg is a part of a request's way.
type leg uint8

const (
	legApply leg = iota // reaches the service
	legReply            // reaches the client
	legLost             // the client gives up
)

// call is one request under way.
type call struct {
	req     wire.Request
	proc    *process // whose client asked; nil for a node without process
	node    *node
	service service
	apply   func() (reply func())
	reply   func() // of the way back that is under way
	lost    func()
	legs    int // items that name this call
	over    bool
	mute    bool // no reply gets through
}

// serviceOf is which service a request goes to.
func serviceOf(kind string) service {
	switch kind {
	case "Store", "Load", "Delete":
		return theBucket
	}
	return theLog
}

// Call carries a request to a service, with faults.
func (w *World) Call(req wire.Request, apply func() (reply func()), lost func()) {
	c := w.newCall()
	n := w.node(req.Node)
	*c = call{req: req, node: n, proc: n.proc, service: serviceOf(req.Kind), apply: apply, lost: lost}
	w.leg(c, legLost, w.now.Add(max(req.Timeout, 1)), nil)
	arrive := w.now.Add(w.tripTo(c))
	if s, ok := w.strikes(faults.RequestLate); ok {
		most := 4 * int64(max(req.Timeout, w.cfg.Protocol.NodeTimeout))
		arrive = w.now.Add(req.Timeout + protocol.Duration(s.Spread(1, most)))
		c.mute = true
	} else if _, ok := w.strikes(faults.RequestLost); ok {
		return
	}
	w.leg(c, legApply, arrive, nil)
	if req.Kind == "OpenSlot" && !w.cfg.Undefended {
		return
	}
	if s, ok := w.strikes(faults.RequestDoubled); ok {
		again := protocol.Duration(s.Spread(1, 2*int64(max(req.Timeout, 1))))
		w.leg(c, legApply, arrive.Add(again), nil)
	}
}

// tripTo is the time of one way; a slow bucket takes long, and so encodes late.
func (w *World) tripTo(c *call) protocol.Duration {
	if c.service == theLog {
		return 1 + w.draw(w.latency.log)/2
	}
	d := 1 + w.draw(w.latency.bucket)/2
	if b := &w.links.slow[theBucket]; w.stops(b) {
		d += protocol.Duration(w.schedule.Spread(1, int64(w.cfg.Protocol.IOTimeout)))
	}
	return d
}

func (w *World) leg(c *call, l leg, at protocol.Time, reply func()) {
	c.legs++
	w.queue.push(at, item{kind: itCall, leg: l, call: c, fn: reply})
}

// carry takes a request one leg further.
func (w *World) carry(it item) {
	c := it.call
	if it.leg != legApply && !c.over && c.alive() && w.defers(c.node, it) {
		return
	}
	c.legs--
	switch it.leg {
	case legApply:
		w.reach(c)
	case legReply:
		w.answer(c, it.fn)
	case legLost:
		w.answer(c, c.lost)
	}
	if c.legs == 0 {
		*c = call{}
		w.calls = append(w.calls, c)
	}
}

func (c *call) alive() bool { return c.proc != nil && c.node.proc == c.proc }

// reach applies a request at its service, unless something on the way stops it.
func (w *World) reach(c *call) {
	if c.proc != nil && !c.alive() && c.proc.mute && !c.mute {
		return
	}
	place := w.links.place(c.service)
	if w.stops(&w.links.away[c.service]) || w.blocked(c.node.place, place) {
		return
	}
	before := w.watchRequest(c)
	reply := c.apply()
	w.watchApplied(c, before)
	if reply == nil || c.mute || w.blocked(place, c.node.place) {
		return
	}
	if _, ok := w.strikes(faults.ReplyLost); ok {
		return
	}
	w.leg(c, legReply, w.now.Add(w.tripTo(c)), reply)
}

// answer ends a call for the client, once.
func (w *World) answer(c *call, fn func()) {
	if c.over {
		return
	}
	c.over = true
	if c.alive() && fn != nil {
		fn()
	}
}

func (w *World) newCall() *call {
	if n := len(w.calls); n > 0 {
		c := w.calls[n-1]
		w.calls = w.calls[:n-1]
		return c
	}
	return new(call)
}

// markerDelay is how long the marker of one partition takes from the decision.
func (w *World) markerDelay() protocol.Duration {
	usual := protocol.Duration(w.schedule.Spread(int64(50*protocol.Microsecond), int64(5*protocol.Millisecond)))
	if s, ok := w.strikes(faults.MarkerLate); ok {
		return usual + protocol.Duration(s.Spread(int64(protocol.Millisecond), int64(w.cfg.Protocol.Timeout)))
	}
	return usual
}
