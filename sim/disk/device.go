package disk

import (
	"slices"

	"weir/faults"
	"weir/protocol"
)

// World is what a device asks of the world around it.
type World interface {
	Now() protocol.Time
	// After runs fn once, d later.
	After(d protocol.Duration, fn func())
	// DiskDelay is how long a request takes without a fault.
	DiskDelay() protocol.Duration
	// DiskWrite says what becomes of a copy that a node writes now; nil: it is written.
	DiskWrite(node protocol.NodeID, shelf string) *Harm
	// DiskDeath says what becomes of a node's copies in memory when its process dies. Both nil: the machine lives on, and they
	// are written out.
	DiskDeath(node protocol.NodeID) (lost, torn *Harm)
	// DiskRead says by how much a read is late, and whether it ends with an error.
	DiskRead(node protocol.NodeID, shelf string) (late protocol.Duration, broken bool)
	// DiskStruck counts a fault that has made a difference to a node.
	DiskStruck(node protocol.NodeID, k faults.Kind)
}

// unsafeFor is how long a file may stay in memory that nobody syncs: 30 s with Linux's usual dirty_expire_centisecs, ten
// minutes with those that save power.
const unsafeFor = 10 * protocol.Minute

// A Device performs Keep, Recall and Retain on the disk of the machine that asks. All processes of a job may share one.
type Device struct {
	world World
	disks []*disk // in the order of their first use
	lives map[protocol.NodeID]int
}

// NewDevice makes the disks of machines, all empty.
func NewDevice(w World) *Device { return &Device{world: w, lives: make(map[protocol.NodeID]int)} }

// Died tells the device that a node's process is gone, and what it had in memory with it.
func (d *Device) Died(node protocol.NodeID) {
	d.lives[node]++
	if k := d.of(node); k.unsafe(d.world.Now()) {
		lost, torn := d.world.DiskDeath(node)
		k.lose(d.world.Now(), lost, torn)
	}
}

func (d *Device) of(node protocol.NodeID) *disk {
	for _, k := range d.disks {
		if k.node == node {
			return k
		}
	}
	k := &disk{node: node}
	d.disks = append(d.disks, k)
	return k
}

// Perform implements protocol.Device.
func (d *Device) Perform(from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	switch ef := ef.(type) {
	case protocol.Keep:
		d.keep(from.Node, ef)
	case protocol.Recall:
		d.recall(from.Node, ef, done)
	case protocol.Retain:
		keys := slices.Clone(ef.Keys)
		d.later(from.Node, d.world.DiskDelay(), func() { d.of(from.Node).retain(ef.Shelf, keys) })
	default:
		protocol.Assert(false, "sim/disk: an effect of another device")
	}
}

// later runs fn in a while, unless the process dies before.
func (d *Device) later(node protocol.NodeID, wait protocol.Duration, fn func()) {
	life := d.lives[node]
	d.world.After(wait, func() {
		if d.lives[node] == life {
			fn()
		}
	})
}

func (d *Device) keep(node protocol.NodeID, ef protocol.Keep) {
	h := d.world.DiskWrite(node, ef.Shelf)
	d.later(node, d.world.DiskDelay(), func() {
		d.of(node).write(&copied{
			shelf: ef.Shelf, key: ef.Key, body: ef.Object.Encode(nil), unsafe: d.world.Now().Add(unsafeFor),
			harm: h, gone: h != nil && h.Kind == faults.DiskFull,
		})
	})
}

func (d *Device) recall(node protocol.NodeID, ef protocol.Recall, done func(protocol.Event)) {
	late, broken := d.world.DiskRead(node, ef.Shelf)
	d.later(node, d.world.DiskDelay()+late, func() {
		ev := protocol.Recalled{Op: ef.Op, Outcome: protocol.NotFound}
		switch c := d.of(node).find(ef.Shelf, ef.Key); {
		case c == nil:
		case c.gone:
			d.shows(node, c.harm)
		case broken:
			ev.Outcome = protocol.Unknown
			d.world.DiskStruck(node, faults.DiskError)
		default:
			ev.Outcome, ev.Body = protocol.OK, d.read(node, c)
		}
		done(ev)
	})
}

// shows counts a harm when it first makes a difference.
func (d *Device) shows(node protocol.NodeID, h *Harm) {
	if !h.shown {
		h.shown = true
		d.world.DiskStruck(node, h.Kind)
	}
}

// read is what a copy reads as.
func (d *Device) read(node protocol.NodeID, c *copied) []byte {
	if c.harm != nil {
		d.shows(node, c.harm)
		if c.harm.Kind == faults.DiskRot {
			return d.of(node).rot(c)
		}
	}
	return slices.Clone(c.body)
}
