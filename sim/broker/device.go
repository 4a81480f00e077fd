package broker

import (
	"weir/protocol"
	"weir/protocol/batch"
	"weir/sim/wire"
)

// Client is how the processes' clients behave. Every field is required.
type Client struct {
	Timeout protocol.Duration // of one effect, after which its outcome is Unknown
	Request protocol.Duration // of one Produce request, after which the client sends it again
	Backoff protocol.Duration // before a request is sent again that was answered "not yet"
	Poll    protocol.Duration // how long a read waits for something to read
	Pool    batch.Pool        // where fetched batches come from and produced ones go
}

// A Device performs the effects on the log. All processes share one; it keeps the clients of each apart.
type Device struct {
	b    *Broker
	net  wire.Net
	opts Client

	slots map[slotKey]*slot
	// Invariant: the slots in the map, in the order they were opened.
	order []*slot
	lives map[protocol.NodeID]uint32 // how often the clients of a process were dropped
}

type slotKey struct {
	node protocol.NodeID
	id   protocol.TransactionalID
}

// NewDevice makes a device for the clients of any number of processes.
func NewDevice(b *Broker, net wire.Net, opts Client) *Device {
	protocol.Assert(opts.Timeout > 0 && opts.Request > 0 && opts.Backoff > 0 && opts.Poll > 0 && opts.Pool != nil, "sim/broker: client options missing")
	return &Device{b: b, net: net, opts: opts, slots: make(map[slotKey]*slot), lives: make(map[protocol.NodeID]uint32)}
}

// Crash drops every client of a process: no slot, opening or waiting read of its is answered any more, and what is on the
// wire may still arrive. It stands for the death of the process, and for Halt; then replies to its other requests still
// come, and the driver drops them with the tasks that asked.
func (d *Device) Crash(node protocol.NodeID) {
	d.lives[node]++
	d.b.dropNode(node)
	kept := d.order[:0]
	for _, s := range d.order {
		if s.key.node != node {
			kept = append(kept, s)
			continue
		}
		delete(d.slots, s.key)
	}
	clear(d.order[len(kept):])
	d.order = kept
}

// Perform implements protocol.Device.
func (d *Device) Perform(from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	switch ef := ef.(type) {
	case protocol.Produce:
		d.produce(from, ef, done)
	case protocol.Fetch:
		d.fetch(from, ef, done)
	case protocol.OpenSlot:
		d.openSlot(from, ef, done)
	case protocol.Flush:
		d.flush(from, ef, done)
	case protocol.EndTxn:
		d.endTxn(from, ef, done)
	case protocol.ReadLedger:
		d.readLedger(from, ef, done)
	case protocol.Survey:
		d.survey(from, ef, done)
	case protocol.Fence:
		d.fence(from, ef, done)
	case protocol.Erase:
		d.erase(from, ef, done)
	case protocol.ListTxns:
		d.listTxns(from, ef, done)
	default:
		protocol.Assert(false, "sim/broker: an effect of another device")
	}
}

func (d *Device) request(node protocol.NodeID, kind, object string) wire.Request {
	return wire.Request{Node: node, Kind: kind, Object: object, Timeout: d.opts.Timeout}
}

func (d *Device) survey(from protocol.Address, ef protocol.Survey, done func(protocol.Event)) {
	d.net.Call(d.request(from.Node, "Survey", ef.Topic), wire.Funcs(func() func() {
		id, ranges, outcome := d.b.survey(ef.Topic)
		return func() {
			done(protocol.Surveyed{Op: ef.Op, Outcome: outcome, TopicID: id, Ranges: ranges})
		}
	}, func() { done(protocol.Surveyed{Op: ef.Op, Outcome: protocol.Unknown}) }))
}

func (d *Device) endTxn(from protocol.Address, ef protocol.EndTxn, done func(protocol.Event)) {
	answer := func(o protocol.Outcome) { done(protocol.Ended{Op: ef.Op, ID: ef.ID, Outcome: o}) }
	d.net.Call(d.request(from.Node, "EndTxn", string(ef.ID)), wire.Funcs(func() func() {
		code := d.b.EndTxn(ef.ID, ef.Producer, ef.Version, ef.Commit)
		return func() { answer(ended(code)) }
	}, func() { answer(protocol.Unknown) }))
}

// fenceTimeout is the transaction timeout that a fence leaves with the id. No transaction follows it.
const fenceTimeout = protocol.Minute

func (d *Device) fence(from protocol.Address, ef protocol.Fence, done func(protocol.Event)) {
	answer := func(o protocol.Outcome) { done(protocol.Fenced{Op: ef.Op, ID: ef.ID, Outcome: o}) }
	d.net.Call(d.request(from.Node, "Fence", string(ef.ID)), wire.Funcs(func() func() {
		_, code := d.b.InitProducerID(ef.ID, min(fenceTimeout, d.b.opts.MaxTxn))
		return func() { answer(ended(code)) }
	}, func() { answer(protocol.Unknown) }))
}

func (d *Device) erase(from protocol.Address, ef protocol.Erase, done func(protocol.Event)) {
	d.net.Call(d.request(from.Node, "Erase", ef.Topic), wire.Funcs(func() func() {
		out := protocol.NotFound
		if p := d.b.partition(ef.Topic, ef.Partition); p != nil {
			d.b.compactLater(p, ef.Key, d.b.Feed(ef.Topic, ef.Partition, []KV{{Key: ef.Key}}))
			out = protocol.OK
		}
		return func() { done(protocol.Erased{Op: ef.Op, Outcome: out}) }
	}, func() { done(protocol.Erased{Op: ef.Op, Outcome: protocol.Unknown}) }))
}

func (d *Device) listTxns(from protocol.Address, ef protocol.ListTxns, done func(protocol.Event)) {
	d.net.Call(d.request(from.Node, "ListTxns", ef.Prefix), wire.Funcs(func() func() {
		open := d.b.list(ef.Prefix)
		return func() { done(protocol.TxnsListed{Op: ef.Op, Outcome: protocol.OK, Open: open}) }
	}, func() { done(protocol.TxnsListed{Op: ef.Op, Outcome: protocol.Unknown}) }))
}
