package broker

import (
	"slices"

	"weir/protocol"
)

// CutEnd drops every record from offset on, as the election of a leader that was out of sync does: what was acked is gone,
// and what the partition knew of its writers with it.
func (b *Broker) CutEnd(topic string, i protocol.Partition, offset protocol.Offset) {
	p := b.must(topic, i)
	at := find(p.chunks, offset)
	p.chunks = slices.Clone(p.chunks[:min(at+1, len(p.chunks))])
	if n := len(p.chunks); at < n {
		if p.chunks[at].n = int32(offset - p.chunks[at].base); p.chunks[at].n <= 0 {
			p.chunks = p.chunks[:at]
		}
	}
	p.end = min(p.end, max(p.start, offset))
	p.open = slices.DeleteFunc(p.open, func(i int32) bool { return p.spans[i].first >= p.end })
	//tidy:allow maprange each state is by itself
	for _, s := range p.producers {
		s.cut(p.end)
	}
	p.wake()
}

// cut forgets the batches from offset on.
func (s *producerState) cut(offset protocol.Offset) {
	for s.filled > 0 {
		newest := &s.recent[(s.filled-1)%window]
		if newest.base < offset {
			return
		}
		s.next = newest.first
		s.filled--
	}
}

// Failover gives the transactional ids to another coordinator. It completes what was decided, by markers of its own; those
// of its predecessor that are under way still arrive, and no partition takes one that has had a successor's.
func (b *Broker) Failover() {
	b.term++
	for _, id := range b.ids {
		t := b.txns[id]
		if t.state == PrepareCommit || t.state == PrepareAbort {
			b.writeMarkers(t, t.state == PrepareCommit)
		}
	}
}

// takes reports whether a partition takes a marker of a coordinator, and remembers it then.
func (p *partition) takes(writer int64, term int32) bool {
	s := p.producers[writer]
	if s == nil {
		s = &producerState{epoch: -1}
		p.producers[writer] = s
	}
	if term < s.term {
		return false
	}
	s.term = term
	return true
}
