package broker

import "weir/protocol"

// window is how many batches of a producer a partition remembers, as Kafka does.
const window = 5

// producerState is what a partition knows of one producer id.
type producerState struct {
	epoch  int16
	next   int32 // sequence number of the next record
	last   protocol.Time
	term   int32            // of the coordinator whose marker came last
	recent [window]appended // the newest is at filled-1 modulo window
	filled int
}

type appended struct {
	first, n int32 // sequence number and records
	base     protocol.Offset
}

// produce is a request of an idempotent, transactional producer. A batch that is among the last few answers with its
// offset and is not appended again.
func (b *Broker) produce(id protocol.TransactionalID, producer protocol.Producer, topic string, i protocol.Partition, first int32, data *records) (protocol.Offset, Code) {
	p := b.partition(topic, i)
	if p == nil {
		return 0, UnknownTopicOrPartition
	}
	span := p.openSpan(producer.ID)
	if span == noSpan || p.spans[span].producer != producer {
		admit := b.register
		if b.opts.Registers {
			admit = b.verify
		}
		if code := admit(id, producer, p); code != None {
			return 0, code
		}
		span = noSpan
	}
	state := p.state(producer, b.net.Now(), b.opts.DedupExpiry)
	n := int32(data.len())
	base, known, code := state.check(producer.Epoch, first, n)
	if known || code != None {
		return base, code
	}
	if span == noSpan {
		span = p.beginSpan(producer)
	}
	base = p.append(data, n, span)
	state.appended(producer.Epoch, first, n, base)
	state.last = b.net.Now()
	return base, None
}

// state is what p knows of a producer; what it has not heard of, or not for long, begins at any sequence number.
func (p *partition) state(producer protocol.Producer, now protocol.Time, expiry protocol.Duration) *producerState {
	s := p.producers[producer.ID]
	if s == nil || expiry > 0 && now.Sub(s.last) > expiry && p.openSpan(producer.ID) == noSpan {
		s = &producerState{epoch: -1, last: now}
		p.producers[producer.ID] = s
	}
	return s
}

func (s *producerState) check(epoch int16, first, n int32) (base protocol.Offset, known bool, code Code) {
	switch {
	case s.epoch < 0:
		return 0, false, None
	case epoch != s.epoch && first != 0:
		return 0, false, OutOfOrderSequence
	case epoch != s.epoch: // a newer one: the coordinator has refused what is older
		return 0, false, None
	}
	for _, a := range s.recent[:min(s.filled, window)] {
		if a.first == first && a.n == n {
			return a.base, true, None
		}
	}
	if first != s.next {
		return 0, false, OutOfOrderSequence
	}
	return 0, false, None
}

func (s *producerState) appended(epoch int16, first, n int32, base protocol.Offset) {
	if epoch != s.epoch {
		s.epoch, s.filled = epoch, 0
	}
	s.recent[s.filled%window] = appended{first, n, base}
	s.filled++
	s.next = first + n
}
