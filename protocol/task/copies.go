package task

import (
	"fmt"

	"weir/protocol"
)

// copies says when copies of runs may go. A copy is believed where its length and hash are those that the manifest has
// of the run, and nowhere else, so it may be missing, torn or another run's; the bucket has what counts. Local recovery
// in Flink's terms, FLIP-1 and FLINK-8360.
type copies struct {
	// Invariant: merged says that runs were consolidated since the last freeze.
	merged bool
	// Invariant: due, unless zero, is the first checkpoint that does not list runs of which copies are kept: once a
	// checkpoint from due on is decided, nothing but the lineage is restored.
	due protocol.CheckpointID
}

// froze notes that checkpoint id lists what has been consolidated.
func (c *copies) froze(id protocol.CheckpointID) {
	if c.merged {
		c.merged, c.due = false, id
	}
}

// body is an object that was read.
type body []byte

// Encode implements protocol.Object.
func (b body) Encode(dst []byte) []byte { return append(dst, b...) }

// shelf is where the copies of this task's runs stand.
func (s *snapshots) shelf() string { return fmt.Sprintf("%s-%d", s.cfg.Stage, s.cfg.Index) }

func (s *snapshots) keep(r *run, o protocol.Object, out *protocol.Effects) {
	if s.cfg.Local {
		out.Append(protocol.Keep{Shelf: s.shelf(), Key: r.Key, Object: o})
	}
}

// retain gives up the copies of all runs but the lineage's.
func (s *snapshots) retain(out *protocol.Effects) {
	if !s.cfg.Local {
		return
	}
	keys := make([]protocol.ObjectKey, len(s.lineage))
	for i, r := range s.lineage {
		keys[i] = r.Key
	}
	out.Append(protocol.Retain{Shelf: s.shelf(), Keys: keys})
}

// onConfirmed lets copies go that no restore will ask for.
func (s *snapshots) onConfirmed(id protocol.CheckpointID, out *protocol.Effects) {
	if s.copies.due != 0 && id >= s.copies.due {
		s.copies.due = 0
		s.retain(out)
	}
}

func (s *snapshots) recall(now protocol.Time, then snapshotStep, at int, out *protocol.Effects) {
	r := s.subject(then, at)
	op := s.ops.Add("copy of "+string(r.Key), now.Add(s.diskPatience(r.Size)), snapshotOp{step: stepRecall, then: then, at: at})
	out.Append(protocol.Recall{Op: op, Shelf: s.shelf(), Key: r.Key})
}

// diskPatience is how long the disk may take. A quarter of the time of a request is much for a disk, and little beside
// what a restore takes that has to ask the bucket after all.
func (s *snapshots) diskPatience(size int64) protocol.Duration {
	return s.patience(size) / 4
}

func (s *snapshots) onRecalled(now protocol.Time, ev protocol.Recalled, out *protocol.Effects) snapshotAnswer {
	op, ok := s.ops.Take(ev.Op)
	if !ok {
		return snapshotAnswer{}
	}
	switch {
	case ev.Outcome != protocol.OK:
		s.unusable(now, op, protocol.NoteNotRecalled, ev.Outcome.String(), out)
		return snapshotAnswer{}
	case !written(s.subject(op.then, op.at).Run, ev.Body):
		s.unusable(now, op, protocol.NoteSpoilt, "", out)
		return snapshotAnswer{}
	}
	out.Append(protocol.Note{Kind: protocol.NoteRecalled})
	if op.then == stepGather {
		return s.gathered(now, op.at, ev.Body, out)
	}
	return s.restored(op.at, ev.Body, out)
}

// unusable reads the object where its copy is of no use.
func (s *snapshots) unusable(now protocol.Time, op snapshotOp, kind protocol.NoteKind, why string, out *protocol.Effects) {
	out.Append(protocol.Note{Kind: kind, Detail: why})
	s.load(now, op.then, op.at, out)
}
