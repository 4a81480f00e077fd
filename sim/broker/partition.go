package broker

import "weir/protocol"

// noSpan marks a chunk that belongs to no transaction.
const noSpan = -1

// verdict is what became of a transaction in one partition.
type verdict uint8

const (
	open verdict = iota
	committed
	aborted
)

// A span is one transaction in one partition, from its first record to its marker.
type span struct {
	producer protocol.Producer
	first    protocol.Offset
	verdict  verdict
}

// A chunk is one appended batch, or one control record.
type chunk struct {
	base protocol.Offset
	n    int32
	span int32    // index in the partition's spans
	data *records // nil: a control record, one offset long
}

func (c *chunk) end() protocol.Offset { return c.base + protocol.Offset(c.n) }

// A partition is one log.
type partition struct {
	topic *topic
	index protocol.Partition

	// Invariant: chunks is contiguous: each begins where the one before ends, the last ends at end. Those wholly below
	// start are gone.
	chunks     []chunk
	start, end protocol.Offset

	spans []span
	// Invariant: the indexes of the spans without a verdict, in the order of their first offsets.
	open []int32

	producers map[int64]*producerState
	waiters   []*read
}

// stable is the last stable offset: everything below it is decided.
func (p *partition) stable() protocol.Offset {
	if len(p.open) > 0 {
		return max(p.start, p.spans[p.open[0]].first)
	}
	return p.end
}

func (p *partition) append(data *records, n, span int32) protocol.Offset {
	base := p.end
	p.chunks = append(p.chunks, chunk{base: base, n: n, span: span, data: data})
	p.end = base + protocol.Offset(n)
	return base
}

// find is the index in chunks of the one that holds offset, which is in [chunks[0].base, end).
func find(chunks []chunk, offset protocol.Offset) int {
	lo, hi := 0, len(chunks)
	for lo < hi {
		if mid := (lo + hi) / 2; chunks[mid].end() <= offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// openSpan is the undecided span of a producer id, or noSpan. A producer id has one at most.
func (p *partition) openSpan(pid int64) int32 {
	for _, i := range p.open {
		if p.spans[i].producer.ID == pid {
			return i
		}
	}
	return noSpan
}

func (p *partition) beginSpan(producer protocol.Producer) int32 {
	i := int32(len(p.spans))
	p.spans = append(p.spans, span{producer: producer, first: p.end})
	p.open = append(p.open, i)
	return i
}

// mark appends a marker, which decides the producer id's open span if there is one.
func (p *partition) mark(pid int64, v verdict) {
	p.decide(pid, v)
	p.append(nil, 1, noSpan)
	p.wake()
}

func (p *partition) decide(pid int64, v verdict) {
	for at, i := range p.open {
		if p.spans[i].producer.ID == pid {
			p.spans[i].verdict = v
			p.open = append(p.open[:at], p.open[at+1:]...)
			return
		}
	}
}

// raise drops everything below offset.
func (p *partition) raise(offset protocol.Offset) {
	p.start = max(p.start, min(offset, p.end))
	p.chunks = p.chunks[find(p.chunks, p.start):]
	p.wake()
}

// A view is what a partition's committed content was at one instant; the log may grow and be cut behind it.
type view struct {
	chunks []chunk
	spans  []span
	from   protocol.Offset
	stable protocol.Offset
}

func (p *partition) view(from protocol.Offset) view {
	return view{chunks: p.chunks, spans: p.spans, from: from, stable: p.stable()}
}

// read calls yield for up to limit committed records and returns the offset to read next, which passes control records
// and aborted ones.
func (v view) read(limit int, yield func(offset protocol.Offset, key, value []byte)) protocol.Offset {
	next := v.from
	for i := find(v.chunks, next); i < len(v.chunks) && next < v.stable && limit > 0; i++ {
		c := &v.chunks[i]
		if c.data == nil || c.span != noSpan && v.spans[c.span].verdict == aborted {
			next = c.end()
			continue
		}
		for ; next < c.end() && limit > 0; limit-- {
			key, value := c.data.at(int(next - c.base))
			yield(next, key, value)
			next++
		}
	}
	return next
}
