package sim

import (
	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/checkpoint"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/state/memory"
	"weir/sim/broker"
	"weir/sim/bucket"
	"weir/sim/disk"
)

// Topic is a topic that exists when a run begins.
type Topic struct {
	Name       string
	Partitions int
}

// JobOf makes a Config.NewJob from a factory of plans. It is called anew per process and per task, so that nothing a
// closure of the job captured survives what a real process would not. newState is nil for the table in memory.
func JobOf(plan func() *job.Plan, newState func(state.Groups, int) state.Keyed) func() Job {
	if newState == nil {
		newState = func(g state.Groups, total int) state.Keyed { return memory.New(g, total) }
	}
	return func() Job {
		p := plan()
		channels := make([]Channel, len(p.Channels)+1)
		for _, c := range p.Channels {
			channels[c.ID] = Channel{c.From, c.To}
		}
		return Job{
			Channels: channels, NewCoordinator: p.NewCoordinator, NewWorker: p.NewWorker,
			NewTask: func(start protocol.TaskStart, pool batch.Pool) protocol.Machine {
				return p.NewTask(start, job.Deps{Pool: pool, NewState: newState})
			},
		}
	}
}

// TopicsOf is what a plan needs: its inputs and outputs with the partitions given, and its ledgers.
func TopicsOf(p *job.Plan, partitions int) (topics []Topic) {
	reads, writes, ledgers := p.Topics()
	for _, name := range append(reads, writes...) {
		topics = append(topics, Topic{name, partitions})
	}
	for _, l := range ledgers {
		topics = append(topics, Topic{l.Topic, l.Partitions})
	}
	return topics
}

// Virtual makes Config.Services from a virtual broker with the topics, each made once however often it is named, and for
// each job a virtual bucket and clients that its configuration tunes. tune, unless nil, may change the broker's options.
func Virtual(topics []Topic, tune func(*broker.Options), jobs ...protocol.Config) func(Env) Services {
	return func(e Env) Services {
		opts := broker.Defaults()
		opts.MarkerDelay, opts.CompactDelay = e.MarkerDelay, e.CompactDelay
		for i := range jobs {
			opts.MaxTxn = max(opts.MaxTxn, jobs[i].TxnTimeout)
		}
		if tune != nil {
			tune(&opts)
		}
		b := broker.New(e.Net, opts)
		made := make(map[string]bool, len(topics))
		for _, t := range topics {
			if !made[t.Name] {
				b.CreateTopic(t.Name, t.Partitions)
			}
			made[t.Name] = true
		}
		stores := make([]*bucket.Bucket, len(jobs))
		s := Services{
			Outside: &outside{b: b, topics: topics}, Digest: func() uint64 { return contents(b, stores, topics) },
			Settling: b.Settling,
			Began: func(id protocol.TransactionalID, p protocol.Producer) (protocol.Time, bool) {
				t, ok := b.Txn(id)
				return t.Began, ok && t.Producer == p
			},
			Abort: func(id protocol.TransactionalID) bool {
				t, ok := b.Txn(id)
				if ok = ok && t.State == broker.Ongoing; ok {
					b.InitProducerID(id, protocol.Minute)
				}
				return ok
			},
			Committed: func(id protocol.TransactionalID) bool {
				t, ok := b.Txn(id)
				return ok && (t.State == broker.PrepareCommit || t.State == broker.CompleteCommit)
			},
		}
		for i := range jobs {
			stores[i] = bucket.New()
			s.Clients = append(s.Clients, clients(e, b, stores[i], &jobs[i]))
		}
		return s
	}
}

