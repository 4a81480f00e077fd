package run

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/klauspost/compress/s2"

	"weir/protocol/codec"
	"weir/protocol/state"
)

// Reader reads a run. Copies are equal; a Reader is not changed by being read.
type Reader struct {
	groups, count int
	index         []block
	data          []byte // the blocks, back to back; aliases the body
}

// Open checks envelope and index of a run; blocks are checked as they are read. The reader aliases body.
func Open(body []byte) (Reader, error) {
	inner, err := codec.Open(body, magic, version, what)
	if err != nil {
		return Reader{}, err
	}
	r, err := parse(codec.NewReader(inner), uint64(len(inner)))
	if err != nil {
		return Reader{}, fmt.Errorf("run: %w: its checksum is right, so what wrote it was wrong: report a bug", err)
	}
	return r, nil
}

// parse reads header and index; all blocks together are no longer than size.
func parse(in *codec.Reader, size uint64) (Reader, error) {
	groups, count := in.Uint(), in.Uint()
	if groups == 0 || groups > math.MaxInt32 {
		return Reader{}, fmt.Errorf("%d key groups", groups)
	}
	r := Reader{groups: int(groups)}
	blocks := in.Count(3)
	r.index = make([]block, 0, blocks) // ≤ 8 bytes of it per byte of body
	group, stored, raw := uint64(0), uint64(0), uint64(0)
	for range blocks {
		b, err := parseBlock(in, group, groups, size-stored)
		if err != nil {
			return Reader{}, err
		}
		r.index = append(r.index, b)
		group = uint64(b.group)
		stored += uint64(b.stored)
		raw += uint64(max(b.raw, b.stored))
	}
	r.data = in.Take(stored)
	if err := in.Err(); err != nil {
		return Reader{}, err
	}
	if count > raw || count < uint64(len(r.index)) {
		return Reader{}, fmt.Errorf("%d entries in %d blocks of %d bytes", count, len(r.index), raw)
	}
	r.count = int(count)
	return r, nil
}

// parseBlock reads an entry of the index, of a group from least up and of at most limit bytes.
func parseBlock(in *codec.Reader, least, groups, limit uint64) (block, error) {
	gap, stored, raw := in.Uint(), in.Uint(), in.Uint()
	switch {
	case gap >= groups-least:
		return block{}, errors.New("a block is of a group that does not exist")
	case stored == 0 || stored > limit:
		return block{}, fmt.Errorf("a block has %d bytes", stored)
	case raw > maxRatio*stored:
		return block{}, fmt.Errorf("a block of %d bytes claims to hold %d", stored, raw)
	}
	return block{int(least + gap), int(stored), int(raw)}, nil
}

// Groups is the number of key groups of the job that wrote the run.
func (r Reader) Groups() int { return r.groups }

// Len is the number of entries, tombstones included.
func (r Reader) Len() int { return r.count }

// Cursor reads the entries of a range of groups, in ascending order of group, then key.
func (r Reader) Cursor(g state.Groups) *Cursor {
	c := &Cursor{groups: r.groups, clip: g, index: r.index, data: r.data}
	for len(c.index) > 1 && c.index[1].group < g.From {
		c.index, c.data = c.index[1:], c.data[c.index[0].stored:]
	}
	return c
}

// Verify reads everything and returns the first error.
func (r Reader) Verify() error {
	n := 0
	c := r.Cursor(state.Groups{From: 0, To: r.groups})
	for c.Next() {
		n++
	}
	if c.Err() == nil && n != r.count {
		return fmt.Errorf("run: %d entries where its header says %d", n, r.count)
	}
	return c.Err()
}

// Cursor is a position in a run, before its first entry at the start.
type Cursor struct {
	groups int
	clip   state.Groups
	index  []block // not yet begun
	data   []byte  // from the first block of index
	rest   []byte  // of the block at hand
	first  bool    // rest is the whole block
	begins int     // group of the first entry of the block at hand
	value  uint64  // field of the entry read last in this block
	raw    []byte  // memory of decompressed blocks
	spare  []byte  // memory of the last key of the block before
	entry  Entry
	any    bool // entry is one
	err    error
}

// Next steps to the next entry and reports whether there is one.
func (c *Cursor) Next() bool {
	for c.err == nil {
		if len(c.rest) == 0 && !c.load() || !c.step() || c.entry.Group >= c.clip.To {
			return false
		}
		if c.entry.Group >= c.clip.From {
			return true
		}
	}
	return false
}

// Entry is the entry at hand; its slices are valid until Next.
func (c *Cursor) Entry() Entry { return c.entry }

// Err is what ended the reading early, or nil.
func (c *Cursor) Err() error { return c.err }

func (c *Cursor) fail(cause string) bool {
	c.err = fmt.Errorf("run: behind key %.64q of key group %d: %s: its checksum is right, so what wrote it was wrong: report a bug", c.entry.Key, c.entry.Group, cause)
	return false
}

// load makes the next block the one at hand.
func (c *Cursor) load() bool {
	if len(c.index) == 0 || c.index[0].group >= c.clip.To {
		return false
	}
	b := c.index[0]
	stored := c.data[:b.stored]
	c.index, c.data = c.index[1:], c.data[b.stored:]
	c.first, c.begins = true, b.group
	if b.raw == 0 {
		c.rest = stored
		return true
	}
	return c.unpack(stored, b.raw)
}

// unpack decompresses a block; the key of the entry at hand, which may lie where the block goes, is kept to compare.
func (c *Cursor) unpack(stored []byte, want int) bool {
	c.spare = append(c.spare[:0], c.entry.Key...)
	c.entry.Key = c.spare
	if n, err := s2.DecodedLen(stored); err != nil || n != want {
		return c.fail("a block's length is not that in the index")
	}
	raw, err := s2.Decode(c.raw[:cap(c.raw)], stored)
	if err != nil {
		return c.fail("a block does not decompress: " + err.Error())
	}
	c.raw, c.rest = raw, raw
	return true
}

// step takes an entry off the block at hand.
func (c *Cursor) step() bool {
	lengths, n := binary.Uvarint(c.rest)
	if n > 0 && lengths&1 == 0 {
		var m int
		if c.value, m = binary.Uvarint(c.rest[n:]); m <= 0 {
			return c.fail("an entry cut short")
		}
		n += m
	}
	if n <= 0 || c.first && lengths&1 == 1 {
		return c.fail("an entry cut short, or without lengths")
	}
	rest := c.rest[n:]
	keyLen, left := lengths/2, uint64(len(rest))
	if keyLen > left || c.value > left-keyLen+1 {
		return c.fail("an entry longer than its block")
	}
	e := Entry{Key: rest[:keyLen:keyLen], Tombstone: c.value == 0}
	rest = rest[keyLen:]
	if !e.Tombstone {
		e.Value, rest = rest[:c.value-1:c.value-1], rest[c.value-1:]
	}
	e.Hash = state.Hash(e.Key)
	e.Group = state.GroupOf(e.Hash, c.groups)
	return c.accept(e, rest)
}

// accept makes e the entry at hand if it may stand there.
func (c *Cursor) accept(e Entry, rest []byte) bool {
	if c.first && e.Group != c.begins {
		return c.fail("a block begins with another key group than the index says")
	}
	if c.any && (e.Group < c.entry.Group || e.Group == c.entry.Group && bytes.Compare(c.entry.Key, e.Key) >= 0) {
		return c.fail("the next key is not above it")
	}
	c.entry, c.rest, c.first, c.any = e, rest, false, true
	return true
}
