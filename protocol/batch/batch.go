package batch

// Record is one entry of a batch's index: where its key and value stand in the slab, and where the record came from.
type Record struct {
	start, mid, end uint32
	// Hash is the hash of the key that routes the record through a shuffle.
	Hash uint32
	// Partition and Offset name the input record that caused this one.
	Partition int32
	Offset    int64
}

// A Batch is what travels on a channel and what a device reads or writes.
//
// Ownership: whoever holds the pointer owns the bytes. A machine that sends a batch has given it away; a machine that
// received one gives it back by the effect Release, after which the driver may overwrite it.
type Batch struct {
	slab []byte
	recs []Record
}

// Append adds a record; key and value are copied.
func (b *Batch) Append(key, value []byte, r Record) {
	r.start = uint32(len(b.slab))
	b.slab = append(b.slab, key...)
	r.mid = uint32(len(b.slab))
	b.slab = append(b.slab, value...)
	r.end = uint32(len(b.slab))
	b.recs = append(b.recs, r)
}

// Len is the number of records.
func (b *Batch) Len() int { return len(b.recs) }

// Size is the number of key and value bytes.
func (b *Batch) Size() int { return len(b.slab) }

// Key is the key of record i; it aliases the batch.
func (b *Batch) Key(i int) []byte { r := &b.recs[i]; return b.slab[r.start:r.mid:r.mid] }

// Value is the value of record i; it aliases the batch.
func (b *Batch) Value(i int) []byte { r := &b.recs[i]; return b.slab[r.mid:r.end:r.end] }

// Record is the index entry of record i.
func (b *Batch) Record(i int) Record { return b.recs[i] }

// Truncate keeps the first n records.
func (b *Batch) Truncate(n int) { b.recs = b.recs[:n] }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() { b.slab, b.recs = b.slab[:0], b.recs[:0] }

// Scribble overwrites every byte and empties the batch, so that a reader that kept an alias after Release sees rubbish.
func (b *Batch) Scribble() {
	for i := range b.slab {
		b.slab[i] = 0xDB
	}
	b.Reset()
}

// A Pool hands out empty batches. The engine's is shared by its tasks and locked; the simulator's scribbles.
type Pool interface {
	Get() *Batch
	Put(*Batch)
}
