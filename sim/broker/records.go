package broker

import "weir/protocol/batch"

// records is the immutable content of one appended batch: keys and values end to end.
type records struct {
	slab  []byte
	ends  []uint32  // of key 0, value 0, key 1, value 1 …
	first [4]uint32 // room for the ends of two records, as most batches have no more
}

// KV is a key and a value.
type KV struct{ Key, Value []byte }

// arena makes records, many with one allocation: a log lives as long as its broker.
type arena struct {
	records []records
	slab    []byte
}

const (
	arenaRecords = 64
	arenaBytes   = 4096
)

// make has room for n records of so many bytes.
func (a *arena) make(size, n int) *records {
	if len(a.records) == 0 {
		a.records = make([]records, arenaRecords)
	}
	if len(a.slab) < size {
		a.slab = make([]byte, max(size, arenaBytes))
	}
	r := &a.records[0]
	r.slab, r.ends = a.slab[:0:size], r.first[:0]
	a.records, a.slab = a.records[1:], a.slab[size:]
	if 2*n > len(r.first) {
		r.ends = make([]uint32, 0, 2*n)
	}
	return r
}

func (a *arena) of(b *batch.Batch) *records {
	r := a.make(b.Size(), b.Len())
	for i := range b.Len() {
		r.add(b.Key(i), b.Value(i))
	}
	return r
}

func (a *arena) from(kvs []KV) *records {
	size := 0
	for _, kv := range kvs {
		size += len(kv.Key) + len(kv.Value)
	}
	r := a.make(size, len(kvs))
	for _, kv := range kvs {
		r.add(kv.Key, kv.Value)
	}
	return r
}

func (r *records) add(key, value []byte) {
	r.slab = append(r.slab, key...)
	r.ends = append(r.ends, uint32(len(r.slab)))
	r.slab = append(r.slab, value...)
	r.ends = append(r.ends, uint32(len(r.slab)))
}

func (r *records) len() int { return len(r.ends) / 2 }

func (r *records) at(i int) (key, value []byte) {
	start := uint32(0)
	if i > 0 {
		start = r.ends[2*i-1]
	}
	mid, end := r.ends[2*i], r.ends[2*i+1]
	return r.slab[start:mid:mid], r.slab[mid:end:end]
}
