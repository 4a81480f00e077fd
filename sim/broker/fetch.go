package broker

import (
	"weir/protocol"
	"weir/protocol/batch"
	"weir/sim/wire"
)

// A read is a Fetch or a ReadLedger under way, from beginning to end.
type read struct {
	d     *Device
	from  protocol.Address
	op    protocol.OpID
	topic string
	id    protocol.TopicID
	index protocol.Partition
	at    protocol.Offset
	max   int  // records
	reads bool // the ledger
	done  func(protocol.Event)

	p     *partition // at which it waits
	waits bool       // and has neither gone on nor ended
	held  bool       // it goes on in a while
	first answer     // of the first time that it was applied
}

// answer is what a read found.
type answer struct {
	r       *read
	outcome protocol.Outcome
	seen    view
	value   []byte // of the ledger
}

// fetch asks at once if there is something to read or something wrong. Else it is as if the request were on its way
// until there is; so an idle source costs no request.
func (d *Device) fetch(from protocol.Address, ef protocol.Fetch, done func(protocol.Event)) {
	r := &read{d: d, from: from, op: ef.Op, topic: ef.Topic, id: ef.TopicID, index: ef.Partition, at: ef.From, max: ef.Max, done: done}
	p, code := d.b.readable(ef.Topic, ef.TopicID, ef.Partition)
	if code != None || ef.From < p.stable() || ef.From > p.end {
		r.send()
		return
	}
	r.wait(p)
}

// readLedger waits for the record's offset to become stable, like fetch.
func (d *Device) readLedger(from protocol.Address, ef protocol.ReadLedger, done func(protocol.Event)) {
	r := &read{d: d, from: from, op: ef.Op, topic: ef.Topic, id: ef.TopicID, index: ef.Partition, at: ef.Offset, reads: true, done: done}
	p, code := d.b.readable(ef.Topic, ef.TopicID, ef.Partition)
	if code != None || ef.Offset < p.stable() {
		r.send()
		return
	}
	r.wait(p)
}

// send sends the request.
func (r *read) send() {
	kind := "Fetch"
	if r.reads {
		kind = "ReadLedger"
	}
	r.d.net.Call(r.d.request(r.from.Node, kind, r.topic), r)
}

// Apply implements wire.Exchange.
func (r *read) Apply() wire.Reply {
	a := &r.first
	if a.r != nil {
		a = new(answer)
	}
	a.r = r
	if r.reads {
		a.value, a.outcome = r.d.b.ledger(r.topic, r.id, r.index, r.at)
		return a
	}
	p, code := r.d.b.readable(r.topic, r.id, r.index)
	switch {
	case code != None:
		a.outcome = protocol.NotFound
	case r.at < p.start || r.at > p.end:
		a.outcome = protocol.OutOfRange
	default:
		a.outcome, a.seen = protocol.OK, p.view(r.at)
	}
	return a
}

// Lost implements wire.Exchange.
func (r *read) Lost() {
	if r.reads {
		r.done(protocol.LedgerRead{Op: r.op, Outcome: protocol.Unknown})
	} else {
		r.done(protocol.Fetched{Op: r.op, Outcome: protocol.Unknown})
	}
}

// Deliver implements wire.Reply. A batch is filled only now, when the reply has come through, so that a lost one costs none.
func (a *answer) Deliver() {
	r := a.r
	switch {
	case r.reads:
		r.done(protocol.LedgerRead{Op: r.op, Outcome: a.outcome, Value: a.value})
	case a.outcome != protocol.OK:
		r.done(protocol.Fetched{Op: r.op, Outcome: a.outcome})
	default:
		r.done(a.fetched())
	}
}

func (a *answer) fetched() protocol.Event {
	r := a.r
	var b *batch.Batch
	next := a.seen.read(r.max, func(offset protocol.Offset, key, value []byte) {
		if b == nil {
			b = r.d.opts.Pool.Get()
		}
		b.Append(key, value, batch.Record{Partition: int32(r.index), Offset: int64(offset)})
	})
	return protocol.Fetched{Op: r.op, Outcome: protocol.OK, Batch: b, Next: next}
}
