package bucket

import (
	"crypto/sha256"
	"slices"

	"weir/protocol"
	"weir/sim/wire"
)

// A Device performs Store, Load and Delete against a bucket, each by one request. All processes may share one.
type Device struct {
	bucket  *Bucket
	net     wire.Net
	timeout protocol.Duration
}

// NewDevice makes a device whose requests are given up after timeout.
func NewDevice(b *Bucket, net wire.Net, timeout protocol.Duration) *Device {
	return &Device{bucket: b, net: net, timeout: timeout}
}

// Perform implements protocol.Device.
func (d *Device) Perform(from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	switch ef := ef.(type) {
	case protocol.Store:
		w := &write{d: d, effect: ef, done: done}
		d.net.Call(d.request(from, "Store", ef.Key), wire.Funcs(w.apply, w.lost))
	case protocol.Load:
		d.load(from, ef, done)
	case protocol.Delete:
		d.remove(from, ef, done)
	default:
		protocol.Assert(false, "sim/bucket: an effect of another device")
	}
}

func (d *Device) request(from protocol.Address, kind string, key protocol.ObjectKey) wire.Request {
	return wire.Request{Node: from.Node, Kind: kind, Object: string(key), Timeout: d.timeout}
}

// A write is one Store on its way.
type write struct {
	d      *Device
	effect protocol.Store
	done   func(protocol.Event)

	size int64
	sum  protocol.Sum
}

// apply encodes the object only now, when the request reaches the bucket, so that an object which is not as immutable
// as it claims to be is stored, and later restored, as what it became.
func (w *write) apply() func() {
	body := w.effect.Object.Encode(nil)
	w.size, w.sum = int64(len(body)), sha256.Sum256(body)
	version, outcome := w.d.bucket.store(w.effect.Key, body, w.sum, w.effect.IfMatch, w.d.net.Now())
	answer := protocol.Stored{Op: w.effect.Op, Outcome: outcome, Version: version, Size: w.size, Sum: w.sum}
	return func() { w.done(answer) }
}

func (w *write) lost() {
	w.done(protocol.Stored{Op: w.effect.Op, Outcome: protocol.Unknown, Size: w.size, Sum: w.sum})
}

func (d *Device) load(from protocol.Address, ef protocol.Load, done func(protocol.Event)) {
	asked := d.net.Now()
	d.net.Call(d.request(from, "Load", ef.Key), wire.Funcs(func() func() {
		o, outcome := d.bucket.Load(ef.Key)
		version := o.seen(asked)
		return func() {
			done(protocol.Loaded{Op: ef.Op, Outcome: outcome, Version: version, Body: slices.Clone(o.Body)})
		}
	}, func() { done(protocol.Loaded{Op: ef.Op, Outcome: protocol.Unknown}) }))
}

func (d *Device) remove(from protocol.Address, ef protocol.Delete, done func(protocol.Event)) {
	d.net.Call(d.request(from, "Delete", ef.Key), wire.Funcs(func() func() {
		d.bucket.Delete(ef.Key)
		return func() { done(protocol.Deleted{Op: ef.Op, Outcome: protocol.OK}) }
	}, func() { done(protocol.Deleted{Op: ef.Op, Outcome: protocol.Unknown}) }))
}
