package broker

import (
	"weir/protocol"
	"weir/protocol/batch"
)

// fetch asks at once if there is something to read or something wrong. Else it is as if the request were on its way
// until there is; so an idle source costs no request.
func (d *Device) fetch(from protocol.Address, ef protocol.Fetch, done func(protocol.Event)) {
	p, code := d.b.readable(ef.Topic, ef.TopicID, ef.Partition)
	if code != None || ef.From < p.stable() || ef.From > p.end {
		d.callFetch(from, ef, done)
		return
	}
	d.wait(p, from.Node, ef.From,
		func() { d.callFetch(from, ef, done) },
		func() { done(protocol.Fetched{Op: ef.Op, Outcome: protocol.OK, Next: ef.From}) })
}

// wait registers a read at p; either goes on when offset at is stable, or ends after the poll time.
func (d *Device) wait(p *partition, node protocol.NodeID, at protocol.Offset, ready, idle func()) {
	w := &waiter{node: node, at: at, fire: ready}
	p.waiters = append(p.waiters, w)
	d.net.After(d.opts.Poll, func() {
		if w.fire != nil {
			p.drop(w)
			idle()
		}
	})
}

func (d *Device) callFetch(from protocol.Address, ef protocol.Fetch, done func(protocol.Event)) {
	d.net.Call(d.request(from.Node, "Fetch", ef.Topic), func() func() {
		p, code := d.b.readable(ef.Topic, ef.TopicID, ef.Partition)
		switch {
		case code != None:
			return func() { done(protocol.Fetched{Op: ef.Op, Outcome: protocol.NotFound}) }
		case ef.From < p.start || ef.From > p.end:
			return func() { done(protocol.Fetched{Op: ef.Op, Outcome: protocol.OutOfRange}) }
		}
		seen := p.view(ef.From)
		return func() { done(d.fetched(ef, seen)) }
	}, func() { done(protocol.Fetched{Op: ef.Op, Outcome: protocol.Unknown}) })
}

// fetched fills a batch, only once the reply has come through, so that a lost one costs none.
func (d *Device) fetched(ef protocol.Fetch, seen view) protocol.Event {
	var b *batch.Batch
	next := seen.read(ef.Max, func(offset protocol.Offset, key, value []byte) {
		if b == nil {
			b = d.opts.Pool.Get()
		}
		b.Append(key, value, batch.Record{Partition: int32(ef.Partition), Offset: int64(offset)})
	})
	return protocol.Fetched{Op: ef.Op, Outcome: protocol.OK, Batch: b, Next: next}
}

// readLedger waits for the record's offset to become stable, like fetch.
func (d *Device) readLedger(from protocol.Address, ef protocol.ReadLedger, done func(protocol.Event)) {
	p, code := d.b.readable(ef.Topic, ef.TopicID, ef.Partition)
	if code != None || ef.Offset < p.stable() {
		d.callLedger(from, ef, done)
		return
	}
	d.wait(p, from.Node, ef.Offset,
		func() { d.callLedger(from, ef, done) },
		func() { done(protocol.LedgerRead{Op: ef.Op, Outcome: protocol.Unknown}) })
}

func (d *Device) callLedger(from protocol.Address, ef protocol.ReadLedger, done func(protocol.Event)) {
	d.net.Call(d.request(from.Node, "ReadLedger", ef.Topic), func() func() {
		value, outcome := d.b.ledger(ef)
		return func() { done(protocol.LedgerRead{Op: ef.Op, Outcome: outcome, Value: value}) }
	}, func() { done(protocol.LedgerRead{Op: ef.Op, Outcome: protocol.Unknown}) })
}
