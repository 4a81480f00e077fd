package scenarios

import "weir/protocol"

// fiftyDisk puts the time of writing and reading, and of encoding and decoding, before and behind what disks do.
type fiftyDisk struct {
	bucket  *fiftyBucket // knows the lives of nodes
	inner   protocol.Device
	in, out []protocol.Time // by node: when its disk is free
}

func newFiftyDisk(b *fiftyBucket, inner protocol.Device, nodes int) *fiftyDisk {
	return &fiftyDisk{bucket: b, inner: inner, in: make([]protocol.Time, nodes), out: make([]protocol.Time, nodes)}
}

// Perform implements protocol.Device.
func (d *fiftyDisk) Perform(from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	switch ef := ef.(type) {
	case protocol.Keep:
		d.keep(from, ef)
	case protocol.Recall:
		d.inner.Perform(from, ef, func(ev protocol.Event) { d.recalled(from, ev.(protocol.Recalled), done) })
	default:
		d.inner.Perform(from, ef, done)
	}
}

func (d *fiftyDisk) keep(from protocol.Address, ef protocol.Keep) {
	r := d.bucket.run
	n := entriesOf(ef.Object.Encode(nil)) * r.fifty.entry()
	if len(r.list) == 0 { // the run begins with a job whose state is there, and its copies
		n = 0
	}
	wait := timeOf(n, r.fifty.Model.Encode) + d.turn(&d.in[from.Node], n, r.fifty.Model.DiskIn)
	d.bucket.after(from.Node, wait, func() { d.inner.Perform(from, ef, nil) })
}

func (d *fiftyDisk) recalled(from protocol.Address, ev protocol.Recalled, done func(protocol.Event)) {
	r, n := d.bucket.run, int64(0)
	if ev.Outcome == protocol.OK {
		n = entriesOf(ev.Body) * r.fifty.entry()
		r.copies += n
	}
	wait := d.turn(&d.out[from.Node], n, r.fifty.Model.DiskOut) + timeOf(n, r.fifty.Model.Decode)
	d.bucket.after(from.Node, wait, func() { done(ev) })
}

// turn is when a disk, first come first served, has moved n bytes more.
func (d *fiftyDisk) turn(free *protocol.Time, n, megabytes int64) protocol.Duration {
	now := d.bucket.run.net.Now()
	*free = max(*free, now).Add(timeOf(n, megabytes))
	return free.Sub(now)
}
