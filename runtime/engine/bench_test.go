package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/runtime/engine"
)

// BenchmarkEngine is records/s through source → filter → keyed aggregate → sink: input that has been read before, the
// table in memory, a log and a bucket that answer at once; with a checkpoint every second, and without any.
//
//	records/s        by the wall clock
//	records/cpu-s    by the CPU time that the whole process used: what one core does
//
// Keys are zipf with exponent 1.1; before the clock starts every key has been seen once. Every 16th record is filtered out.
func BenchmarkEngine(b *testing.B) {
	for _, c := range []struct {
		name        string
		keys        uint64
		parallelism int
		interval    protocol.Duration
	}{
		{"10k", 10_000, 1, protocol.Second}, {"10k/none", 10_000, 1, 10 * protocol.Minute}, {"10k/parallelism2", 10_000, 2, protocol.Second},
		{"1M", 1_000_000, 1, protocol.Second}, {"1M/none", 1_000_000, 1, 10 * protocol.Minute}, {"1M/parallelism2", 1_000_000, 2, protocol.Second},
	} {
		b.Run(c.name, func(b *testing.B) { benchmark(b, c.keys, c.parallelism, c.interval) })
	}
}

func benchmark(b *testing.B, keys uint64, parallelism int, interval protocol.Duration) {
	g, err := weir.Graph(sums)
	if err != nil {
		b.Fatal(err)
	}
	cfg := protocol.Defaults()
	cfg.Interval, cfg.Parallelism, cfg.TxnTimeout = interval, parallelism, 90*protocol.Minute
	plan, err := job.NewPlan(g, cfg)
	if err != nil {
		b.Fatal(err)
	}
	d := newInMemory(keys, parallelism, cfg.BatchRecords)
	e := engine.New(engine.Options{Plan: plan, Incarnation: 1, Store: d, Log: d, Clock: engine.NewClock(), Pool: &d.pool, NewState: newState, Logger: slog.New(slog.DiscardHandler)})
	ended := make(chan protocol.Verdict, 1)
	go func() {
		v, err := e.Run(context.Background())
		if err != nil {
			b.Error(err)
		}
		ended <- v
	}()
	d.await(int64(keys)) // every key once: warm
	cpu, began, from := cpuTime(), time.Now(), d.read.Load()
	b.ResetTimer()
	d.await(from + int64(b.N))
	b.StopTimer()
	n := float64(d.read.Load() - from)
	b.ReportMetric(n/time.Since(began).Seconds(), "records/s")
	b.ReportMetric(n/(cpuTime()-cpu).Seconds(), "records/cpu-s")
	e.Stop()
	if v := <-ended; v.Kind != protocol.Stopped {
		b.Fatal(v)
	}
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sums adds up amounts by key: a record is 8 bytes of key and 8 bytes of amount.
func sums() *weir.Job {
	j := weir.New("bench")
	all := weir.From(j, "payments", weir.Topic("in", weir.Bytes{}))
	some := weir.Filter(all, "some", func(r []byte) bool { return r[15]&15 != 0 })
	byKey := weir.KeyBy(some, func(r []byte) int64 { return int64(binary.BigEndian.Uint64(r)) }, weir.Int64{}, weir.Bytes{})
	sum := weir.Aggregate(byKey, "sum", weir.Sum(func(r []byte) int64 { return int64(binary.BigEndian.Uint64(r[8:])) }))
	weir.To(sum, "sums", weir.KeyedTopic("out", weir.Int64{}, weir.Int64{}))
	return j
}

// inMemory is a log and a bucket that answer at once. Its input goes round and round; its output is counted.
type inMemory struct {
	input   [][]*batch.Batch // per partition: read before, and read by nobody but the job
	first   []int            // per partition: batches that come once, before the others go round
	pool    inputPool
	read    atomic.Int64
	mu      sync.Mutex
	ledger  map[protocol.Offset][]byte
	objects map[protocol.ObjectKey]object
	writes  int
}

type object struct {
	body    []byte
	version protocol.Version
}

// inputPool never takes input back: it is read again.
type inputPool struct {
	engine.Pool
	input map[*batch.Batch]bool
}

func (p *inputPool) Put(b *batch.Batch) {
	if !p.input[b] {
		p.Pool.Put(b)
	}
}

// round is how many batches go round in each partition.
const round = 2000

func newInMemory(keys uint64, partitions, size int) *inMemory {
	d := &inMemory{pool: inputPool{input: map[*batch.Batch]bool{}}, ledger: map[protocol.Offset][]byte{}, objects: map[protocol.ObjectKey]object{}}
	rnd := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rnd, 1.1, 1, keys-1)
	for p := range partitions {
		var list []*batch.Batch
		for k := uint64(p); k < keys; k += uint64(partitions) * uint64(size) {
			list = append(list, d.batch(size, func(i int) uint64 { return (k + uint64(i*partitions)) % keys }))
		}
		d.first = append(d.first, len(list))
		for range round {
			list = append(list, d.batch(size, func(int) uint64 { return zipf.Uint64() }))
		}
		d.input = append(d.input, list)
	}
	return d
}

