package broker

import (
	"bytes"
	"slices"

	"weir/protocol"
)

// compactLater drops, after a while, the committed records of a key below its tombstone, as the log cleaner does. The
// offsets stay: readers find a hole.
func (b *Broker) compactLater(p *partition, key []byte, tombstone protocol.Offset) {
	if b.opts.CompactDelay == nil {
		return
	}
	b.net.After(b.opts.CompactDelay(), func() { p.compact(key, min(tombstone, p.stable())) })
}

// compact drops the records of a key below an offset. A batch goes when all its records do: a ledger's transactions
// write one each. Views of the log before stay as they are.
func (p *partition) compact(key []byte, below protocol.Offset) {
	chunks := slices.Clone(p.chunks)
	for i := range chunks {
		c := &chunks[i]
		if c.end() <= below && c.data != nil && c.data.all(key) {
			c.data = nil
		}
	}
	p.chunks = chunks
}

// all reports whether every record has the key.
func (r *records) all(key []byte) bool {
	for i := range r.len() {
		if k, _ := r.at(i); !bytes.Equal(k, key) {
			return false
		}
	}
	return true
}