// clients are one job's.
func clients(e Env, b *broker.Broker, store *bucket.Bucket, c *protocol.Config) Clients {
	log := broker.NewDevice(b, e.Net, broker.Client{
		Timeout: c.IOTimeout, Request: max(1, c.IOTimeout/4), Backoff: max(1, c.RetryDelay/2), Poll: max(1, c.IOTimeout/4), Pool: e.Pool,
	})
	copies := disk.NewDevice(e.Disk)
	return Clients{
		Log: log, Bucket: bucket.NewDevice(store, e.Net, c.IOTimeout), Disk: copies, Crash: log.Crash, Died: copies.Died, Object: store.Get,
	}
}

// CheckpointManifests decodes HEAD and manifests as package checkpoint writes them.
func CheckpointManifests() Manifests {
	return Manifests{
		HeadKey: checkpoint.HeadKey,
		Head: func(body []byte) (keys []protocol.ObjectKey, ok bool) {
			h, err := checkpoint.DecodeHead(body)
			if err != nil {
				return nil, false
			}
			for _, r := range h.Retained {
				keys = append(keys, r.Key)
			}
			return keys, true
		},
		Objects: func(body []byte) ([]protocol.ObjectKey, bool) {
			m, err := checkpoint.DecodeManifest(body)
			if err != nil {
				return nil, false
			}
			return m.Objects(), true
		},
	}
}

// outside is the virtual broker as a Log.
type outside struct {
	b      *broker.Broker
	topics []Topic
	kvs    []broker.KV // of the append at hand
}

// Append implements Log.
func (o *outside) Append(topic string, p protocol.Partition, fate Fate, entries []Entry) protocol.Offset {
	switch fate {
	case Committed:
		return o.Open(topic, p, entries)(true)
	case Aborted:
		return o.Open(topic, p, entries)(false)
	default:
		return o.b.Feed(topic, p, o.pairs(entries))
	}
}

// Open implements Log.
func (o *outside) Open(topic string, p protocol.Partition, entries []Entry) func(bool) protocol.Offset {
	return o.b.FeedOpen(topic, p, o.pairs(entries))
}

// pairs is valid until the next call.
func (o *outside) pairs(entries []Entry) []broker.KV {
	o.kvs = o.kvs[:0]
	for _, e := range entries {
		o.kvs = append(o.kvs, broker.KV{Key: e.Key, Value: e.Value})
	}
	return o.kvs
}

// Read implements Log.
func (o *outside) Read(dst []Entry, topic string, p protocol.Partition, from protocol.Offset, limit int) ([]Entry, protocol.Offset) {
	next := o.b.Each(topic, p, from, limit, func(r broker.Record) { dst = append(dst, Entry{Offset: int64(r.Offset), Key: r.Key, Value: r.Value}) })
	return dst, next
}

// Count implements Log.
func (o *outside) Count(topic string, p protocol.Partition, from protocol.Offset) (n int, next protocol.Offset) {
	next = o.b.Each(topic, p, from, 1<<30, func(broker.Record) { n++ })
	return n, next
}

// Range implements Log.
func (o *outside) Range(topic string, p protocol.Partition) protocol.Range {
	start, stable, _ := o.b.Offsets(topic, p)
	return protocol.Range{Start: start, End: stable}
}

// Partitions implements Log.
func (o *outside) Partitions(topic string) int {
	for _, t := range o.topics {
		if t.Name == topic {
			return t.Partitions
		}
	}
	return 0
}

// contents is a digest of every committed record and every object.
func contents(b *broker.Broker, stores []*bucket.Bucket, topics []Topic) uint64 {
	d := newDigest(0)
	for _, t := range topics {
		for p := range t.Partitions {
			start, _, _ := b.Offsets(t.Name, protocol.Partition(p))
			b.Each(t.Name, protocol.Partition(p), start, 1<<30, func(r broker.Record) {
				d.bytes(uint64(r.Offset), r.Key)
				d.bytes(uint64(p), r.Value)
			})
		}
	}
	for _, store := range stores {
		for _, key := range store.Keys() {
			body, _ := store.Get(key)
			d.text(1, string(key), uint64(len(body)))
			d.bytes(2, body)
		}
	}
	return d.h
}
