package protocoltest

import (
	"fmt"
	"strings"

	"weir/protocol"
	"weir/protocol/batch"
)

// Log is topics and transactions, in memory.
type Log struct {
	topics map[string]*topic
	// Invariant: ids are the keys of owners, in the order of their first use.
	ids    []protocol.TransactionalID
	owners map[protocol.TransactionalID]*owner
	lastID int64
}

type topic struct {
	id         protocol.TopicID
	partitions [][]entry
}

// entry is a record, or a marker, which ends a transaction in a partition.
type entry struct {
	key, value []byte
	txn        *transaction // nil: written outside any
	marker     bool
}

type transaction struct {
	state txnState
	// Invariant: in are the partitions it has written to, each once.
	in []place
}

type place struct {
	topic     string
	partition protocol.Partition
}

type txnState uint8

const (
	txnOpen txnState = iota
	txnCommitted
	txnAborted
)

// owner is the newest producer of a transactional id.
type owner struct {
	producer protocol.Producer
	txn      *transaction // nil: none is open
	closed   bool         // flushed, or dead: takes no records
	broken   bool         // a record was refused
	// ended are the transactions that its producers have ended, for requests that are repeated.
	ended []endedTxn
}

type endedTxn struct {
	producer protocol.Producer
	state    txnState
}

// Record is a record as a reader of committed records sees it.
type Record struct {
	Offset     protocol.Offset
	Key, Value string
}

// NewLog is a log without topics.
func NewLog() *Log {
	return &Log{topics: make(map[string]*topic), owners: make(map[protocol.TransactionalID]*owner)}
}

// Create makes a topic, or grows it.
func (l *Log) Create(name string, partitions int) {
	t := l.topics[name]
	if t == nil {
		t = &topic{}
		t.id[0], t.id[15] = byte(len(l.topics)+1), 0x70
		l.topics[name] = t
	}
	for len(t.partitions) < partitions {
		t.partitions = append(t.partitions, nil)
	}
}

// Feed appends a record outside any transaction.
func (l *Log) Feed(name string, p protocol.Partition, key, value string) {
	t := l.topics[name]
	t.partitions[p] = append(t.partitions[p], entry{key: []byte(key), value: []byte(value)})
}

// Committed is what a reader of committed records sees of a partition.
func (l *Log) Committed(name string, p protocol.Partition) (list []Record) {
	log := l.topics[name].partitions[p]
	for at := range stable(log) {
		if e := log[at]; visible(e) {
			list = append(list, Record{protocol.Offset(at), string(e.key), string(e.value)})
		}
	}
	return list
}

// stable is the last stable offset: where the oldest open transaction begins, or the end.
func stable(log []entry) int {
	for at, e := range log {
		if e.txn != nil && e.txn.state == txnOpen {
			return at
		}
	}
	return len(log)
}

func visible(e entry) bool {
	return !e.marker && (e.txn == nil || e.txn.state == txnCommitted)
}

// readable reports whether a Fetch can be answered at once.
func (l *Log) readable(ef protocol.Fetch) bool {
	t := l.topics[ef.Topic]
	return t == nil || ef.From < 0 || int(ef.From) != stable(t.partitions[ef.Partition])
}

// Perform answers the effects of the log. If one is not to take place, the answer is as if it had.
func (l *Log) Perform(ef protocol.Effect, takesPlace bool, pool batch.Pool) protocol.Event {
	switch ef := ef.(type) {
	case protocol.Survey:
		return l.survey(ef)
	case protocol.Fetch:
		return l.fetch(ef, pool)
	case protocol.OpenSlot:
		ev := protocol.Opened{Op: ef.Op, ID: ef.ID, Outcome: protocol.OK, Version: 5}
		if takesPlace {
			ev.Producer = l.own(ef.ID).producer
		}
		return ev
	case protocol.Produce:
		return l.produce(ef, takesPlace, pool)
	case protocol.Flush:
		return l.flush(ef)
	case protocol.EndTxn:
		return protocol.Ended{Op: ef.Op, ID: ef.ID, Outcome: l.end(ef, takesPlace)}
	case protocol.ReadLedger:
		return l.read(ef)
	case protocol.Fence:
		if takesPlace {
			l.own(ef.ID).closed = true
		}
		return protocol.Fenced{Op: ef.Op, ID: ef.ID, Outcome: protocol.OK}
	case protocol.Erase:
		if takesPlace {
			l.Feed(ef.Topic, ef.Partition, string(ef.Key), "")
		}
		return protocol.Erased{Op: ef.Op, Outcome: protocol.OK}
	case protocol.ListTxns:
		return protocol.TxnsListed{Op: ef.Op, Outcome: protocol.OK, Open: l.Open(ef.Prefix)}
	}
	panic(fmt.Sprintf("protocoltest: %T is not for the log", ef))
}

// Open lists the transactional ids of open transactions.
func (l *Log) Open(prefix string) (open []protocol.TransactionalID) {
	for _, id := range l.ids {
		if strings.HasPrefix(string(id), prefix) && l.owners[id].txn != nil {
			open = append(open, id)
		}
	}
	return open
}

