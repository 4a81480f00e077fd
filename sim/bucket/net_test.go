package bucket

import (
	"container/heap"

	"weir/protocol"
	"weir/sim/wire"
)

// fate says what becomes of one request.
type fate struct {
	drop      bool              // never arrives
	deaf      bool              // arrives, the reply does not
	delay     protocol.Duration // until it arrives
	doubled   protocol.Duration // until it arrives again; zero: it does not
	afterward func()            // runs when it has arrived
}

// net is a virtual network and its clock; each request takes 1 ms there and 1 ms back, unless fate has other plans.
type net struct {
	now    protocol.Time
	queue  events
	serial int
	fate   func(wire.Request) fate
}

type event struct {
	at     protocol.Time
	serial int
	fn     func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].serial < q[j].serial
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

func (n *net) Now() protocol.Time { return n.now }

func (n *net) After(d protocol.Duration, fn func()) {
	n.serial++
	heap.Push(&n.queue, event{n.now.Add(d), n.serial, fn})
}

func (n *net) Expire(d protocol.Duration, t wire.Timer) {
	n.After(d, func() {
		if !t.Over() {
			t.Due()
		}
	})
}

func (n *net) Call(req wire.Request, x wire.Exchange) {
	f := fate{delay: protocol.Millisecond}
	if n.fate != nil {
		f = n.fate(req)
	}
	answered := false
	once := func(fn func()) {
		if !answered {
			answered = true
			fn()
		}
	}
	arrive := func() {
		reply := x.Apply()
		if !f.deaf {
			n.After(protocol.Millisecond, func() { once(reply.Deliver) })
		}
		if f.afterward != nil {
			f.afterward()
		}
	}
	if !f.drop {
		n.After(max(f.delay, protocol.Millisecond), arrive)
	}
	if f.doubled > 0 {
		n.After(f.doubled, arrive)
	}
	n.After(req.Timeout, func() { once(x.Lost) })
}

// step runs what is due next and reports whether there was anything.
func (n *net) step() bool {
	if len(n.queue) == 0 {
		return false
	}
	e := heap.Pop(&n.queue).(event)
	n.now = max(n.now, e.at)
	e.fn()
	return true
}

// until runs the world to an instant.
func (n *net) until(t protocol.Time) {
	for len(n.queue) > 0 && n.queue[0].at <= t {
		n.step()
	}
	n.now = max(n.now, t)
}

func (n *net) Sleep(d protocol.Duration) { n.until(n.now.Add(d)) }

// start performs an effect; what it returns runs the world until the outcome is there, or for ten minutes.
func (n *net) start(d protocol.Device, from protocol.Address, ef protocol.Effect) (wait func() protocol.Event) {
	var got protocol.Event
	stepping := true
	d.Perform(from, ef, func(ev protocol.Event) {
		if stepping || got != nil {
			panic("done called within Perform, or twice")
		}
		got = ev
	})
	stepping = false
	deadline := n.now.Add(10 * protocol.Minute)
	return func() protocol.Event {
		for got == nil && n.now < deadline && n.step() {
		}
		return got
	}
}
