package memory

import "bytes"

// An index maps keys to entries: open addressing, linear probing. A slot is hash and entry + 1, or zero. The low bits
// of the hash choose the slot, because the top bits chose the task.
type index struct {
	slots []uint64
	used  int // Invariant: at most 2/3 of slots
}

// id is the entry at a slot.
func (x *index) id(slot int) uint32 { return uint32(x.slots[slot]) - 1 }

// find returns the slot of key.
func (x *index) find(hash uint32, key []byte, t *Table) (slot int, ok bool) {
	if x.used == 0 {
		return 0, false
	}
	mask := len(x.slots) - 1
	for i := int(hash) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		if uint32(x.slots[i]>>32) != hash {
			continue
		}
		if e := &t.entries[x.id(i)]; bytes.Equal(t.slab.bytes(e.at, 0, int(e.key)), key) {
			return i, true
		}
	}
	return 0, false
}

// insert adds an entry whose key is not in the index.
func (x *index) insert(hash uint32, id uint32) {
	if (x.used+1)*3 > len(x.slots)*2 {
		x.grow()
	}
	x.used++
	x.place(uint64(hash)<<32 | uint64(id+1))
}

func (x *index) place(slot uint64) {
	mask := len(x.slots) - 1
	i := int(slot>>32) & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = slot
}

func (x *index) grow() {
	old := x.slots
	x.slots = make([]uint64, max(8, 2*len(old)))
	for _, slot := range old {
		if slot != 0 {
			x.place(slot)
		}
	}
}

// remove takes an entry out and closes the gap, so that probing never meets a marker of what was deleted.
func (x *index) remove(hash uint32, id uint32) {
	mask := len(x.slots) - 1
	gap := int(hash) & mask
	for x.slots[gap] != uint64(hash)<<32|uint64(id+1) {
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		home := int(x.slots[i]>>32) & mask
		if (i-home)&mask >= (i-gap)&mask {
			x.slots[gap], gap = x.slots[i], i
		}
	}
	x.slots[gap] = 0
	x.used--
}
