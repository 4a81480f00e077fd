package task

import (
	"crypto/sha256"
	"fmt"

	"weir/protocol"
	"weir/protocol/pending"
)

// snapshots keeps the lineage of an operator's keyed state: which runs, in order, make up the state at each freeze,
// and which of them are durable.
type snapshots struct {
	cfg *Config
	ops pending.Set[snapshotOp]
	// Invariant: lineage is the whole state at the last freeze, oldest run first. An aborted checkpoint removes
	// nothing: its run is part of every later snapshot.
	lineage []*run
	// Invariant: owed are snapshots not acked yet, in order; each waits for a run that is not durable.
	owed []*snapshot
	seq  uint64
	// Invariant: bodies[i] is the loaded body of lineage[i] while restoring; applied in order once all are there.
	bodies  [][]byte
	missing int
	merge   *merge // nil: no consolidation under way
	copies  copies
}

// run is one run of the lineage.
type run struct {
	protocol.Run
	object  protocol.Object // until durable
	weight  int64           // about the size of the object
	durable bool
}

// snapshot is the lineage at one freeze.
type snapshot struct {
	checkpoint protocol.CheckpointID
	lineage    []*run
}

type snapshotOp struct {
	step snapshotStep
	at   int          // index in the lineage, or in what is merged
	then snapshotStep // recalling: what the run is read for
	run  *run
	sum  protocol.Sum // checking: what the object there must be
}

type snapshotStep uint8

const (
	stepRestore snapshotStep = 1 + iota // a run of the restored lineage is being loaded
	stepStore                           // a run is being stored
	stepCheck                           // somebody stored under that name: is it the same?
	stepBackoff                         // to be stored again
	stepGather                          // a run to be merged is being loaded
	stepGatherBackoff
	stepRestoreBackoff
	stepRecall // a copy is being read
)

// snapshotAnswer is what the task has to do.
type snapshotAnswer struct {
	restored bool
	broken   string
	durable  []*snapshot // to be acked, in order
}

func newSnapshots(cfg *Config) *snapshots {
	return &snapshots{cfg: cfg, ops: pending.New[snapshotOp](2, timerDeadline)}
}

func (s *snapshot) runs() []protocol.Run {
	list := make([]protocol.Run, len(s.lineage))
	for i, r := range s.lineage {
		list[i] = r.Run
	}
	return list
}

func (s *snapshot) durable() bool {
	for _, r := range s.lineage {
		if !r.durable {
			return false
		}
	}
	return true
}

// restore loads the restored lineage; true: there is nothing to load.
func (s *snapshots) restore(now protocol.Time, out *protocol.Effects) bool {
	runs := s.cfg.Start.Snapshot.Runs
	s.bodies, s.missing = make([][]byte, len(runs)), len(runs)
	for i, r := range runs {
		s.lineage = append(s.lineage, &run{Run: r, durable: true})
		s.read(now, stepRestore, i, out)
	}
	return len(runs) == 0
}

// subject is the run that a step reads.
func (s *snapshots) subject(step snapshotStep, at int) *run {
	if step == stepGather {
		return s.merge.inputs[at]
	}
	return s.lineage[at]
}

// read gets a run for a step: its copy first, where copies are kept.
func (s *snapshots) read(now protocol.Time, step snapshotStep, at int, out *protocol.Effects) {
	if s.cfg.Local {
		s.recall(now, step, at, out)
		return
	}
	s.load(now, step, at, out)
}

func (s *snapshots) load(now protocol.Time, step snapshotStep, at int, out *protocol.Effects) {
	r := s.subject(step, at)
	op := s.ops.Add("load of "+string(r.Key), now.Add(s.patience(r.Size)), snapshotOp{step: step, at: at})
	out.Append(protocol.Load{Op: op, Key: r.Key})
}

// patience is how long a request with a body of size may take: large ones take longer.
func (s *snapshots) patience(size int64) protocol.Duration {
	return s.cfg.IOTimeout + protocol.Duration(size>>20)*protocol.Second
}

