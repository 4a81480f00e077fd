package sim

import (
	"fmt"

	"weir/faults"
	"weir/protocol"
)

// watch is what the world knows of the protocol by looking on.
type watch struct {
	phase   faults.Phase
	current protocol.CheckpointID // the newest triggered
	notes   []NoteCount
	index   map[protocol.NoteKind]int // into notes
	epochs  []attempt                 // checkpoints under way or decided lately, ascending
	scope   protocol.Scope            // the newest attempt that has spawned a task: its recovery is over
	sealed  int
	last    protocol.Time // of the newest seal
	honest  protocol.Duration
	listed  []protocol.ObjectKey // by HEAD's manifests, the manifests included; ascending
}

// attempt is one checkpoint as the world saw it.
type attempt struct {
	id        protocol.CheckpointID
	triggered protocol.Time
	decided   bool
	positions []protocol.Position // of all sources that acked, one per topic and partition
}

const rememberedCheckpoints = 64

func newWatch() watch {
	return watch{index: make(map[protocol.NoteKind]int), phase: faults.Recovering, last: epochStart}
}

func (w *World) breach(c Checks, text string) {
	if w.cfg.Off&c == 0 {
		w.fails("invariant", c.String(), text)
	}
}

// String is the invariant's name.
func (c Checks) String() string {
	switch c {
	case CheckCut:
		return "cut"
	case CheckOrigins:
		return "origins"
	case CheckFencing:
		return "fencing"
	case CheckManifests:
		return "manifests"
	case CheckDeletes:
		return "deletes"
	case CheckBatches:
		return "batches"
	case CheckWaits:
		return "waits"
	}
	return fmt.Sprintf("checks %b", uint32(c))
}

// watchNote counts a note and learns from it where the protocol stands.
func (w *World) watchNote(m *machine, n protocol.Note) {
	o := &w.watch
	i, ok := o.index[n.Kind]
	if !ok {
		i = len(o.notes)
		o.index[n.Kind] = i
		o.notes = append(o.notes, NoteCount{Kind: n.Kind})
	}
	o.notes[i].Count++
	switch n.Kind {
	case protocol.NoteTriggered, protocol.NoteFinal:
		o.current = max(o.current, n.Checkpoint)
		o.checkpoint(n.Checkpoint).triggered = w.now
		w.become(faults.Triggered)
	case protocol.NotePrepared:
		if o.phase == faults.Triggered {
			w.become(faults.Prepared)
		}
	case protocol.NoteDecided:
		w.become(faults.Decided)
		w.decided(o.checkpoint(n.Checkpoint))
	case protocol.NoteSealed:
		w.become(faults.Idle)
		w.seal(n.Checkpoint)
	case protocol.NoteAborted, protocol.NoteTimedOut:
		if o.phase != faults.Decided && n.Checkpoint == o.current {
			w.become(faults.Idle)
		}
	case protocol.NoteClaimed, protocol.NoteRestart:
		w.become(faults.Recovering)
	case protocol.NoteAligned, protocol.NoteFrozen:
		m.froze = append(m.froze, n.Checkpoint)
	}
}

// become moves the protocol's phase on, and strikes what waited for it.
func (w *World) become(p faults.Phase) {
	if w.watch.phase != p {
		w.watch.phase = p
		w.enter(p)
	}
}

// checkpoint is the entry of n, made if need be.
func (o *watch) checkpoint(n protocol.CheckpointID) *attempt {
	for i := len(o.epochs) - 1; i >= 0; i-- {
		if o.epochs[i].id == n {
			return &o.epochs[i]
		}
	}
	if len(o.epochs) == rememberedCheckpoints {
		copy(o.epochs, o.epochs[1:])
		o.epochs = o.epochs[:len(o.epochs)-1]
	}
	o.epochs = append(o.epochs, attempt{id: n})
	return &o.epochs[len(o.epochs)-1]
}

// watchTell learns the sources' positions from their acks.
func (w *World) watchTell(m *machine, ef protocol.Tell) {
	ack, ok := ef.Message.(protocol.Ack)
	if !ok || !m.start.Scope.SameAttempt(ack.Scope) {
		return
	}
	a := w.watch.checkpoint(ack.Checkpoint)
	for _, p := range ack.Snapshot.Positions {
		if at := a.position(p.Topic, p.Partition); at != nil {
			at.Next = p.Next
		} else {
			a.positions = append(a.positions, p)
		}
	}
}

func (a *attempt) position(topic string, partition protocol.Partition) *protocol.Position {
	for i := range a.positions {
		if a.positions[i].Topic == topic && a.positions[i].Partition == partition {
			return &a.positions[i]
		}
	}
	return nil
}

// seal counts a sealed checkpoint; in the liveness phase it may be what the run waits for.
func (w *World) seal(n protocol.CheckpointID) {
	o := &w.watch
	o.sealed++
	o.honest += min(w.now.Sub(o.last), 3*w.cfg.Protocol.Interval)
	o.last = w.now
	if w.calm == 0 || w.cfg.Expect != 0 {
		return
	}
	w.watchWaits()
	a := o.checkpoint(n)
	if a.triggered > w.calm && w.covers(a) && (w.cfg.Settled == nil || w.cfg.Settled()) {
		w.over = true
	}
}

// covers reports whether a checkpoint's positions stand behind all input.
func (w *World) covers(a *attempt) bool {
	if w.open > 0 {
		return false
	}
	for _, f := range w.feeders {
		for p := range w.services.Outside.Partitions(f.Topic) {
			from := w.services.Outside.Range(f.Topic, protocol.Partition(p)).Start
			if at := a.position(f.Topic, protocol.Partition(p)); at != nil {
				from = at.Next
			}
			if left, _ := w.services.Outside.Read(f.Topic, protocol.Partition(p), from, 1); len(left) > 0 {
				return false
			}
		}
	}
	return true
}

// watchWaits asserts that no machine waits for what should have been given up long ago.
func (w *World) watchWaits() {
	slack := protocol.Second + w.cfg.Protocol.IOTimeout
	for _, n := range w.nodes {
		if n.proc == nil {
			continue
		}
		for _, m := range n.proc.machines {
			for _, wait := range m.core.Pending() {
				if late := (w.now + m.proc.skew).Sub(wait.Deadline); wait.Deadline != 0 && late > slack {
					w.breach(CheckWaits, fmt.Sprintf("%s waits for %q %d ms past its deadline", place(m.addr), wait.What, late/protocol.Millisecond))
				}
			}
		}
	}
}

// watchSpawn learns that an attempt's recovery is over.
func (w *World) watchSpawn(m *machine) {
	if w.watch.scope.Older(m.start.Scope) {
		w.watch.scope = m.start.Scope
	}
}
