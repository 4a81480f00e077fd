package memory

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"weir/protocol/state"
	"weir/protocol/state/run"
)

// A delta holds copies of what changed since a freeze. Once frozen it is never written again, so it may be encoded on
// any thread while the table goes on.
type delta struct {
	groups int
	items  []item // one per key, in the order of their first change
	slab   arena  // blocks of key and value
	size   int    // key and value bytes
}

// An item is a key's place in a delta.
type item struct {
	hash       uint32
	key, value uint32 // lengths
	at         ref
	class      uint8
	tombstone  bool
}

// add begins an item, with room for a value, and returns its position.
func (d *delta) add(hash uint32, key []byte, value int) uint32 {
	it := item{hash: hash, key: uint32(len(key)), tombstone: true}
	it.at, it.class = d.slab.alloc(len(key) + value)
	copy(d.slab.bytes(it.at, 0, len(key)), key)
	d.items = append(d.items, it)
	d.size += len(key)
	return uint32(len(d.items) - 1)
}

// put sets the value at a position.
func (d *delta) put(pos uint32, value []byte) {
	it := &d.items[pos]
	d.size += len(value) - int(it.value)
	it.value, it.tombstone = uint32(len(value)), false
	it.at, it.class = d.slab.write(it.at, it.class, int(it.key), value)
}

// drop sets a tombstone at a position.
func (d *delta) drop(pos uint32) {
	it := &d.items[pos]
	d.size -= int(it.value)
	it.value, it.tombstone = 0, true
}

// write puts value behind the key of a block, in place if it fits, else into another block.
func (a *arena) write(r ref, class uint8, key int, value []byte) (ref, uint8) {
	n := key + len(value)
	if n <= a.room(r, class) {
		copy(a.bytes(r, key, n), value)
		return r, class
	}
	to, toClass := a.alloc(n)
	copy(a.bytes(to, 0, key), a.bytes(r, 0, key))
	copy(a.bytes(to, key, n), value)
	a.release(r, class)
	return to, toClass
}

// Len is the number of keys and tombstones.
func (d *delta) Len() int { return len(d.items) }

// Size is the number of key and value bytes.
func (d *delta) Size() int { return d.size }

// Encode appends the run.
func (d *delta) Encode(dst []byte) []byte {
	w := run.NewWriter(d.groups)
	for _, o := range d.sorted() {
		it := &d.items[o.pos]
		e := run.Entry{Group: int(o.group), Key: d.key(o.pos), Tombstone: it.tombstone}
		if !it.tombstone {
			e.Value = d.slab.bytes(it.at, int(it.key), int(it.key+it.value))
		}
		w.Add(e)
	}
	return w.Append(dst)
}

func (d *delta) key(pos uint32) []byte {
	it := &d.items[pos]
	return d.slab.bytes(it.at, 0, int(it.key))
}

// An order is what an item is sorted by; most pairs differ in the 8 bytes behind what all keys have in common.
type order struct {
	prefix     uint64
	group, pos uint32
}

func (d *delta) sorted() []order {
	common := d.common()
	out := make([]order, len(d.items))
	for i := range d.items {
		var prefix [8]byte
		copy(prefix[:], d.key(uint32(i))[common:])
		out[i] = order{binary.BigEndian.Uint64(prefix[:]), uint32(state.GroupOf(d.items[i].hash, d.groups)), uint32(i)}
	}
	slices.SortFunc(out, func(a, b order) int {
		if c := cmp.Compare(a.group, b.group); c != 0 {
			return c
		}
		if c := cmp.Compare(a.prefix, b.prefix); c != 0 {
			return c
		}
		return bytes.Compare(d.key(a.pos), d.key(b.pos))
	})
	return out
}

// common is the length of the prefix that all keys have.
func (d *delta) common() int {
	if len(d.items) == 0 {
		return 0
	}
	first := d.key(0)
	n := len(first)
	for i := range d.items {
		key := d.key(uint32(i))
		n = min(n, len(key))
		for !bytes.Equal(first[:n], key[:n]) {
			n--
		}
	}
	return n
}
