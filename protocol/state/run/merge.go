package run

import (
	"bytes"
	"errors"
	"fmt"

	"weir/protocol"
	"weir/protocol/state"
)

// Merge is the run that consecutive runs of one lineage, oldest first, amount to: of each key the newest entry.
// Tombstones may be dropped if the oldest run of the lineage is among them, and else must not.
//
// Merge checks checksums and indexes, the encoding of what it returns does the work. The object aliases bodies.
func Merge(bodies [][]byte, dropTombstones bool) (protocol.Object, error) {
	if len(bodies) == 0 {
		return nil, errors.New("merge: no runs")
	}
	m := &merged{drop: dropTombstones}
	for i, body := range bodies {
		r, err := Open(body)
		if err != nil {
			return nil, fmt.Errorf("merge: run %d of %d: %w", i, len(bodies), err)
		}
		if g := m.runs; len(g) > 0 && g[0].groups != r.groups {
			return nil, fmt.Errorf("merge: run %d has %d key groups, run 0 has %d: they are not of one job", i, r.groups, g[0].groups)
		}
		m.runs = append(m.runs, r)
	}
	return m, nil
}

type merged struct {
	runs []Reader
	drop bool
}

// Encode merges. A block that is not what its writer meant, under a right checksum, is a bug and panics.
func (m *merged) Encode(dst []byte) []byte {
	groups := m.runs[0].groups
	w := NewWriter(groups)
	heads := make([]*Cursor, 0, len(m.runs)) // still unread, oldest first
	for _, r := range m.runs {
		c := r.Cursor(state.Groups{From: 0, To: groups})
		if advance(c) {
			heads = append(heads, c)
		}
	}
	for len(heads) > 0 {
		at := newestOfLeast(heads)
		if e := heads[at].entry; !e.Tombstone || !m.drop {
			w.Add(e)
		}
		heads = pass(heads, at)
	}
	return w.Append(dst)
}

// newestOfLeast is the index, of the runs that stand at the least key, of the newest.
func newestOfLeast(heads []*Cursor) int {
	at := 0
	for i := 1; i < len(heads); i++ {
		if compare(&heads[i].entry, &heads[at].entry) <= 0 {
			at = i
		}
	}
	return at
}

// pass steps the run at and the older ones that stand at the same key, and leaves out those that were at their end.
// The run at comes last of them, because stepping it may overwrite the key.
func pass(heads []*Cursor, at int) []*Cursor {
	kept := heads[:0]
	newest := heads[at]
	for i, c := range heads {
		if i > at || compare(&c.entry, &newest.entry) != 0 || advance(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

func compare(a, b *Entry) int {
	if a.Group != b.Group {
		return a.Group - b.Group
	}
	return bytes.Compare(a.Key, b.Key)
}

func advance(c *Cursor) bool {
	ok := c.Next()
	protocol.Assert(c.err == nil, "a run whose checksum is right can be read")
	return ok
}
