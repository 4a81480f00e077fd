package disk

import (
	"slices"

	"weir/faults"
	"weir/protocol"
)

// Harm is what is done to copies.
type Harm struct {
	Kind  faults.Kind // DiskFull or DiskRot when one is written, DiskLost or DiskTorn when the power fails
	Draws faults.Stream
	shown bool // it has made a difference, and is counted
}

// copied is one copy.
type copied struct {
	shelf  string
	key    protocol.ObjectKey
	body   []byte
	gone   bool          // it was never written, or is lost: what stands here tells whose fault that is
	harm   *Harm         // that shows in what is read; nil: none
	unsafe protocol.Time // until then it is in memory only
}

// disk is one machine's. Copies are in the order of their first writing.
type disk struct {
	node   protocol.NodeID
	copies []*copied
}

func (d *disk) find(shelf string, key protocol.ObjectKey) *copied {
	for _, c := range d.copies {
		if c.shelf == shelf && c.key == key {
			return c
		}
	}
	return nil
}

// unsafe reports whether copies are in memory only.
func (d *disk) unsafe(now protocol.Time) bool {
	return slices.ContainsFunc(d.copies, func(c *copied) bool { return now < c.unsafe })
}

// write puts a copy in its place.
func (d *disk) write(c *copied) {
	if old := d.find(c.shelf, c.key); old != nil {
		*old = *c
		return
	}
	d.copies = append(d.copies, c)
}

// retain takes the others off a shelf.
func (d *disk) retain(shelf string, keys []protocol.ObjectKey) {
	d.copies = slices.DeleteFunc(d.copies, func(c *copied) bool { return c.shelf == shelf && !slices.Contains(keys, c.key) })
}

// lose applies what a loss of power does to copies in memory: all are lost, or all torn, or some are the one and some
// the other.
func (d *disk) lose(now protocol.Time, lost, torn *Harm) {
	for _, c := range d.copies {
		switch {
		case now >= c.unsafe || c.gone || c.harm != nil:
		case lost != nil && (torn == nil || torn.Draws.Chance(1, 2)):
			c.harm, c.gone = lost, true
		case torn != nil:
			c.harm = torn
			c.tear()
		}
	}
}

// tear leaves the beginning of a copy; the rest is missing, or zero, as file systems leave blocks that were allocated and
// not written.
func (c *copied) tear() {
	at := c.harm.Draws.Pick(len(c.body))
	if c.harm.Draws.Chance(1, 2) {
		c.body = c.body[:at]
	} else {
		clear(c.body[at:])
	}
}

// rot spoils what is read: a bit, or the whole, which is another copy's, as after a write in the wrong place.
func (d *disk) rot(c *copied) []byte {
	others := d.copies
	if o := others[c.harm.Draws.Pick(len(others))]; o != c && !o.gone && c.harm.Draws.Chance(1, 2) {
		return slices.Clone(o.body)
	}
	body := slices.Clone(c.body)
	if len(body) > 0 {
		body[c.harm.Draws.Pick(len(body))] ^= 1 << c.harm.Draws.Pick(8)
	}
	return body
}
