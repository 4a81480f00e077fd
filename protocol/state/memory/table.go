package memory

import (
	"bytes"
	"fmt"

	"weir/protocol"
	"weir/protocol/state"
	"weir/protocol/state/run"
)

const maxEntry = 1 << 30 // bytes of a key and its value

// Table is keyed state in memory. It implements state.Keyed.
//
// Values are overwritten in place; a delete leaves a dead entry, which remembers its place in the delta until the next
// freeze and is buried a little later. Memory is not given back when keys are deleted, it is used again.
type Table struct {
	owned  state.Groups
	groups int // of the job

	index   index
	entries []entry
	vacant  uint32 // the first free entry, counted from 1; the next is at its field pos
	slab    arena  // blocks of key and value

	delta *delta
	gen   uint32  // Invariant: counts freezes from 1; an entry of this gen is in delta, at pos
	dead  []grave // Invariant: each dead entry is in it once, in ascending order of gen
	dug   int     // graves at the front that are done with
	last  uint32  // the entry that the last call found, counted from 1; it is likely what the next asks for
	live  int
	size  int
	err   error
}

// An entry is a key, live or dead.
type entry struct {
	hash, gen, pos uint32
	key, value     uint32 // lengths
	at             ref
	class          uint8
	status         status
	interred       bool // it is in dead
}

type status uint8

const (
	vacant status = iota
	live
	dead
)

type grave struct{ id, gen uint32 }

// New is an empty table for a task that owns so many of a job's totalGroups key groups.
func New(groups state.Groups, totalGroups int) *Table {
	protocol.Assert(0 <= groups.From && groups.From <= groups.To && groups.To <= totalGroups, "a task's key groups are groups of the job")
	return &Table{owned: groups, groups: totalGroups, delta: &delta{groups: totalGroups}, gen: 1}
}

// Get returns the value of key; it aliases the table and is valid until the next call.
func (t *Table) Get(key []byte) (value []byte, ok bool) {
	e, _ := t.find(key)
	if e == nil || e.status != live {
		return nil, false
	}
	return t.slab.bytes(e.at, int(e.key), int(e.key+e.value)), true
}

// Put stores a copy of key and value.
func (t *Table) Put(key, value []byte) {
	e := t.touch(key, len(value))
	if e == nil {
		return
	}
	t.set(e, value)
	// The delta copies from the table, not from value: if that is a part of what Get returned, it is overwritten by now.
	t.dirty(e, len(value))
	t.delta.put(e.pos, t.slab.bytes(e.at, int(e.key), int(e.key+e.value)))
}

// Delete removes key; the delta keeps a tombstone, whether the key was there or not.
func (t *Table) Delete(key []byte) {
	e := t.touch(key, 0)
	if e == nil {
		return
	}
	t.dirty(e, 0)
	t.delta.drop(e.pos)
	t.unset(e)
	if !e.interred {
		e.interred = true
		t.dead = append(t.dead, grave{t.last - 1, t.gen})
	}
}

// Freeze takes the delta since the last freeze and begins a new one.
func (t *Table) Freeze() state.Frozen {
	d := t.delta
	t.delta = &delta{groups: t.groups}
	t.gen++
	return d
}

// Restore applies a run, clipped to the table's groups.
func (t *Table) Restore(body []byte) error {
	protocol.Assert(t.gen == 1 && t.delta.Len() == 0, "state is restored before it is used")
	r, err := run.Open(body)
	if err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	if r.Groups() != t.groups {
		return fmt.Errorf("restore state: the run was written with %d key groups, this job has %d: they are fixed for the life of a job", r.Groups(), t.groups)
	}
	c := r.Cursor(t.owned)
	for c.Next() {
		t.apply(c.Entry())
	}
	if c.Err() != nil {
		t.fail("restore state: %w", c.Err())
	}
	return t.err
}

func (t *Table) apply(r run.Entry) {
	slot, found := t.index.find(r.Hash, r.Key, t)
	switch {
	case r.Tombstone && found:
		e := &t.entries[t.index.id(slot)]
		t.unset(e)
		t.bury(t.index.id(slot))
	case r.Tombstone:
	case found:
		t.set(&t.entries[t.index.id(slot)], r.Value)
	default:
		t.set(t.insert(r.Hash, r.Key, len(r.Value)), r.Value)
	}
}