func (s *snapshots) onLoaded(now protocol.Time, ev protocol.Loaded, out *protocol.Effects) snapshotAnswer {
	op, ok := s.ops.Take(ev.Op)
	if !ok {
		return snapshotAnswer{}
	}
	switch op.step {
	case stepRestore:
		return s.onRestored(now, op, ev, out)
	case stepCheck:
		return s.onChecked(now, op, ev, out)
	case stepGather:
		return s.onGathered(now, op, ev, out)
	}
	return snapshotAnswer{}
}

// intact says what is wrong with a loaded run, or "".
func intact(r protocol.Run, ev protocol.Loaded) string {
	switch {
	case ev.Outcome == protocol.NotFound:
		return fmt.Sprintf("run %s is not in the bucket: somebody removed it; restore it from a copy", r.Key)
	case ev.Outcome == protocol.Denied:
		return fmt.Sprintf("run %s: access denied", r.Key)
	case ev.Outcome == protocol.Corrupt:
		return fmt.Sprintf("run %s is damaged: what was read is not what was written (the log says how); restore it from a copy", r.Key)
	case !written(r, ev.Body):
		return fmt.Sprintf("run %s: %d bytes read, they are not the %d bytes written", r.Key, len(ev.Body), r.Size)
	}
	return ""
}

// written reports whether body is what was written as r.
func written(r protocol.Run, body []byte) bool {
	return int64(len(body)) == r.Size && protocol.Sum(sha256.Sum256(body)) == r.Sum
}

func (s *snapshots) onRestored(now protocol.Time, op snapshotOp, ev protocol.Loaded, out *protocol.Effects) snapshotAnswer {
	r := s.lineage[op.at]
	if ev.Outcome == protocol.Unknown {
		s.ops.Add("back-off of load", now.Add(s.cfg.RetryDelay), snapshotOp{step: stepRestoreBackoff, at: op.at})
		return snapshotAnswer{}
	}
	if broken := intact(r.Run, ev); broken != "" {
		return snapshotAnswer{broken: broken}
	}
	s.keep(r, body(ev.Body), out)
	return s.restored(op.at, ev.Body, out)
}

// restored takes a run of the restored lineage; the last one completes it.
func (s *snapshots) restored(at int, body []byte, out *protocol.Effects) snapshotAnswer {
	s.bodies[at] = body
	if s.missing--; s.missing > 0 {
		return snapshotAnswer{}
	}
	for i, body := range s.bodies {
		if err := s.cfg.State.Restore(body); err != nil {
			return snapshotAnswer{broken: fmt.Sprintf("run %s: %v", s.lineage[i].Key, err)}
		}
	}
	s.bodies = nil
	s.retain(out)
	return snapshotAnswer{restored: true}
}

// freeze takes the delta as a new run of the lineage. It returns the snapshot if it is durable already.
func (s *snapshots) freeze(now protocol.Time, id protocol.CheckpointID, out *protocol.Effects) *snapshot {
	frozen := s.cfg.State.Freeze()
	out.Append(protocol.Note{Kind: protocol.NoteFrozen, Checkpoint: id})
	if frozen.Len() > 0 {
		s.store(now, s.add(frozen, int64(frozen.Size())), out)
	}
	s.copies.froze(id)
	snap := &snapshot{checkpoint: id, lineage: append([]*run(nil), s.lineage...)}
	if snap.durable() {
		return snap
	}
	s.owed = append(s.owed, snap)
	return nil
}

// name makes a key that no other life of any task uses.
func (s *snapshots) name() protocol.ObjectKey {
	s.seq++
	return protocol.ObjectKey(fmt.Sprintf("data/%s/%s/%06d", s.cfg.Start.Scope, s.shelf(), s.seq))
}

func (s *snapshots) add(o protocol.Object, weight int64) *run {
	r := &run{Run: protocol.Run{Key: s.name()}, object: o, weight: weight}
	s.lineage = append(s.lineage, r)
	return r
}

