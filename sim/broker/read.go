package broker

import "weir/protocol"

// Record is a committed record as a reader outside sees it. Key and Value are not to be written to.
type Record struct {
	Offset     protocol.Offset
	Key, Value []byte
}

// ReadCommitted reads at most limit committed records from an offset on, without a request, and returns the offset to
// read next. It is what a read_committed consumer would see at this instant.
func (b *Broker) ReadCommitted(topic string, i protocol.Partition, from protocol.Offset, limit int) (out []Record, next protocol.Offset) {
	next = b.Each(topic, i, from, limit, func(r Record) { out = append(out, r) })
	return out, next
}

// Each is ReadCommitted that hands the records to yield.
func (b *Broker) Each(topic string, i protocol.Partition, from protocol.Offset, limit int, yield func(Record)) (next protocol.Offset) {
	p := b.partition(topic, i)
	if p == nil {
		return from
	}
	return p.view(max(from, p.start)).read(limit, func(offset protocol.Offset, key, value []byte) { yield(Record{offset, key, value}) })
}

// Offsets are the ends of a partition: where it starts, the last stable offset, and where the next record will go.
func (b *Broker) Offsets(topic string, i protocol.Partition) (start, stable, end protocol.Offset) {
	p := b.must(topic, i)
	return p.start, p.stable(), p.end
}

// Settling reports whether a transaction of a transactional id is open or its markers are being written: either holds
// readers up.
func (b *Broker) Settling() bool { return len(b.ongoing) > 0 || b.marking > 0 }

// Txn is what the coordinator knows of a transactional id.
type Txn struct {
	ID       protocol.TransactionalID
	Producer protocol.Producer
	State    State
	Began    protocol.Time // of the transaction that is open, or was last
}

// Txns lists the transactional ids that the coordinator knows, sorted by id.
func (b *Broker) Txns() []Txn {
	out := make([]Txn, 0, len(b.ids))
	for _, id := range b.ids {
		t := b.txns[id]
		out = append(out, Txn{t.id, t.producer, t.state, t.began})
	}
	return out
}

// Txn is what the coordinator knows of one transactional id.
func (b *Broker) Txn(id protocol.TransactionalID) (Txn, bool) {
	t := b.txns[id]
	if t == nil {
		return Txn{}, false
	}
	return Txn{t.id, t.producer, t.state, t.began}, true
}

// readable finds the partition that a read names by topic, topic id and number.
func (b *Broker) readable(name string, id protocol.TopicID, i protocol.Partition) (*partition, Code) {
	t := b.topic(name)
	switch {
	case t == nil || i < 0 || int(i) >= len(t.partitions):
		return nil, UnknownTopicOrPartition
	case t.id != id:
		return nil, UnknownTopicID
	}
	return t.partitions[i], None
}

func (b *Broker) survey(name string) (protocol.TopicID, []protocol.Range, protocol.Outcome) {
	t := b.topic(name)
	if t == nil {
		return protocol.TopicID{}, nil, protocol.NotFound
	}
	ranges := make([]protocol.Range, len(t.partitions))
	for i, p := range t.partitions {
		ranges[i] = protocol.Range{Start: p.start, End: p.stable()}
	}
	return t.id, ranges, protocol.OK
}

// ledger reads the record at exactly one offset.
func (b *Broker) ledger(topic string, id protocol.TopicID, i protocol.Partition, at protocol.Offset) (value []byte, outcome protocol.Outcome) {
	p, code := b.readable(topic, id, i)
	switch {
	case code != None:
		return nil, protocol.Corrupt
	case at < p.start:
		return nil, protocol.NotFound
	case at >= p.stable():
		return nil, protocol.Unknown
	}
	outcome = protocol.NotFound
	p.view(at).read(1, func(offset protocol.Offset, _, v []byte) {
		if offset == at {
			value, outcome = append([]byte{}, v...), protocol.OK
		}
	})
	return value, outcome
}
