package broker

import (
	"slices"

	"weir/protocol"
	"weir/sim/wire"
)

// A slot is one client: one transactional id, one producer, one transaction.
type slot struct {
	d        *Device
	key      slotKey
	producer protocol.Producer
	lanes    []*lane
	// Invariant: how many writes stand in the lanes.
	unanswered int
	flushing   func(protocol.Outcome) // set from Flush on
	dead       bool                   // closed or killed
	life       uint32                 // of the process's clients
}

// over reports whether the slot answers nothing any more.
func (s *slot) over() bool { return s.dead || s.life != s.d.lives[s.key.node] }

// A lane is what a slot sends to one partition: one request at a time, in order, numbered per record.
type lane struct {
	topic     string
	partition protocol.Partition
	next      int32    // sequence number of the next record
	queue     []*write // the first is on the wire
	admitted  bool     // registered with the transaction, as far as the client has to see to it
}

// A write is one Produce.
type write struct {
	s        *slot
	l        *lane
	seq      uint64
	number   int32 // sequence number of its first record
	data     *records
	deadline protocol.Time
	done     func(protocol.Event)
	first    written // of the first time that it was applied
}

// An opening is one OpenSlot under way.
type opening struct {
	d        *Device
	from     protocol.Address
	ef       protocol.OpenSlot
	life     uint32
	deadline protocol.Time
	done     func(protocol.Event)
}

func (d *Device) openSlot(from protocol.Address, ef protocol.OpenSlot, done func(protocol.Event)) {
	o := &opening{d: d, from: from, ef: ef, life: d.lives[from.Node], deadline: d.net.Now().Add(d.opts.Timeout), done: done}
	o.try()
}

// closeSlot closes a client that is replaced, undrained: what it was asked for is Unknown.
func (d *Device) closeSlot(key slotKey) {
	if s := d.slots[key]; s != nil {
		d.net.After(0, s.kill)
		s.remove()
	}
}

// try sends one InitProducerID. A lost one is not repeated: it may still arrive and fence, so the id is given up.
func (o *opening) try() {
	if o.life != o.d.lives[o.from.Node] {
		return
	}
	left := o.deadline.Sub(o.d.net.Now())
	if left <= 0 {
		o.answer(protocol.Unknown, protocol.Producer{})
		return
	}
	req := o.d.request(o.from.Node, "OpenSlot", string(o.ef.ID))
	req.Timeout = left
	o.d.net.Call(req, wire.Funcs(func() func() {
		producer, code := o.d.b.InitProducerID(o.ef.ID, o.ef.Timeout)
		known := o.knowsTopics()
		return func() { o.replied(producer, code, known) }
	}, func() { o.answer(protocol.Unknown, protocol.Producer{}) }))
}

// knowsTopics is the warm-up: metadata of what will be written to.
func (o *opening) knowsTopics() bool {
	return !slices.ContainsFunc(o.ef.Topics, func(name string) bool { return o.d.b.topic(name) == nil })
}

func (o *opening) replied(producer protocol.Producer, code Code, known bool) {
	switch {
	case code == ConcurrentTransactions:
		o.d.net.After(o.d.opts.Backoff, o.try)
	case code != None || !known:
		o.answer(protocol.Denied, protocol.Producer{})
	case o.life == o.d.lives[o.from.Node]:
		o.d.addSlot(o.from.Node, o.ef.ID, producer)
		o.answer(protocol.OK, producer)
	}
}

func (o *opening) answer(outcome protocol.Outcome, producer protocol.Producer) {
	if o.life != o.d.lives[o.from.Node] {
		return
	}
	ev := protocol.Opened{Op: o.ef.Op, ID: o.ef.ID, Outcome: outcome, Producer: producer}
	if outcome == protocol.OK {
		ev.Version = o.d.b.opts.Version
	}
	o.done(ev)
}

func (d *Device) addSlot(node protocol.NodeID, id protocol.TransactionalID, producer protocol.Producer) {
	s := &slot{d: d, key: slotKey{node, id}, producer: producer, life: d.lives[node]}
	d.closeSlot(s.key)
	d.slots[s.key] = s
	d.order = append(d.order, s)
}

func (s *slot) remove() {
	if s.d.slots[s.key] == s {
		delete(s.d.slots, s.key)
		s.d.order = slices.DeleteFunc(s.d.order, func(o *slot) bool { return o == s })
	}
}

func (d *Device) produce(from protocol.Address, ef protocol.Produce, done func(protocol.Event)) {
	protocol.Assert(ef.Batch.Len() > 0, "sim/broker: Produce of an empty batch")
	data := d.b.arena.of(ef.Batch)
	d.opts.Pool.Put(ef.Batch)
	w := &write{seq: ef.Seq, data: data, deadline: d.net.Now().Add(d.opts.Timeout), done: done}
	s := d.slots[slotKey{from.Node, ef.ID}]
	if s == nil || s.flushing != nil {
		d.refuse(from.Node, func() {
			done(protocol.Produced{ID: ef.ID, Seq: ef.Seq, Outcome: protocol.Unknown, Partition: ef.Partition})
		})
		return
	}
	w.s, w.l = s, s.lane(ef.Topic, ef.Partition)
	w.number = w.l.next
	w.l.next += int32(data.len())
	s.unanswered++
	w.l.queue = append(w.l.queue, w)
	if len(w.l.queue) == 1 {
		w.send()
	}
}