// batch makes a batch of input; keys are spread over all 64-bit numbers.
func (d *inMemory) batch(size int, key func(i int) uint64) *batch.Batch {
	b := new(batch.Batch)
	var value [16]byte
	for i := range size {
		binary.BigEndian.PutUint64(value[:], key(i)*0x9e3779b97f4a7c15)
		binary.BigEndian.PutUint64(value[8:], uint64(i))
		b.Append(nil, value[:], batch.Record{Offset: int64(i)})
	}
	d.pool.input[b] = true
	return b
}

// await waits until so many records have been read.
func (d *inMemory) await(n int64) {
	for d.read.Load() < n {
		time.Sleep(time.Millisecond)
	}
}

// CloseSlots implements engine.LogDevice.
func (d *inMemory) CloseSlots() {}

// Perform implements protocol.Device.
func (d *inMemory) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	switch ef := ef.(type) {
	case protocol.Fetch:
		list := d.input[ef.Partition]
		at, first := int(ef.From), d.first[ef.Partition]
		if at >= first {
			at = first + (at-first)%round
		}
		d.read.Add(int64(list[at].Len()))
		done(protocol.Fetched{Op: ef.Op, Outcome: protocol.OK, Batch: list[at], Next: ef.From + 1}) // an offset is a batch
	case protocol.Produce:
		done(protocol.Produced{ID: ef.ID, Seq: ef.Seq, Outcome: protocol.OK, Partition: ef.Partition, Offset: d.keep(ef)})
		d.pool.Put(ef.Batch)
	case protocol.Survey:
		done(protocol.Surveyed{Op: ef.Op, Outcome: protocol.OK, Ranges: make([]protocol.Range, len(d.input))})
	case protocol.OpenSlot:
		done(protocol.Opened{Op: ef.Op, ID: ef.ID, Outcome: protocol.OK, Producer: protocol.Producer{ID: 1}, Version: 5})
	case protocol.Flush:
		done(protocol.Flushed{Op: ef.Op, ID: ef.ID, Outcome: protocol.OK})
	case protocol.EndTxn:
		done(protocol.Ended{Op: ef.Op, ID: ef.ID, Outcome: protocol.OK})
	case protocol.ReadLedger:
		d.mu.Lock()
		value := d.ledger[ef.Offset]
		d.mu.Unlock()
		done(protocol.LedgerRead{Op: ef.Op, Outcome: protocol.OK, Value: value})
	case protocol.Fence:
		done(protocol.Fenced{Op: ef.Op, ID: ef.ID, Outcome: protocol.OK})
	case protocol.Erase:
		done(protocol.Erased{Op: ef.Op, Outcome: protocol.OK})
	case protocol.ListTxns:
		done(protocol.TxnsListed{Op: ef.Op, Outcome: protocol.OK})
	default:
		go func() { done(d.bucket(ef)) }()
	}
}

// keep keeps a ledger record, which comes alone, and returns its offset; output is dropped.
func (d *inMemory) keep(ef protocol.Produce) protocol.Offset {
	if ef.Topic == "out" {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := protocol.Offset(len(d.ledger))
	d.ledger[at] = append([]byte(nil), ef.Batch.Value(0)...)
	return at
}

// bucket performs what is for the bucket.
func (d *inMemory) bucket(ef protocol.Effect) protocol.Event {
	var body []byte
	if s, ok := ef.(protocol.Store); ok {
		body = s.Object.Encode(nil)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch ef := ef.(type) {
	case protocol.Store:
		st := protocol.Stored{Op: ef.Op, Outcome: protocol.Conflict, Size: int64(len(body)), Sum: sha256.Sum256(body)}
		if d.objects[ef.Key].version == ef.IfMatch {
			d.writes++
			st.Outcome, st.Version = protocol.OK, protocol.Version(rune(d.writes))
			d.objects[ef.Key] = object{body, st.Version}
		}
		return st
	case protocol.Load:
		o, ok := d.objects[ef.Key]
		if !ok {
			return protocol.Loaded{Op: ef.Op, Outcome: protocol.NotFound}
		}
		return protocol.Loaded{Op: ef.Op, Outcome: protocol.OK, Version: o.version, Body: o.body}
	case protocol.Delete:
		delete(d.objects, ef.Key)
	}
	return protocol.Deleted{Op: ef.(protocol.Delete).Op, Outcome: protocol.OK}
}
