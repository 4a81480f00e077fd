package sim

import (
	"fmt"

	"weir/protocol"
)

// conn is one life of a channel, within one attempt. Its frames wait in order; the world's items are only tokens, each
// delivers the first frame, so that order holds whatever their times.
type conn struct {
	id      protocol.ChannelID
	scope   protocol.Scope // of the attempt
	from    *machine       // nil until spawned
	to      *machine       // nil until spawned
	frames  []protocol.Frame
	head    int
	arrived int              // tokens that found no receiver yet
	granted []protocol.Event // grants that found no sender yet
	one     protocol.Event   // a grant of one credit
	last    protocol.Time    // of the newest token
	broken  bool
	flow    flow
}

const rememberedAttempts = 8

// attach joins a new task to its channels of this attempt; what waited for it goes on.
func (w *World) attach(m *machine) {
	j := m.proc.node.job
	for id, ch := range j.channels {
		if ch.From == m.addr.Task {
			c := j.conn(protocol.ChannelID(id), m.start.Scope, func(c *conn) bool { return c.from == nil })
			c.from = m
			m.outs = append(m.outs, c)
			w.welcome(c, m)
		}
		if ch.To == m.addr.Task {
			c := j.conn(protocol.ChannelID(id), m.start.Scope, func(c *conn) bool { return c.to == nil })
			c.to = m
			m.ins = append(m.ins, c)
			w.welcome(c, m)
		}
	}
}

// conn is the connection of a channel in an attempt with an end that is free; a task that is spawned a second time in
// one attempt finds none, and so never hears of its peers.
func (j *tenant) conn(id protocol.ChannelID, s protocol.Scope, free func(*conn) bool) *conn {
	list := j.conns[id]
	for _, c := range list {
		if c.scope.SameAttempt(s) && free(c) {
			return c
		}
	}
	if len(list) == rememberedAttempts {
		list = append(list[:0], list[1:]...)
	}
	c := &conn{id: id, scope: s}
	j.conns[id] = append(list, c)
	return c
}

// welcome lets go on what waited for an end that is there now.
func (w *World) welcome(c *conn, m *machine) {
	if c.broken {
		w.lost(c, m)
		return
	}
	if c.from == nil || c.to == nil {
		return
	}
	for range c.arrived {
		c.last = max(c.last+1, w.now.Add(w.draw(w.latency.frame)))
		*w.queue.push(c.last) = item{kind: itFrame, conn: c}
	}
	for _, ev := range c.granted {
		*w.queue.push(w.now.Add(w.draw(w.latency.frame))) = item{kind: itGrant, conn: c, ev: ev}
	}
	c.arrived, c.granted = 0, nil
}

func (w *World) send(m *machine, ef protocol.Send) {
	c := end(m.outs, ef.Channel)
	if d, ok := ef.Frame.(protocol.Data); ok {
		w.passesOn(m, d.Batch)
	}
	w.watchSend(m, c, ef.Frame)
	if c.broken {
		w.waste(ef.Frame)
		return
	}
	c.frames = append(c.frames, ef.Frame)
	c.last = max(c.last+1, w.now.Add(w.draw(w.latency.frame)))
	*w.queue.push(c.last) = item{kind: itFrame, conn: c}
}

// end is the connection of a channel among a task's.
func end(list []*conn, id protocol.ChannelID) *conn {
	for _, c := range list {
		if c.id == id {
			return c
		}
	}
	panic(fmt.Sprintf("a task used channel %d, which the plan does not give it", id))
}

// waste recycles the batch of a frame that vanishes.
func (w *World) waste(f protocol.Frame) {
	if d, ok := f.(protocol.Data); ok {
		w.pool.Put(d.Batch)
	}
}

// deliverFrame gives the first frame of a connection to its receiver.
func (w *World) deliverFrame(it *item) {
	c := it.conn
	if c.broken || c.head == len(c.frames) {
		return
	}
	if c.to == nil {
		c.arrived++
		return
	}
	if until := w.until(c.from.proc.node.place, c.to.proc.node.place); until > w.now {
		*w.queue.push(until) = *it
		return
	}
	if w.defers(c.to.proc.node, it) {
		return
	}
	f := c.frames[c.head]
	c.frames[c.head] = nil
	c.head++
	if c.head == len(c.frames) {
		c.frames, c.head = c.frames[:0], 0
	}
	if d, ok := f.(protocol.Data); ok {
		c.to.hold(d.Batch)
	}
	c.flow.arrives(f)
	w.step(c.to, protocol.Received{Channel: c.id, Frame: f})
}

func (w *World) grant(m *machine, ef protocol.Grant) {
	c := end(m.ins, ef.Channel)
	*w.queue.push(w.now.Add(w.draw(w.latency.frame))) = item{kind: itGrant, conn: c, ev: c.grant(ef.N)}
}

// grant is the event of n credits: nearly always of one, which is made once.
func (c *conn) grant(n int) protocol.Event {
	if n != 1 {
		return protocol.Granted{Channel: c.id, N: n}
	}
	if c.one == nil {
		c.one = protocol.Granted{Channel: c.id, N: 1}
	}
	return c.one
}

func (w *World) deliverGrant(it *item) {
	c := it.conn
	switch {
	case c.broken:
		return
	case c.from == nil:
		c.granted = append(c.granted, it.ev)
		return
	}
	if until := w.until(c.to.proc.node.place, c.from.proc.node.place); until > w.now {
		*w.queue.push(until) = *it
		return
	}
	if !w.defers(c.from.proc.node, it) {
		w.step(c.from, it.ev)
	}
}

// cutConn breaks a connection: frames under way vanish.
func (w *World) cutConn(c *conn) {
	c.broken = true
	for _, f := range c.frames[c.head:] {
		w.waste(f)
	}
	c.frames, c.head = nil, 0
}

// reset breaks a connection for both ends, each of which hears of it in its own time.
func (w *World) reset(c *conn) {
	w.cutConn(c)
	w.lost(c, c.from)
	w.lost(c, c.to)
}

// lost tells one end, after a while, that a connection is broken; while faults are on, now and then it never hears of it.
func (w *World) lost(c *conn, end *machine) {
	if end == nil || end.dead || w.faults.On() && w.fate.Chance(1, 8) {
		return
	}
	delay := protocol.Duration(w.fate.Spread(int64(10*protocol.Microsecond), int64(end.proc.node.job.cfg.Heartbeat)))
	*w.queue.push(w.now.Add(delay)) = item{kind: itEvent, m: end, ev: protocol.Lost{Channel: c.id}}
}

// senderGone ends a connection whose sender has died: what is under way arrives in full or not at all, then Lost.
func (w *World) senderGone(c *conn) {
	if c.broken {
		return
	}
	if c.to == nil || w.fate.Chance(1, 2) {
		w.cutConn(c)
		w.lost(c, c.to)
		return
	}
	w.After(max(c.last+1, w.now).Sub(w.now), func() {
		if !c.broken {
			w.cutConn(c)
			w.lost(c, c.to)
		}
	})
}

func (w *World) receiverGone(c *conn) {
	if !c.broken {
		w.cutConn(c)
		w.lost(c, c.from)
	}
}
