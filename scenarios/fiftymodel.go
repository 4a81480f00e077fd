package scenarios

import (
	"strings"

	"weir/faults"
	"weir/protocol"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/state/run"
)

// FiftyModel is what the simulator does not know by itself: how long things take that depend on size. A rate is in
// megabytes (10^6) per second.
type FiftyModel struct {
	Stream     int64 // of one request to the bucket
	Streams    int64 // requests for one object at a time
	Worker     int64 // network of one worker, each way
	BucketIn   int64 // all writes together
	BucketOut  int64 // all reads together
	Encode     int64 // encode, compress and hash a run, per task
	Decode     int64 // read a run into the table, per task
	DiskIn     int64 // one worker's disk
	DiskOut    int64
	EventCosts [3]protocol.Duration
}

// Tasks in FiftyModel.EventCosts, which is CPU time per event.
const (
	AtSource = iota
	AtOperator
	AtSink
)

// timeOf is the time that n bytes take.
func timeOf(n, megabytes int64) protocol.Duration {
	return protocol.Duration(n * 1000 / megabytes)
}

// fiftyBucket puts the time of encoding and of transfer before a write, and of transfer and decoding behind a read.
type fiftyBucket struct {
	run     *fiftyRun
	inner   protocol.Device
	draws   *faults.Stream
	up      []protocol.Time // by node: when its link is free
	down    []protocol.Time
	in, out protocol.Time // when the bucket is free
	lives   []int         // by node
}

func newFiftyBucket(r *fiftyRun, inner protocol.Device, draws *faults.Stream, nodes int) *fiftyBucket {
	return &fiftyBucket{run: r, inner: inner, draws: draws, up: make([]protocol.Time, nodes), down: make([]protocol.Time, nodes), lives: make([]int, nodes)}
}

// crash drops what a node's processes have under way.
func (b *fiftyBucket) crash(node protocol.NodeID) { b.lives[node]++ }

// Perform implements protocol.Device.
func (b *fiftyBucket) Perform(from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	switch ef := ef.(type) {
	case protocol.Store:
		b.store(from, ef, done)
	case protocol.Load:
		b.inner.Perform(from, ef, func(ev protocol.Event) { b.loaded(from, ef, ev, done) })
	default:
		b.inner.Perform(from, ef, done)
	}
}

func (b *fiftyBucket) store(from protocol.Address, ef protocol.Store, done func(protocol.Event)) {
	n, m := b.run.entries(ef)*b.run.fifty.entry(), &b.run.fifty.Model
	b.run.stored(ef, n)
	b.after(from.Node, timeOf(n, m.Encode), func() {
		d := b.firstByte(70) + b.transfer(n, &b.up[from.Node], &b.in, m.BucketIn)
		b.after(from.Node, d, func() { b.inner.Perform(from, ef, done) })
	})
}

func (b *fiftyBucket) loaded(from protocol.Address, ef protocol.Load, ev protocol.Event, done func(protocol.Event)) {
	l, m := ev.(protocol.Loaded), &b.run.fifty.Model
	if len(b.run.list) == 0 { // the run begins with a job whose state is there
		done(ev)
		return
	}
	n := int64(0)
	if strings.HasPrefix(string(ef.Key), "data/") && l.Outcome == protocol.OK {
		n = entriesOf(l.Body) * b.run.fifty.entry()
		b.run.loaded += n
	}
	d := b.firstByte(30) + b.transfer(n, &b.down[from.Node], &b.out, m.BucketOut) + timeOf(n, m.Decode)
	b.after(from.Node, d, func() { done(ev) })
}

// after runs fn d later, unless the node's processes have died meanwhile.
func (b *fiftyBucket) after(node protocol.NodeID, d protocol.Duration, fn func()) {
	life := b.lives[node]
	b.run.net.After(d, func() {
		if b.lives[node] == life {
			fn()
		}
	})
}

// transfer is when the slowest of the streams, the worker's link and the bucket has carried n bytes more.
func (b *fiftyBucket) transfer(n int64, link, all *protocol.Time, bucket int64) protocol.Duration {
	m, now := &b.run.fifty.Model, b.run.net.Now()
	*link = max(*link, now).Add(timeOf(n, m.Worker))
	*all = max(*all, now).Add(timeOf(n, bucket))
	return max(*link, *all, now.Add(timeOf(n, m.Stream*m.Streams))).Sub(now)
}