// Err is the first error; it is sticky.
func (t *Table) Err() error { return t.err }

// Len is the number of live keys.
func (t *Table) Len() int { return t.live }

// Size is the number of key and value bytes of live keys.
func (t *Table) Size() int { return t.size }

func (t *Table) fail(format string, args ...any) {
	if t.err == nil {
		t.err = fmt.Errorf(format, args...)
	}
}

// find returns the entry of key, or nil, and its hash, which is zero where it was not needed.
func (t *Table) find(key []byte) (*entry, uint32) {
	if t.last != 0 {
		if e := &t.entries[t.last-1]; bytes.Equal(t.slab.bytes(e.at, 0, int(e.key)), key) {
			return e, 0
		}
	}
	hash := state.Hash(key)
	slot, ok := t.index.find(hash, key, t)
	if !ok {
		return nil, hash
	}
	id := t.index.id(slot)
	t.last = id + 1
	return &t.entries[id], hash
}

// touch finds the entry of key, or makes a dead one, before a change; it is nil if the key cannot be taken.
func (t *Table) touch(key []byte, value int) *entry {
	if len(key)+value > maxEntry {
		t.fail("change state of key %.64q: its %d bytes with %d bytes of value are above %d: keep less per key", key, len(key), value, maxEntry)
		return nil
	}
	e, hash := t.find(key)
	if e == nil {
		group := state.GroupOf(hash, t.groups)
		if group < t.owned.From || group >= t.owned.To {
			t.fail("change state of key %.64q: its key group %d is not in [%d, %d), those of this task: state is kept under the key that routed the record", key, group, t.owned.From, t.owned.To)
			return nil
		}
		e = t.insert(hash, key, value)
	}
	t.sweep()
	return e
}

// insert makes a dead entry in no grave: the caller sets it or buries it.
func (t *Table) insert(hash uint32, key []byte, value int) *entry {
	id := t.vacant - 1
	if t.vacant != 0 {
		t.vacant = t.entries[id].pos
	} else {
		id = uint32(len(t.entries))
		t.entries = append(t.entries, entry{})
	}
	e := &t.entries[id]
	*e = entry{hash: hash, key: uint32(len(key)), status: dead}
	e.at, e.class = t.slab.alloc(len(key) + value)
	copy(t.slab.bytes(e.at, 0, len(key)), key)
	t.index.insert(hash, id)
	t.last = id + 1
	return e
}

func (t *Table) set(e *entry, value []byte) {
	if e.status != live {
		e.status = live
		t.live++
		t.size += int(e.key)
	}
	t.size += len(value) - int(e.value)
	e.value = uint32(len(value))
	e.at, e.class = t.slab.write(e.at, e.class, int(e.key), value)
}

func (t *Table) unset(e *entry) {
	if e.status == live {
		t.live--
		t.size -= int(e.key) + int(e.value)
	}
	e.status, e.value = dead, 0
}

// dirty gives e a place in the delta, with room for a value.
func (t *Table) dirty(e *entry, value int) {
	if e.gen != t.gen {
		e.gen = t.gen
		e.pos = t.delta.add(e.hash, t.slab.bytes(e.at, 0, int(e.key)), value)
	}
}

// sweep buries what died before the last freeze, a little at each change, so that a freeze need not.
func (t *Table) sweep() {
	for range 2 {
		if t.dug == len(t.dead) || t.dead[t.dug].gen == t.gen {
			return
		}
		t.dug++
		t.dig(t.dead[t.dug-1].id)
	}
	if 2*t.dug >= len(t.dead) {
		t.dead, t.dug = t.dead[:copy(t.dead, t.dead[t.dug:])], 0
	}
}

// dig empties a grave. The entry may live again, or have died again, or be the one that is being changed.
func (t *Table) dig(id uint32) {
	e := &t.entries[id]
	switch {
	case e.status == live:
		e.interred = false
	case e.gen == t.gen || id == t.last-1:
		t.dead = append(t.dead, grave{id, t.gen})
	default:
		t.bury(id)
	}
}

// bury takes a dead entry out of the table.
func (t *Table) bury(id uint32) {
	e := &t.entries[id]
	t.index.remove(e.hash, id)
	t.slab.release(e.at, e.class)
	*e = entry{pos: t.vacant}
	t.vacant = id + 1
	if t.last == id+1 {
		t.last = 0
	}
}
