package broker

import (
	"encoding/binary"

	"weir/protocol"
	"weir/sim/wire"
)

// Options is how a cluster behaves. Defaults gives the usual values.
type Options struct {
	Version      int16                    // of EndTxn, the highest that every broker advertises: 5, or 4 for clusters before 4.0
	Registers    bool                     // at transaction.version 1 clients register partitions before they write; always so at version 4
	Rotates      bool                     // an abort by the coordinator at the last epoch takes a new producer id, as 4.3 does at transaction.version 2
	MarkerDelay  func() protocol.Duration // from the decision to the marker, asked for each partition; nil: 5 ms
	CompactDelay func() protocol.Duration // from a tombstone to when the records that it stands for are gone, asked for each; nil: never
	ReadLag      protocol.Duration        // from when a record is stable to when a read that waits for it goes on: replicas are to have it first; zero: none
	Cleanup      protocol.Duration        // between looks for transactions past their timeout
	MaxTxn       protocol.Duration        // transaction.max.timeout.ms
	IDExpiry     protocol.Duration        // transactional.id.expiration.ms; zero: never
	DedupExpiry  protocol.Duration        // producer.id.expiration.ms; zero: never
	FirstOffsets protocol.Offset          // where the logs of new topics begin
}

// Defaults is a cluster of today.
func Defaults() Options {
	return Options{Version: 5, Rotates: true, Cleanup: 10 * protocol.Second, MaxTxn: 15 * protocol.Minute}
}

// Release is what a cluster runs, as far as its answers differ.
type Release uint8

// The releases that were asked; runtime/conformance has their answers.
const (
	Kafka39   Release = 1 + iota // 3.9.2, and clusters before it that verify partitions
	Kafka4TV1                    // 4.1.1 and 4.3.0 at transaction.version 1
	Kafka41                      // 4.1.1 at transaction.version 2
	Kafka43                      // 4.3.0 at transaction.version 2
)

// Releases are all of them.
func Releases() []Release { return []Release{Kafka39, Kafka4TV1, Kafka41, Kafka43} }

// Run makes a cluster of these options answer as a release does.
func (o *Options) Run(r Release) {
	o.Version, o.Registers, o.Rotates = 5, r <= Kafka4TV1, r == Kafka43
	if r == Kafka39 {
		o.Version = 4
	}
}

// String is the release's name in reports.
func (r Release) String() string {
	return [...]string{"unknown", "3.9", "4.x-TV1", "4.1", "4.3"}[r]
}

// A Broker is a whole cluster. Its methods take effect at once: what they stand for has reached the cluster.
type Broker struct {
	net  wire.Net
	opts Options

	topics  []*topic // few: found by walking
	serials uint64   // topic ids given out

	txns map[protocol.TransactionalID]*txn
	// Invariant: the keys of txns, sorted.
	ids []protocol.TransactionalID
	// Invariant: the transactions in state Ongoing, in the order they began.
	ongoing []*txn
	// Invariant: marking counts the transactions in states PrepareCommit and PrepareAbort.
	marking int
	term    int32 // of the coordinator: how often it was replaced
	pids    int64 // producer ids given out
	arena   arena
	look    protocol.Time // when the next look for late transactions is due; zero: none is
}

// New makes a cluster without topics, whose clock is net's.
func New(net wire.Net, opts Options) *Broker {
	if opts.MarkerDelay == nil {
		opts.MarkerDelay = func() protocol.Duration { return 5 * protocol.Millisecond }
	}
	protocol.Assert(opts.Version >= 4 && opts.Cleanup > 0 && opts.MaxTxn > 0, "sim/broker: options without version, cleanup or maximum")
	opts.Registers = opts.Registers || opts.Version < 5
	return &Broker{net: net, opts: opts, txns: make(map[protocol.TransactionalID]*txn)}
}

type topic struct {
	name       string
	id         protocol.TopicID
	partitions []*partition
}

// CreateTopic makes a topic; one of the same name is deleted first, and does not pass its id on.
func (b *Broker) CreateTopic(name string, partitions int) protocol.TopicID {
	b.DeleteTopic(name)
	b.serials++
	t := &topic{name: name}
	copy(t.id[:], "weirtopc")
	binary.BigEndian.PutUint64(t.id[8:], b.serials)
	b.topics = append(b.topics, t)
	b.GrowTopic(name, partitions)
	return t.id
}

// GrowTopic adds partitions until there are that many.
func (b *Broker) GrowTopic(name string, partitions int) {
	t := b.topic(name)
	for i := len(t.partitions); i < partitions; i++ {
		t.partitions = append(t.partitions, &partition{
			topic: t, index: protocol.Partition(i), start: b.opts.FirstOffsets, end: b.opts.FirstOffsets,
			producers: make(map[int64]*producerState),
		})
	}
}

// DeleteTopic removes a topic, if there is one of that name.
func (b *Broker) DeleteTopic(name string) {
	for i, t := range b.topics {
		if t.name == name {
			b.topics = append(b.topics[:i], b.topics[i+1:]...)
			for _, p := range t.partitions {
				p.wakeAll()
			}
			return
		}
	}
}

func (b *Broker) topic(name string) *topic {
	for _, t := range b.topics {
		if t.name == name {
			return t
		}
	}
	return nil
}

func (b *Broker) partition(name string, i protocol.Partition) *partition {
	if t := b.topic(name); t != nil && i >= 0 && int(i) < len(t.partitions) {
		return t.partitions[i]
	}
	return nil
}

// must is a partition that the caller knows to exist.
func (b *Broker) must(name string, i protocol.Partition) *partition {
	p := b.partition(name, i)
	protocol.Assert(p != nil, "sim/broker: no such partition")
	return p
}

// RaiseStart drops every record below offset, as retention does.
func (b *Broker) RaiseStart(topic string, i protocol.Partition, offset protocol.Offset) {
	b.must(topic, i).raise(offset)
}

// AbortByHand aborts every open transaction of a partition behind its coordinator's back, as kafka-transactions.sh can:
// the coordinator will still commit it, answer OK, and nothing becomes visible.
func (b *Broker) AbortByHand(topic string, i protocol.Partition) {
	p := b.must(topic, i)
	for len(p.open) > 0 {
		p.mark(p.spans[p.open[0]].producer.ID, aborted)
	}
}

// Feed appends records outside any transaction and returns the first one's offset.
func (b *Broker) Feed(topic string, i protocol.Partition, kvs []KV) protocol.Offset {
	p := b.must(topic, i)
	base := p.append(b.arena.from(kvs), int32(len(kvs)), noSpan)
	p.wake()
	return base
}

// FeedAborted appends records of a transaction by somebody else, and aborts it.
func (b *Broker) FeedAborted(topic string, i protocol.Partition, kvs []KV) protocol.Offset {
	end := b.FeedOpen(topic, i, kvs)
	return end(false)
}

// FeedOpen appends records of a transaction by somebody else and leaves it open, which holds up every reader; the
// function it returns ends it, and returns the first record's offset.
func (b *Broker) FeedOpen(topic string, i protocol.Partition, kvs []KV) (end func(commit bool) protocol.Offset) {
	p := b.must(topic, i)
	producer := protocol.Producer{ID: b.nextPID()}
	base := p.append(b.arena.from(kvs), int32(len(kvs)), p.beginSpan(producer))
	return func(commit bool) protocol.Offset {
		p.mark(producer.ID, verdictOf(commit))
		return base
	}
}

func verdictOf(commit bool) verdict {
	if commit {
		return committed
	}
	return aborted
}

func (b *Broker) nextPID() int64 {
	b.pids++
	return 1000 + b.pids
}
