package broker

import (
	"slices"
	"strings"

	"weir/protocol"
)

// lastEpoch is the highest epoch of a producer id; after it the transactional id gets another one.
const lastEpoch = 1<<15 - 2

// txn is a transactional id at its coordinator.
type txn struct {
	id       protocol.TransactionalID
	producer protocol.Producer
	previous int64 // producer id before the last rotation
	state    State
	timeout  protocol.Duration
	began    protocol.Time // when its first partition was registered
	changed  protocol.Time // when the state last changed
	parts    []*partition  // registered with the transaction
	writer   int64         // producer id of what is being ended
	unmarked int           // partitions whose marker is still to be written
}

// InitProducerID takes a transactional id over: all earlier owners are fenced. An open transaction is aborted first,
// and the answer is ConcurrentTransactions until every partition has its marker.
func (b *Broker) InitProducerID(id protocol.TransactionalID, timeout protocol.Duration) (protocol.Producer, Code) {
	if timeout <= 0 || timeout > b.opts.MaxTxn {
		return protocol.Producer{}, InvalidTxnTimeout
	}
	t := b.txn(id)
	if t == nil {
		t = b.createTxn(id)
	}
	switch t.state {
	case Ongoing:
		b.fenceAndAbort(t)
		return protocol.Producer{}, ConcurrentTransactions
	case PrepareCommit, PrepareAbort:
		return protocol.Producer{}, ConcurrentTransactions
	}
	t.bump(b)
	t.timeout = timeout
	b.become(t, Empty)
	return t.producer, None
}

func (b *Broker) createTxn(id protocol.TransactionalID) *txn {
	t := &txn{id: id, producer: protocol.Producer{ID: b.nextPID(), Epoch: -1}, previous: -1, state: Empty}
	b.txns[id] = t
	at, _ := slices.BinarySearch(b.ids, id)
	b.ids = slices.Insert(b.ids, at, id)
	return t
}

// txn finds what the coordinator knows of id; it forgets ids that have been idle for too long.
func (b *Broker) txn(id protocol.TransactionalID) *txn {
	t := b.txns[id]
	if t == nil || b.opts.IDExpiry == 0 || b.net.Now().Sub(t.changed) <= b.opts.IDExpiry {
		return t
	}
	switch t.state {
	case Ongoing, PrepareCommit, PrepareAbort:
		return t
	}
	delete(b.txns, id)
	at, _ := slices.BinarySearch(b.ids, id)
	b.ids = slices.Delete(b.ids, at, at+1)
	return nil
}

func (t *txn) bump(b *Broker) {
	if t.producer.Epoch >= lastEpoch {
		t.previous, t.producer = t.producer.ID, protocol.Producer{ID: b.nextPID()}
		return
	}
	t.producer.Epoch++
}

func (b *Broker) become(t *txn, s State) {
	if t.state == Ongoing && s != Ongoing {
		b.ongoing = slices.DeleteFunc(b.ongoing, func(o *txn) bool { return o == t })
	}
	if s == PrepareCommit || s == PrepareAbort {
		b.marking++
	}
	if t.state == PrepareCommit || t.state == PrepareAbort {
		b.marking--
	}
	t.state, t.changed = s, b.net.Now()
}

// register adds a partition to the producer's transaction, and begins one if there is none: a producer of the current
// epoch needs no other word. After an end by version 4 the epoch is still the current one.
func (b *Broker) register(id protocol.TransactionalID, producer protocol.Producer, p *partition) Code {
	t := b.txn(id)
	if code := t.refuses(producer); code != None {
		return code
	}
	if t.state != Ongoing {
		b.become(t, Ongoing)
		t.began, t.parts = t.changed, t.parts[:0]
		b.ongoing = append(b.ongoing, t)
		b.watch(t)
	}
	if !slices.Contains(t.parts, p) {
		t.parts = append(t.parts, p)
	}
	return None
}

// AddPartition is the request by which clients register a partition at transaction.version 1.
func (b *Broker) AddPartition(id protocol.TransactionalID, producer protocol.Producer, topic string, i protocol.Partition) Code {
	p := b.partition(topic, i)
	if p == nil {
		return UnknownTopicOrPartition
	}
	code := b.register(id, producer, p)
	if code == InvalidProducerEpoch {
		return ProducerFenced
	}
	return code
}

// verify asks, for a leader that has no transaction of the producer open, whether the partition is registered.
func (b *Broker) verify(id protocol.TransactionalID, producer protocol.Producer, p *partition) Code {
	t := b.txn(id)
	if code := t.refuses(producer); code != None {
		return code
	}
	if t.state != Ongoing || !slices.Contains(t.parts, p) {
		return TransactionAbortable
	}
	return None
}

// refuses is why a producer cannot write in a transaction now, if it cannot.
func (t *txn) refuses(producer protocol.Producer) Code {
	switch {
	case t == nil || t.producer.ID != producer.ID:
		return InvalidProducerIDMapping
	case t.producer.Epoch != producer.Epoch:
		return InvalidProducerEpoch
	case t.state == PrepareCommit || t.state == PrepareAbort:
		return ConcurrentTransactions
	}
	return None
}

// EndTxn decides a transaction. None means decided: each partition gets its marker later, at its own time.
func (b *Broker) EndTxn(id protocol.TransactionalID, producer protocol.Producer, version int16, commit bool) Code {
	if version > b.opts.Version {
		return UnsupportedVersion
	}
	t := b.txn(id)
	switch {
	case t == nil:
		return InvalidProducerIDMapping
	case version >= 5:
		return b.endByBump(t, producer, commit)
	}
	return b.endInPlace(t, producer, commit)
}