func (l *Log) survey(ef protocol.Survey) protocol.Event {
	t := l.topics[ef.Topic]
	if t == nil {
		return protocol.Surveyed{Op: ef.Op, Outcome: protocol.NotFound}
	}
	ev := protocol.Surveyed{Op: ef.Op, Outcome: protocol.OK, TopicID: t.id}
	for _, log := range t.partitions {
		ev.Ranges = append(ev.Ranges, protocol.Range{End: protocol.Offset(stable(log))})
	}
	return ev
}

func (l *Log) fetch(ef protocol.Fetch, pool batch.Pool) protocol.Event {
	t := l.topics[ef.Topic]
	if t == nil || t.id != ef.TopicID {
		return protocol.Fetched{Op: ef.Op, Outcome: protocol.NotFound}
	}
	log := t.partitions[ef.Partition]
	end := stable(log)
	if ef.From < 0 || int(ef.From) > end {
		return protocol.Fetched{Op: ef.Op, Outcome: protocol.OutOfRange}
	}
	ev := protocol.Fetched{Op: ef.Op, Outcome: protocol.OK, Next: ef.From}
	for n := 0; n < ef.Max && int(ev.Next) < end; ev.Next++ {
		e := log[ev.Next]
		if !visible(e) {
			continue
		}
		if ev.Batch == nil {
			ev.Batch = pool.Get()
		}
		ev.Batch.Append(e.key, e.value, batch.Record{Partition: int32(ef.Partition), Offset: int64(ev.Next)})
		n++
	}
	return ev
}

// own takes an id over, as InitProducerID does: what its earlier owner had open is aborted.
func (l *Log) own(id protocol.TransactionalID) *owner {
	o := l.owners[id]
	if o == nil {
		l.lastID++
		o = &owner{producer: protocol.Producer{ID: l.lastID, Epoch: -1}}
		l.owners[id] = o
		l.ids = append(l.ids, id)
	}
	if o.txn != nil {
		l.finish(o, txnAborted)
	}
	o.producer.Epoch++
	o.closed, o.broken = false, false
	return o
}

// finish ends the open transaction of an owner and writes its markers.
func (l *Log) finish(o *owner, s txnState) {
	o.txn.state = s
	for _, p := range o.txn.in {
		parts := l.topics[p.topic].partitions
		parts[p.partition] = append(parts[p.partition], entry{txn: o.txn, marker: true})
	}
	o.ended = append(o.ended, endedTxn{o.producer, s})
	o.txn = nil
	o.producer.Epoch++ // as version 5 of EndTxn does
	o.closed = true
}

func (l *Log) produce(ef protocol.Produce, takesPlace bool, pool batch.Pool) protocol.Event {
	defer pool.Put(ef.Batch)
	ev := protocol.Produced{ID: ef.ID, Seq: ef.Seq, Outcome: protocol.Unknown, Partition: ef.Partition}
	o, t := l.owners[ef.ID], l.topics[ef.Topic]
	if o == nil || t == nil || o.closed || o.broken {
		return ev
	}
	if !takesPlace {
		o.broken = true
		return ev
	}
	if o.txn == nil {
		o.txn = &transaction{}
	}
	o.txn.enter(place{ef.Topic, ef.Partition})
	log := &t.partitions[ef.Partition]
	ev.Outcome, ev.Offset = protocol.OK, protocol.Offset(len(*log))
	for i := range ef.Batch.Len() {
		*log = append(*log, entry{key: append([]byte(nil), ef.Batch.Key(i)...), value: append([]byte(nil), ef.Batch.Value(i)...), txn: o.txn})
	}
	return ev
}

func (t *transaction) enter(p place) {
	for _, have := range t.in {
		if have == p {
			return
		}
	}
	t.in = append(t.in, p)
}

func (l *Log) flush(ef protocol.Flush) protocol.Event {
	ev := protocol.Flushed{Op: ef.Op, ID: ef.ID, Outcome: protocol.Unknown}
	if o := l.owners[ef.ID]; o != nil && !o.closed {
		o.closed = true
		if !o.broken {
			ev.Outcome = protocol.OK
		}
	}
	return ev
}

func (l *Log) end(ef protocol.EndTxn, takesPlace bool) protocol.Outcome {
	want := txnAborted
	if ef.Commit {
		want = txnCommitted
	}
	o := l.owners[ef.ID]
	if o == nil {
		return protocol.Ask
	}
	if o.txn != nil && o.producer == ef.Producer {
		if takesPlace {
			l.finish(o, want)
		}
		return protocol.OK
	}
	if n := len(o.ended); n > 0 && o.ended[n-1] == (endedTxn{ef.Producer, want}) && o.producer.Epoch == ef.Producer.Epoch+1 {
		return protocol.OK // the request is repeated
	}
	return protocol.Ask
}

func (l *Log) read(ef protocol.ReadLedger) protocol.Event {
	t := l.topics[ef.Topic]
	if t == nil || t.id != ef.TopicID {
		return protocol.LedgerRead{Op: ef.Op, Outcome: protocol.Corrupt}
	}
	log := t.partitions[ef.Partition]
	switch at := int(ef.Offset); {
	case at >= stable(log):
		return protocol.LedgerRead{Op: ef.Op, Outcome: protocol.Unknown}
	case !visible(log[at]):
		return protocol.LedgerRead{Op: ef.Op, Outcome: protocol.NotFound}
	default:
		return protocol.LedgerRead{Op: ef.Op, Outcome: protocol.OK, Value: log[at].value}
	}
}