// firstByte is a lognormal time around a median in ms, of which one in a hundred is above 5.7 medians and one in ten
// thousand takes 5 to 30 s.
func (b *fiftyBucket) firstByte(median int64) protocol.Duration {
	// Thousandths of the median at the middle of each twentieth, for sigma 0.75.
	table := [...]int64{230, 340, 422, 496, 568, 639, 711, 787, 868, 954, 1048, 1152, 1271, 1407, 1565, 1761, 2016, 2369, 2943, 4349}
	unit := protocol.Duration(median) * protocol.Microsecond
	switch u := b.draws.Pick(10_000); {
	case u == 0:
		return protocol.Duration(b.draws.Between(int64(5*protocol.Second), int64(30*protocol.Second)))
	case u < 100:
		return protocol.Duration(b.draws.Between(5_700, 20_000)) * unit
	}
	return protocol.Duration(table[b.draws.Pick(len(table))]) * unit
}

// entries is how many keys an object that is stored holds; none if it is no run.
func (r *fiftyRun) entries(ef protocol.Store) int64 {
	if !strings.HasPrefix(string(ef.Key), "data/") {
		return 0
	}
	if f, ok := ef.Object.(state.Frozen); ok {
		return int64(f.Len())
	}
	return entriesOf(ef.Object.Encode(nil))
}

func entriesOf(body []byte) int64 {
	r, err := run.Open(body)
	protocol.Assert(err == nil, "a run in the bucket can be read")
	return int64(r.Len())
}

// fiftyTimer is a timer that no task has.
const fiftyTimer protocol.TimerID = 1000

// fiftyTask is a task whose records cost time: it is resumed again when it has spent what the last ones took.
type fiftyTask struct {
	core    protocol.Machine
	run     *fiftyRun
	kind    job.StageKind
	cost    protocol.Duration // of a record
	reborn  bool              // made after the death
	busy    protocol.Time
	own     protocol.Effects
	works   bool // the event at hand lets it work
	barrier protocol.Time
	fetched []protocol.Partition // reborn: asked for once already
}

// Pending implements protocol.Machine.
func (t *fiftyTask) Pending() []protocol.Wait { return t.core.Pending() }

// Step implements protocol.Machine.
func (t *fiftyTask) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	if w, ok := ev.(protocol.Woken); ok && w.Timer == fiftyTimer {
		ev = protocol.Resumed{}
	}
	_, t.works = ev.(protocol.Resumed)
	if r, ok := ev.(protocol.Received); ok {
		if _, ok := r.Frame.(protocol.Barrier); ok && t.barrier == 0 {
			t.barrier = now
		}
	}
	t.own.Reset()
	t.core.Step(now, ev, &t.own)
	for _, ef := range t.own.All() {
		t.pass(now, ef, out)
	}
}

// pass hands on what the task wants, later if need be.
func (t *fiftyTask) pass(now protocol.Time, ef protocol.Effect, out *protocol.Effects) {
	switch ef := ef.(type) {
	case protocol.Release:
		if t.works {
			t.busy = max(t.busy, now).Add(t.cost * protocol.Duration(ef.Batch.Len()))
			t.run.worked(t, ef.Batch)
		}
	case protocol.Fetch:
		t.run.asks(t, ef)
	case protocol.Note:
		t.note(now, ef)
	case protocol.Resume:
		if t.busy > now {
			out.Append(protocol.Wake{Timer: fiftyTimer, At: t.busy})
			return
		}
	}
	out.Append(ef)
}

func (t *fiftyTask) note(now protocol.Time, n protocol.Note) {
	switch n.Kind {
	case protocol.NoteAligned:
		if t.kind == job.OperatorStage && t.barrier != 0 {
			t.run.aligned(n.Checkpoint, now.Sub(t.barrier))
		}
		t.barrier = 0
	case protocol.NoteRestored:
		t.run.restored(t)
	}
}

// fiftyCoordinator is a coordinator whose notes are heard.
type fiftyCoordinator struct {
	protocol.Machine
	run *fiftyRun
}

// Step implements protocol.Machine.
func (c *fiftyCoordinator) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	from := len(out.All())
	c.Machine.Step(now, ev, out)
	for _, ef := range out.All()[from:] {
		if n, ok := ef.(protocol.Note); ok {
			c.run.note(n)
		}
	}
}