// refuse answers, after the step that asked, what a slot that is not there was asked for.
func (d *Device) refuse(node protocol.NodeID, answer func()) {
	life := d.lives[node]
	d.net.After(0, func() {
		if life == d.lives[node] {
			answer()
		}
	})
}

func (s *slot) lane(topic string, i protocol.Partition) *lane {
	for _, l := range s.lanes {
		if l.partition == i && l.topic == topic {
			return l
		}
	}
	l := &lane{topic: topic, partition: i, admitted: !s.d.b.opts.Registers}
	s.lanes = append(s.lanes, l)
	return l
}

// send puts a write on the wire, with the same sequence number each time, so that however often it arrives it is
// appended once. When its time is up, the slot is dead.
func (w *write) send() {
	if w.s.over() {
		return
	}
	left := w.deadline.Sub(w.s.d.net.Now())
	if left <= 0 {
		w.s.kill()
		return
	}
	var x wire.Exchange = w
	if !w.l.admitted {
		x = (*registering)(w)
	}
	w.s.d.net.Call(wire.Request{
		Node: w.s.key.node, Kind: "Produce", Object: string(w.s.key.id), Timeout: min(left, w.s.d.opts.Request),
	}, x)
}

// registering is the request that goes before the first write to a partition.
type registering write

// Apply implements wire.Exchange.
func (r *registering) Apply() wire.Reply {
	w := (*write)(r)
	return &registered{w, w.s.d.b.AddPartition(w.s.key.id, w.s.producer, w.l.topic, w.l.partition)}
}

// Lost implements wire.Exchange.
func (r *registering) Lost() { (*write)(r).send() }

type registered struct {
	w    *write
	code Code
}

// Deliver implements wire.Reply.
func (r *registered) Deliver() {
	if r.code != None {
		r.w.replied(0, r.code)
		return
	}
	r.w.l.admitted = true
	r.w.send()
}

// Apply implements wire.Exchange.
func (w *write) Apply() wire.Reply {
	a := &w.first
	if a.w != nil {
		a = new(written)
	}
	a.w = w
	a.base, a.code = w.s.d.b.produce(w.s.key.id, w.s.producer, w.l.topic, w.l.partition, w.number, w.data)
	return a
}

// Lost implements wire.Exchange.
func (w *write) Lost() { w.send() }

// written is the reply to a write.
type written struct {
	w    *write
	base protocol.Offset
	code Code
}

// Deliver implements wire.Reply.
func (a *written) Deliver() { a.w.replied(a.base, a.code) }

func (w *write) replied(base protocol.Offset, code Code) {
	switch {
	case w.s.over():
	case code == None:
		w.settle(base)
	case code == ConcurrentTransactions || code == UnknownTopicOrPartition:
		w.s.d.net.After(w.s.d.opts.Backoff, w.send)
	default:
		w.s.kill()
	}
}

func (w *write) settle(base protocol.Offset) {
	l, s := w.l, w.s
	l.queue = slices.Delete(l.queue, 0, 1)
	s.unanswered--
	w.done(w.answer(protocol.OK, base))
	if len(l.queue) > 0 {
		l.queue[0].send()
	}
	s.maybeClose()
}

func (w *write) answer(o protocol.Outcome, base protocol.Offset) protocol.Event {
	return protocol.Produced{ID: w.s.key.id, Seq: w.seq, Outcome: o, Partition: w.l.partition, Offset: base}
}

// kill closes the client undrained: whatever it was asked for is Unknown.
func (s *slot) kill() {
	if s.over() {
		return
	}
	s.dead = true
	s.remove()
	for _, l := range s.lanes {
		for _, w := range l.queue {
			w.done(w.answer(protocol.Unknown, 0))
		}
	}
	if s.flushing != nil {
		s.flushing(protocol.Unknown)
	}
}

func (d *Device) flush(from protocol.Address, ef protocol.Flush, done func(protocol.Event)) {
	answer := func(o protocol.Outcome) { done(protocol.Flushed{Op: ef.Op, ID: ef.ID, Outcome: o}) }
	s := d.slots[slotKey{from.Node, ef.ID}]
	if s == nil || s.flushing != nil {
		d.refuse(from.Node, func() { answer(protocol.Unknown) })
		return
	}
	s.flushing = answer
	left := ef.Deadline.Sub(d.net.Now())
	if s.unanswered == 0 && left > 0 {
		d.refuse(from.Node, s.maybeClose)
		return
	}
	d.net.After(max(0, left), s.kill)
}

// maybeClose closes the client of a slot that was asked to flush and has nothing left to send.
func (s *slot) maybeClose() {
	if s.over() || s.flushing == nil || s.unanswered > 0 {
		return
	}
	s.dead = true
	s.remove()
	s.flushing(protocol.OK)
}
