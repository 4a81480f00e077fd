package run

import (
	"bytes"
	"slices"

	"github.com/klauspost/compress/s2"

	"weir/protocol"
	"weir/protocol/codec"
)

const (
	magic   = "WRUN"
	version = 1
	what    = "run"

	fullBlock     = 64 << 10 // raw bytes at which a block ends
	compressAbove = 512
	compressUpTo  = 1 << 30
	maxRatio      = 64 // raw bytes per stored byte
)

// Entry is one key of a run with what became of it.
type Entry struct {
	Key, Value []byte
	Hash       uint32 // of the key, by state.Hash
	Group      int    // of the hash
	Tombstone  bool   // the key was deleted; Value is nil
}

// A block is an entry of the index.
type block struct{ group, stored, raw int }

// Writer builds a run. Its zero value is not usable; NewWriter makes one.
type Writer struct {
	groups int
	count  int
	index  []block
	data   []byte // finished blocks
	raw    []byte // the block of the last entry of index; empty if that is finished
	group  int    // of the entry added last
	key    []byte // of the entry added last; aliases raw, which is not written before it is compared
	value  int    // field of the entry added last
	packed []byte // scratch for s2
}

// NewWriter begins a run of a job with so many key groups.
func NewWriter(groups int) *Writer { return &Writer{groups: groups} }

// Add appends an entry, whose Hash is not used. Entries come in strictly ascending order of group, then key.
func (w *Writer) Add(e Entry) {
	protocol.Assert(e.Group < w.groups && (w.count == 0 || w.group < e.Group || w.group == e.Group && bytes.Compare(w.key, e.Key) < 0), "the entries of a run ascend")
	first := len(w.raw) == 0
	if first {
		w.index = append(w.index, block{group: e.Group})
	}
	value := 0
	if !e.Tombstone {
		value = len(e.Value) + 1
	}
	if !first && value == w.value {
		w.raw = codec.AppendUint(w.raw, 2*len(e.Key)+1)
	} else {
		w.raw = codec.AppendUint(codec.AppendUint(w.raw, 2*len(e.Key)), value)
	}
	w.raw = append(w.raw, e.Key...)
	w.count, w.group, w.value, w.key = w.count+1, e.Group, value, w.raw[len(w.raw)-len(e.Key):]
	if !e.Tombstone {
		w.raw = append(w.raw, e.Value...)
	}
	if len(w.raw) >= fullBlock {
		w.finish()
	}
}

// finish moves the block at hand to data.
func (w *Writer) finish() {
	if len(w.raw) == 0 {
		return
	}
	b := &w.index[len(w.index)-1]
	stored := w.compress()
	b.stored = len(stored)
	if b.stored != len(w.raw) {
		b.raw = len(w.raw)
	}
	w.data = append(w.data, stored...)
	w.raw = w.raw[:0]
}

func (w *Writer) compress() []byte {
	n := len(w.raw)
	if n <= compressAbove || n > compressUpTo {
		return w.raw
	}
	w.packed = s2.Encode(w.packed[:cap(w.packed)], w.raw)
	if n > maxRatio*len(w.packed) {
		w.packed = s2.EncodeSnappy(w.packed[:cap(w.packed)], w.raw) // never below 1/22
	}
	if len(w.packed) > n-n/8 {
		return w.raw
	}
	return w.packed
}

// Append appends the run to dst. The writer is done with after that.
func (w *Writer) Append(dst []byte) []byte {
	w.finish()
	dst = slices.Grow(dst, 64+10*len(w.index)+len(w.data))
	return codec.Seal(dst, magic, version, func(dst []byte) []byte {
		dst = codec.AppendUint(dst, w.groups)
		dst = codec.AppendUint(dst, w.count)
		dst = codec.AppendUint(dst, len(w.index))
		group := 0
		for _, b := range w.index {
			dst = codec.AppendUint(dst, b.group-group)
			dst = codec.AppendUint(dst, b.stored)
			dst = codec.AppendUint(dst, b.raw)
			group = b.group
		}
		return append(dst, w.data...)
	})
}
