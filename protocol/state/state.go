package state

import "weir/protocol"

// Keyed is one task's keyed state. It is bounded by its implementation and called synchronously inside Step.
type Keyed interface {
	// Get returns the value of key; it aliases the table and is valid until the next call.
	Get(key []byte) (value []byte, ok bool)
	// Put stores a copy of key and value.
	Put(key, value []byte)
	// Delete removes key; the delta keeps a tombstone.
	Delete(key []byte)
	// Freeze takes the delta since the last freeze, in O(1), and begins a new one. What it returns never changes.
	Freeze() Frozen
	// Restore applies a run's body, oldest run first, before the first Freeze; it touches no delta. Keys of groups
	// outside the table's range are skipped. An error means that the body is not a run.
	Restore(run []byte) error
	// Err is sticky: once set, nothing that the state answered since can be trusted.
	Err() error
}

// Frozen is the immutable delta of one freeze. Its encoding is a run (package run), sorted by group and key.
type Frozen interface {
	protocol.Object
	Len() int  // keys and tombstones
	Size() int // key and value bytes
}

// GroupOf is the key group of a key's hash.
func GroupOf(hash uint32, groups int) int { return int(uint64(hash) * uint64(groups) >> 32) }

// Groups is the half-open range of key groups that one task owns.
type Groups struct{ From, To int }

// OwnerOf is the index, of parallelism tasks, that owns a group.
func OwnerOf(group, groups, parallelism int) int { return group * parallelism / groups }

// Owned is the range of groups of task index.
func Owned(index, groups, parallelism int) Groups {
	return Groups{(index*groups + parallelism - 1) / parallelism, ((index+1)*groups + parallelism - 1) / parallelism}
}

// Hash is the 32-bit hash that routes a key: FNV-1a with a finaliser, because its top bits choose the group.
func Hash(key []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range key {
		h = (h ^ uint32(c)) * 16777619
	}
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}
