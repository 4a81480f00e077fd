package sim

import (
	"slices"
	"strings"

	"weir/faults"
	"weir/protocol"
	"weir/sim/wire"
)

// leg is a part of a request's way.
type leg uint8

const (
	legApply leg = iota // reaches the service
	legReply            // reaches the client
)

// call is one request under way.
type call struct {
	req     wire.Request
	proc    *process // whose client asked; nil for a node without process
	node    *node
	service service
	x       wire.Exchange
	answers [2]wire.Reply // on their way back; a request is doubled once
	back    int           // how many there are
	legs    int           // items that name this call, but for its time-out
	life    uint32        // which use of this memory
	place   faults.Place  // its name in a plan
	replies int           // so far, with a plan
	over    bool
	mute    bool // no reply gets through
	doubled bool // it may be applied twice
	applied bool
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
func (w *World) Call(req wire.Request, x wire.Exchange) {
	c := w.newCall()
	n := w.node(req.Node)
	*c = call{req: req, node: n, proc: n.proc, service: serviceOf(req.Kind), x: x, life: c.life}
	c.place = w.book.asks(w, n, req.Kind, req.Object)
	w.queue.expire(w.now, max(req.Timeout, 1), c)
	if req.Kind == "Store" && strings.HasPrefix(req.Object, "data/") {
		w.uploads = append(w.uploads, c)
	}
	arrive := w.now.Add(w.tripTo(c))
	if w.unknown(req.Node, req.Kind, req.Object) {
		w.silence(c, arrive)
		return
	}
	odds := w.odds(&req, n.job)
	if s, ok := w.strikes(faults.RequestLate, odds); ok {
		most := 4 * int64(max(req.Timeout, n.job.cfg.NodeTimeout))
		arrive = w.now.Add(req.Timeout + w.book.delay(protocol.Duration(s.Spread(1, most))))
		c.mute = true
	} else if _, ok := w.strikes(faults.RequestLost, odds); ok {
		return
	}
	w.leg(c, legApply, arrive)
	if req.Kind == "OpenSlot" && !w.cfg.Undefended {
		return
	}
	if s, ok := w.fires(faults.RequestDoubled, w.doubles(&req)); ok {
		c.doubled = true
		again := w.book.delay(protocol.Duration(s.Spread(1, 2*int64(max(req.Timeout, 1)))))
		w.leg(c, legApply, arrive.Add(again))
	}
}

// silence carries a request whose outcome shall be Unknown.
func (w *World) silence(c *call, arrive protocol.Time) {
	c.mute = true
	switch w.cfg.UnknownAt.Way {
	case Lost:
	case Applied:
		w.leg(c, legApply, arrive)
	case Late:
		w.leg(c, legApply, arrive.Add(c.req.Timeout))
	}
}

// matters reports whether a request decides a transaction or a checkpoint.
func (w *World) matters(req *wire.Request, j *tenant) bool {
	return req.Kind == "EndTxn" || req.Kind == "Store" && protocol.ObjectKey(req.Object) == j.spec.Manifests.HeadKey
}

// odds are those of a request's faults.
func (w *World) odds(req *wire.Request, j *tenant) faults.Odds {
	if w.matters(req, j) {
		return faults.Odds{Weight: 8, Least: 15_000}
	}
	if req.Kind == "OpenSlot" {
		return faults.Odds{Weight: 3}
	}
	return faults.Usual()
}

// doubles are the odds of a request's double.
func (w *World) doubles(req *wire.Request) faults.Odds {
	if req.Kind == "OpenSlot" {
		return faults.Odds{Weight: 4, Least: 15_000}
	}
	return faults.Usual()
}

// tripTo is the time of one way; a slow bucket takes long, and so encodes late.
func (w *World) tripTo(c *call) protocol.Duration {
	if c.service == theLog {
		return 1 + w.draw(w.latency.log)/2
	}
	d := 1 + w.draw(w.latency.bucket)/2
	if _, slow := w.stops(&w.links.slow[theBucket]); slow {
		d += protocol.Duration(w.schedule.Spread(1, int64(c.node.job.cfg.IOTimeout)))
	}
	return d
}

func (w *World) leg(c *call, l leg, at protocol.Time) {
	c.legs++
	*w.queue.push(at) = item{kind: itCall, leg: l, call: c, arg: uint64(c.back)}
}

// carry takes a request one leg further.
func (w *World) carry(it *item) {
	c := it.call
	w.job = c.node.job
	if it.leg == legReply && !c.over && c.alive() && w.defers(c.node, it) {
		return
	}
	c.legs--
	switch it.leg {
	case legApply:
		w.reach(c)
	case legReply:
		if c.ends() {
			c.answers[it.arg].Deliver()
		}
	}
	w.forget(c)
}

// expire ends a call that has had no answer in time.
func (w *World) expire(t timeout) {
	c := t.call
	if t.dead() {
		return
	}
	w.job = c.node.job
	if c.alive() && w.defers(c.node, &item{kind: itLate, call: c, arg: uint64(c.life)}) {
		return
	}
	if c.alive() && w.matters(&c.req, c.node.job) {
		w.targets.Unknown++
	}
	if c.alive() {
		w.rareLost(c)
	}
	if c.ends() {
		c.x.Lost()
	}
	w.forget(c)
}

// forget gives the memory of a call back when nothing more can come of it.
func (w *World) forget(c *call) {
	if c.over && c.legs == 0 {
		if i := slices.Index(w.uploads, c); i >= 0 {
			w.uploads = slices.Delete(w.uploads, i, i+1)
		}
		*c = call{life: c.life + 1}
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
	if _, away := w.stops(&w.links.away[c.service]); away || w.blocked(c.node.place, place) {
		return
	}
	if c.doubled && c.applied {
		w.count(faults.RequestDoubled)
		if c.req.Kind == "OpenSlot" {
			w.rob(c.req.Object)
		}
	}
	c.applied = true
	before := w.watchRequest(c)
	reply := c.x.Apply()
	w.watchApplied(c, before)
	if reply == nil || c.mute || w.blocked(place, c.node.place) {
		return
	}
	w.book.answers(c)
	if _, ok := w.fires(faults.ReplyLost, w.odds(&c.req, c.node.job)); ok {
		if !c.over && c.alive() {
			w.count(faults.ReplyLost)
		}
		return
	}
	c.answers[c.back] = reply
	w.leg(c, legReply, w.now.Add(w.tripTo(c)))
	c.back++
}

// ends ends a call for the client, once; it reports whether there is a client to hear of it.
func (c *call) ends() bool {
	first := !c.over
	c.over = true
	return first && c.alive()
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
	d := protocol.Duration(w.schedule.Spread(int64(50*protocol.Microsecond), int64(5*protocol.Millisecond)))
	w.book.marks(w)
	if s, ok := w.strikes(faults.MarkerLate, faults.Usual()); ok {
		d += w.book.delay(protocol.Duration(s.Spread(int64(protocol.Millisecond), int64(w.longest(func(c *protocol.Config) protocol.Duration { return c.Timeout })))))
	}
	w.marked = max(w.marked, w.now.Add(d))
	return d
}

// compactDelay is up to an interval, often much less: cleaners run when they like.
func (w *World) compactDelay() protocol.Duration {
	return protocol.Duration(w.schedule.Spread(int64(protocol.Millisecond), int64(w.longest(func(c *protocol.Config) protocol.Duration { return c.Interval }))))
}