func (s *snapshots) store(now protocol.Time, r *run, out *protocol.Effects) {
	op := s.ops.Add("store of "+string(r.Key), now.Add(s.patience(r.weight)), snapshotOp{step: stepStore, run: r})
	out.Append(protocol.Store{Op: op, Key: r.Key, Object: r.object})
}

// onStored makes a run durable, or finds out whether it is.
//
// A name is ours alone, so a conflict means that an earlier try of ours landed late: what is there is compared.
func (s *snapshots) onStored(now protocol.Time, ev protocol.Stored, out *protocol.Effects) snapshotAnswer {
	op, ok := s.ops.Take(ev.Op)
	if !ok {
		return snapshotAnswer{}
	}
	r := op.run
	switch ev.Outcome {
	case protocol.OK:
		return s.onDurable(now, r, ev.Size, ev.Sum, out)
	case protocol.Conflict:
		check := s.ops.Add("check of "+string(r.Key), now.Add(s.patience(r.weight)), snapshotOp{step: stepCheck, run: r, sum: ev.Sum})
		out.Append(protocol.Load{Op: check, Key: r.Key})
	case protocol.Denied:
		return snapshotAnswer{broken: fmt.Sprintf("store of %s: access denied, or no space left", r.Key)}
	default:
		s.backoff(now, r)
	}
	return snapshotAnswer{}
}

func (s *snapshots) backoff(now protocol.Time, r *run) {
	s.ops.Add("back-off of store", now.Add(s.cfg.RetryDelay), snapshotOp{step: stepBackoff, run: r})
}

func (s *snapshots) onChecked(now protocol.Time, op snapshotOp, ev protocol.Loaded, out *protocol.Effects) snapshotAnswer {
	switch {
	case ev.Outcome == protocol.OK && protocol.Sum(sha256.Sum256(ev.Body)) == op.sum:
		return s.onDurable(now, op.run, int64(len(ev.Body)), op.sum, out)
	case ev.Outcome == protocol.OK:
		return snapshotAnswer{broken: fmt.Sprintf("run %s: another object is stored under this name", op.run.Key)}
	}
	s.backoff(now, op.run)
	return snapshotAnswer{}
}

func (s *snapshots) onDurable(now protocol.Time, r *run, size int64, sum protocol.Sum, out *protocol.Effects) (a snapshotAnswer) {
	s.keep(r, r.object, out)
	r.Size, r.Sum, r.durable, r.object = size, sum, true, nil
	if s.merge != nil && s.merge.result == r {
		s.consolidated(out)
		return a
	}
	for len(s.owed) > 0 && s.owed[0].durable() {
		a.durable = append(a.durable, s.owed[0])
		s.owed = s.owed[1:]
	}
	s.maybeMerge(now, out)
	return a
}

// drop forgets the snapshots of checkpoints that are over; their runs stay.
func (s *snapshots) drop(id protocol.CheckpointID) {
	for len(s.owed) > 0 && s.owed[0].checkpoint <= id {
		s.owed = s.owed[1:]
	}
}

func (s *snapshots) onDeadline(now protocol.Time, out *protocol.Effects) {
	s.ops.Woken()
	for op, ok := s.ops.Expired(now); ok; op, ok = s.ops.Expired(now) {
		s.onExpired(now, op, out)
	}
}

// onExpired tries again: an outcome that did not come is Unknown, and a name stored twice holds the same bytes.
func (s *snapshots) onExpired(now protocol.Time, op snapshotOp, out *protocol.Effects) {
	switch op.step {
	case stepRecall:
		s.unusable(now, op, protocol.NoteNotRecalled, "no answer in time", out)
	case stepRestore, stepRestoreBackoff:
		s.load(now, stepRestore, op.at, out)
	case stepGather, stepGatherBackoff:
		s.load(now, stepGather, op.at, out)
	case stepStore, stepCheck, stepBackoff:
		s.store(now, op.run, out)
	}
}
