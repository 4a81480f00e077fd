package engine

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/protocoltest"
	"weir/protocol/state"
	"weir/protocol/state/memory"
)

// world is devices in memory, shared by every engine of a test.
type world struct {
	mu     sync.Mutex
	log    *protocoltest.Log
	bucket *protocoltest.Bucket
	pool   Pool
	closed int // calls of CloseSlots
	full   bool
	tries  int // stores while it was full
}

// poll is how long a Fetch waits for records.
const poll = 5 * time.Millisecond

func newWorld() *world {
	w := &world{log: protocoltest.NewLog(), bucket: protocoltest.NewBucket()}
	w.log.Create("in", 1)
	w.log.Create("out", 2)
	return w
}

// inLog is the log's device.
type inLog struct{ *world }

func (w inLog) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	w.mu.Lock()
	ev := w.log.Perform(ef, true, &w.pool)
	w.mu.Unlock()
	if f, ok := ev.(protocol.Fetched); ok && f.Batch == nil && f.Outcome == protocol.OK {
		time.AfterFunc(poll, func() { done(ev) })
		return
	}
	done(ev)
}

func (w inLog) CloseSlots() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed++
}

// inBucket is the bucket's device.
type inBucket struct{ *world }

func (w inBucket) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := ef.(protocol.Store); ok && w.full { // as a folder on a full disk answers
		w.tries++
		go done(protocol.Stored{Op: s.Op, Outcome: protocol.Unknown})
		return
	}
	ev := w.bucket.Perform(ef, true)
	go done(ev)
}

// fill makes the bucket full, or gives it space again, and returns how often a store was tried in between.
func (w *world) fill(full bool) (tries int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.full, tries, w.tries = full, w.tries, 0
	return tries
}

func (w *world) feed(values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range values {
		w.log.Feed("in", 0, "", v)
	}
}

// out is the committed output, partition by partition.
func (w *world) out() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range protocol.Partition(2) {
		for _, r := range w.log.Committed("out", p) {
			n, _ := weir.Int64{}.Decode([]byte(r.Value))
			all = append(all, r.Key+"="+string(rune('0'+n)))
		}
	}
	return all
}

func newState(owned state.Groups, total int) state.Keyed { return memory.New(owned, total) }

func quick() protocol.Config {
	c := protocol.Defaults()
	c.Interval, c.Timeout, c.RestartDelay, c.RestartLimit = 100*protocol.Millisecond, 5*protocol.Second, 10*protocol.Millisecond, 2
	c.Heartbeat, c.NodeTimeout, c.Parallelism, c.KeyGroups = 50*protocol.Millisecond, 2*protocol.Second, 2, 4
	return c
}

// engine is an engine of one life of a process, and what it logs.
func (w *world) engine(t *testing.T, factory func() *weir.Job) (*Engine, *bytes.Buffer) {
	t.Helper()
	g, err := weir.Graph(factory)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := job.NewPlan(g, quick())
	if err != nil {
		t.Fatal(err)
	}
	_, _, ledgers := plan.Topics()
	for _, l := range ledgers {
		w.log.Create(l.Topic, l.Partitions)
	}
	said := new(bytes.Buffer)
	return New(Options{Plan: plan, Incarnation: 7, Store: inBucket{w}, Log: inLog{w}, Clock: NewClock(), Pool: &w.pool, NewState: newState,
		Logger: slog.New(slog.NewTextHandler(&lockedWriter{w: said}, nil))}), said
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// counts counts the words that see lets through.
func counts(src func(string, weir.Codec[string]) weir.Source[string], see func(string) (string, error)) func() *weir.Job {
	return func() *weir.Job {
		j := weir.New("counts")
		words := weir.MapErr(weir.From(j, "words", src("in", weir.String{})), "see", see)
		byWord := weir.KeyBy(words, func(w string) string { return w }, weir.String{}, weir.String{})
		weir.To(weir.Aggregate(byWord, "count", weir.Count[string]()), "out", weir.KeyedTopic("out", weir.String{}, weir.Int64{}))
		return j
	}
}

func all(s string) (string, error) { return s, nil }

// machine is a machine made of a function.
type machine func(now protocol.Time, ev protocol.Event, out *protocol.Effects)

func (m machine) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) { m(now, ev, out) }
func (machine) Pending() []protocol.Wait                                           { return nil }

// ending is what Run returned.
type ending struct {
	verdict protocol.Verdict
	err     error
}

func run(ctx context.Context, e *Engine) <-chan ending {
	end := make(chan ending, 1)
	go func() {
		v, err := e.Run(ctx)
		end <- ending{v, err}
	}()
	return end
}

var _ batch.Pool = (*Pool)(nil)
