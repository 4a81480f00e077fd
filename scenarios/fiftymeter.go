package scenarios

import (
	"slices"

	"weir/checker"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/checkpoint"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/scenarios/jobs"
	"weir/sim"
	"weir/sim/bucket"
	"weir/sim/wire"
)

// fiftyRun is one run and what is measured in it. Records are counted, their events are told.
type fiftyRun struct {
	fifty *Fifty
	c     FiftyCase
	keys  *fiftyKeys
	base  []object
	plan  *job.Plan
	net   wire.Net
	kill  func(protocol.NodeID)
	store *bucket.Bucket

	records int               // to be fed
	fed     int64             // so far
	at      []int64           // by input partition: the record to process next
	high    []int64           // and the highest that it ever was
	sum     int64             // of at
	list    []FiftyCheckpoint // triggered
	decided int
	changed int64 // bytes of deltas stored since the last decision
	loaded  int64 // bytes of runs
	copies  int64 // bytes of runs, from local disks

	armed    bool // the death follows the newest checkpoint
	barrier  int64
	died     protocol.Time // zero: not yet
	from     []int64       // by partition: what the newest manifest says after the death
	known    bool          // from is filled
	live     int           // tasks restored since the death
	again    int           // partitions read on since the death
	replayed int64
	total    int64 // records processed
	out      FiftyResult
}

// stored notes that a run is written; consolidations are no change.
func (r *fiftyRun) stored(ef protocol.Store, n int64) {
	if _, ok := ef.Object.(state.Frozen); ok {
		r.changed += n
	}
}

// sinceDeath is now, if the worker has died.
func (r *fiftyRun) sinceDeath() protocol.Duration { return r.net.Now().Sub(r.died) }

// first sets d to the time since the death, once.
func (r *fiftyRun) first(d *protocol.Duration) {
	if r.died != 0 && *d == 0 {
		*d = r.sinceDeath()
	}
}

func (r *fiftyRun) note(n protocol.Note) {
	switch n.Kind {
	case protocol.NoteTriggered:
		r.list = append(r.list, FiftyCheckpoint{ID: n.Checkpoint, At: r.net.Now()})
	case protocol.NoteDecided:
		r.decide(n.Checkpoint)
	case protocol.NoteSealed:
		c := r.checkpoint(n.Checkpoint)
		c.Sealed = r.net.Now().Sub(c.At)
		if r.live == len(r.plan.Tasks) {
			r.first(&r.out.Sealed)
		}
	case protocol.NoteWorkerLost:
		r.first(&r.out.Detected)
	}
}

func (r *fiftyRun) checkpoint(id protocol.CheckpointID) *FiftyCheckpoint {
	at := slices.IndexFunc(r.list, func(c FiftyCheckpoint) bool { return c.ID == id })
	protocol.Assert(at >= 0, "a checkpoint that is decided was triggered")
	return &r.list[at]
}

func (r *fiftyRun) decide(id protocol.CheckpointID) {
	c := r.checkpoint(id)
	c.Decided, c.Changed = r.net.Now().Sub(c.At), r.changed
	r.changed = 0
	if r.died != 0 {
		return
	}
	r.decided++
	r.out.Checkpoints = append(r.out.Checkpoints, *c)
	r.armed = r.decided >= r.c.warm()
	r.barrier = 0
	for _, next := range r.manifest() {
		r.barrier += next
	}
}

// manifest is where the newest decided manifest has the sources read on, by partition.
func (r *fiftyRun) manifest() []int64 {
	body, _ := r.store.Get(checkpoint.HeadKey)
	head, err := checkpoint.DecodeHead(body)
	protocol.Assert(err == nil, "HEAD can be read")
	newest, _ := head.Newest()
	body, _ = r.store.Get(newest.Key)
	m, err := checkpoint.DecodeManifest(body)
	protocol.Assert(err == nil, "the newest manifest can be read")
	list := make([]int64, r.fifty.Partitions)
	for i := range m.Snapshots {
		for _, p := range m.Snapshots[i].Positions {
			list[p.Partition] = int64(p.Next)
		}
	}
	return list
}

// aligned notes how long an operator has waited for its last barrier.
func (r *fiftyRun) aligned(id protocol.CheckpointID, d protocol.Duration) {
	c := r.checkpoint(id)
	c.Aligned = max(c.Aligned, d)
	c.AlignedTotal += d
}

// restored notes that a task has its state.
func (r *fiftyRun) restored(t *fiftyTask) {
	if !t.reborn {
		return
	}
	if r.live++; r.live == len(r.plan.Tasks) {
		r.first(&r.out.Restored)
	}
}

// asks notes from where a source that has begun anew reads on, and compares it with what is decided.
func (r *fiftyRun) asks(t *fiftyTask, ef protocol.Fetch) {
	if !t.reborn || slices.Contains(t.fetched, ef.Partition) {
		return
	}
	t.fetched = append(t.fetched, ef.Partition)
	if !r.known {
		r.from, r.known = r.manifest(), true
	}
	r.again++
	if int64(ef.From) == r.from[ef.Partition] {
		r.out.Exact++
	} else {
		r.out.Inexact++
	}
	r.move(int(ef.Partition), int64(ef.From))
}

// move says where a partition stands.
func (r *fiftyRun) move(partition int, next int64) {
	r.sum += next - r.at[partition]
	r.at[partition] = next
}

// worked notes what a task has processed.
func (r *fiftyRun) worked(t *fiftyTask, b *batch.Batch) {
	if t.kind != job.SourceStage || b.Len() == 0 {
		return
	}
	p := int(b.Record(0).Partition)
	for i := range b.Len() {
		offset := b.Record(i).Offset
		r.total++
		if offset < r.high[p] {
			r.replayed++
		}
		r.high[p] = max(r.high[p], offset+1)
		r.move(p, offset+1)
	}
	if t.reborn {
		r.recovers()
	}
	if past := r.sum - r.barrier; r.armed && r.died == 0 && past*r.fifty.Weight >= r.c.Past {
		r.armed = false
		r.net.After(0, r.die)
	}
}

// die takes a worker away.
func (r *fiftyRun) die() {
	r.died, r.loaded = r.net.Now(), 0
	r.out.Past = (r.sum - r.barrier) * r.fifty.Weight
	r.kill(protocol.NodeID(2 + r.fifty.Workers/2))
}

// recovers notes how far the job has come since the death.
func (r *fiftyRun) recovers() {
	r.first(&r.out.Processing)
	if r.again == r.fifty.Partitions && (r.fed-r.sum)*r.fifty.Weight <= r.fifty.Rate {
		if r.out.Caught == 0 {
			r.out.FedOut = r.fed == int64(r.records)
		}
		r.first(&r.out.Caught)
	}
}

// result is what came out, judged.
func (r *fiftyRun) result(run sim.Result) FiftyResult {
	out, w := r.out, r.fifty.Weight
	out.Case, out.Records, out.Run = r.c, r.records, run
	out.Replayed, out.Processed, out.Loaded = r.replayed*w, r.total*w, r.loaded
	out.Recalled = r.copies
	if len(out.Checkpoints) > 0 {
		out.Checkpoints = out.Checkpoints[1:]
	}
	for i := range out.Checkpoints {
		out.Checkpoints[i].Sealed = r.checkpoint(out.Checkpoints[i].ID).Sealed
	}
	h := run.History.Checker(run.Failure == nil)
	out.Verdict = checker.Check(&h, counted(jobs.Shuffle().Outputs[0]))
	out.Run.History = sim.History{}
	return out
}
