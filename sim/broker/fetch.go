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
	d.wait(&waiter{p: p, node: from.Node, at: ef.From, d: d, from: from, fetch: ef, done: done})
}

// wait registers a read at its partition; it goes on when its offset is stable, or ends after the poll time.
func (d *Device) wait(w *waiter) {
	w.waits = true
	w.p.waiters = append(w.p.waiters, w)
	d.net.Expire(d.opts.Poll, w)
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
	d.wait(&waiter{p: p, node: from.Node, at: ef.Offset, d: d, from: from, ledger: ef, reads: true, done: done})
}

func (d *Device) callLedger(from protocol.Address, ef protocol.ReadLedger, done func(protocol.Event)) {
	d.net.Call(d.request(from.Node, "ReadLedger", ef.Topic), func() func() {
		value, outcome := d.b.ledger(ef)
		return func() { done(protocol.LedgerRead{Op: ef.Op, Outcome: outcome, Value: value}) }
	}, func() { done(protocol.LedgerRead{Op: ef.Op, Outcome: protocol.Unknown}) })
}