// endInPlace is EndTxn up to version 4, which leaves the epoch as it is.
func (b *Broker) endInPlace(t *txn, producer protocol.Producer, commit bool) Code {
	switch {
	case t.producer.ID != producer.ID:
		return InvalidProducerIDMapping
	case t.producer.Epoch != producer.Epoch:
		return ProducerFenced
	case t.state == Ongoing:
		b.prepare(t, commit, t.producer.ID)
		return None
	case t.state == PrepareCommit || t.state == PrepareAbort:
		return ConcurrentTransactions
	case t.state == completed(commit):
		return None
	}
	return InvalidTxnState
}

// endByBump is EndTxn from version 5 on, where every end bumps the epoch: a request with the epoch before the present
// one is a retry of the end, one with the present epoch concerns what came after it.
func (b *Broker) endByBump(t *txn, producer protocol.Producer, commit bool) Code {
	retry := t.retries(producer)
	switch {
	case t.state == PrepareCommit || t.state == PrepareAbort:
		return ConcurrentTransactions
	case t.producer != producer && !retry:
		return unlike(t, producer)
	case t.state == Ongoing && !retry:
		b.prepareAndBump(t, commit)
		return None
	case t.state == completed(commit) && retry:
		return None
	case retry && (t.state == Empty || t.state == Ongoing):
		return ProducerFenced
	case !retry && !commit: // an abort of nothing
		t.parts = t.parts[:0]
		b.prepareAndBump(t, false)
		return None
	}
	return InvalidTxnState
}

func (t *txn) retries(p protocol.Producer) bool {
	if t.producer.ID == p.ID {
		return t.producer.Epoch == p.Epoch+1
	}
	return t.previous == p.ID && p.Epoch == lastEpoch && t.producer.Epoch == 0
}

func unlike(t *txn, p protocol.Producer) Code {
	if t.producer.ID != p.ID {
		return InvalidProducerIDMapping
	}
	return ProducerFenced
}

func completed(commit bool) State {
	if commit {
		return CompleteCommit
	}
	return CompleteAbort
}

// prepareAndBump decides and fences the writer.
func (b *Broker) prepareAndBump(t *txn, commit bool) {
	writer := t.producer.ID
	t.bump(b)
	b.prepare(t, commit, writer)
}

// fenceAndAbort aborts for others than the writer. The last epoch of a producer id is for this alone.
func (b *Broker) fenceAndAbort(t *txn) {
	if b.opts.Rotates {
		b.prepareAndBump(t, false)
		return
	}
	t.producer.Epoch++
	b.prepare(t, false, t.producer.ID)
}

// prepare decides: from now on nothing changes the outcome.
func (b *Broker) prepare(t *txn, commit bool, writer int64) {
	b.become(t, prepared(commit))
	t.writer = writer
	b.writeMarkers(t, commit)
}

// writeMarkers has the present coordinator end a transaction in each of its partitions.
func (b *Broker) writeMarkers(t *txn, commit bool) {
	term := b.term
	t.unmarked = len(t.parts)
	if t.unmarked == 0 { // there is no marker to write, but the completion is an act of its own too
		b.net.After(b.opts.MarkerDelay(), func() { b.complete(t, commit, term) })
	}
	for _, p := range t.parts {
		b.net.After(b.opts.MarkerDelay(), func() { b.mark(t, p, commit, term) })
	}
}

func (b *Broker) mark(t *txn, p *partition, commit bool, term int32) {
	if p.takes(t.writer, term) {
		p.mark(t.writer, verdictOf(commit))
	}
	if term == b.term {
		t.unmarked--
	}
	b.complete(t, commit, term)
}

// complete ends a transaction that has all its markers, unless a successor sees to that.
func (b *Broker) complete(t *txn, commit bool, term int32) {
	if term == b.term && t.unmarked == 0 {
		b.become(t, completed(commit))
	}
}

// watch sees to it that somebody looks at t after its timeout.
func (b *Broker) watch(t *txn) {
	due := b.tick(t.began.Add(t.timeout))
	if b.look != 0 && b.look <= due {
		return
	}
	b.look = due
	b.net.After(due.Sub(b.net.Now()), func() { b.abortLate(due) })
}

// tick is the first look of the cleaning thread after deadline.
func (b *Broker) tick(deadline protocol.Time) protocol.Time {
	every := protocol.Time(b.opts.Cleanup)
	return (deadline/every + 1) * every
}

// abortLate fences and aborts every transaction past its timeout, then sets the next look.
func (b *Broker) abortLate(due protocol.Time) {
	if b.look != due { // an earlier look was set since, and has set its own successor
		return
	}
	b.look = 0
	for _, t := range slices.Clone(b.ongoing) {
		if t.began.Add(t.timeout) < b.net.Now() {
			b.fenceAndAbort(t)
		} else {
			b.watch(t)
		}
	}
}

// list returns the open transactions whose id has the prefix.
func (b *Broker) list(prefix string) (open []protocol.TransactionalID) {
	at, _ := slices.BinarySearch(b.ids, protocol.TransactionalID(prefix))
	for _, id := range b.ids[at:] {
		if !strings.HasPrefix(string(id), prefix) {
			break
		}
		if b.txns[id].state == Ongoing {
			open = append(open, id)
		}
	}
	return open
}
