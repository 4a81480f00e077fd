package sim

import (
	"fmt"
	"strings"

	"weir/faults"
	"weir/protocol"
)

// notes counts what machines note.
type notes struct {
	list  []NoteCount
	index map[protocol.NoteKind]int // into list
}

func (o *notes) count(kind protocol.NoteKind) {
	i, ok := o.index[kind]
	if !ok {
		i = len(o.list)
		o.index[kind] = i
		o.list = append(o.list, NoteCount{Kind: kind})
	}
	o.list[i].Count++
}

// watch is what the world knows of a job's protocol by looking on.
type watch struct {
	phase   faults.Phase
	current protocol.CheckpointID // the newest triggered
	epochs  []attempt             // checkpoints under way or decided lately, ascending
	scope   protocol.Scope        // the newest attempt that has spawned a task: its recovery is over
	sealed  int
	newest  protocol.CheckpointID // sealed
	last    protocol.Time         // of the newest seal
	honest  protocol.Duration
	listed  []protocol.ObjectKey // by HEAD's manifests, the manifests included; ascending
	decoded []manifest           // those that HEAD's newest version lists
	owned   []owned              // transactional ids

	// What tells whether a rare state was reached.
	aborts   int    // checkpoints in a row, without a crash between
	prepared bool   // a manifest was written, and neither decided nor given up
	body     []byte // of HEAD
}

// manifest is one that was decoded.
type manifest struct {
	key     protocol.ObjectKey
	body    []byte
	objects []protocol.ObjectKey
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
	return watch{phase: faults.Recovering, last: epochStart}
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
	case CheckSettles:
		return "settles"
	case CheckAges:
		return "ages"
	case CheckCalm:
		return "calm"
	}
	return fmt.Sprintf("checks %b", uint32(c))
}

// watchNote counts a note and learns from it where the protocol stands.
func (w *World) watchNote(m *machine, n protocol.Note) {
	w.notes.count(n.Kind)
	w.rareNote(m, n)
	j := m.proc.node.job
	switch n.Kind {
	case protocol.NoteTriggered, protocol.NoteFinal:
		j.current = max(j.current, n.Checkpoint)
		j.checkpoint(n.Checkpoint).triggered = w.now
		w.become(j, faults.Triggered)
	case protocol.NotePrepared:
		w.byHand(protocol.TransactionalID(n.Detail))
		if j.phase == faults.Triggered {
			w.become(j, faults.Prepared)
		}
	case protocol.NoteDecided:
		w.become(j, faults.Decided)
		w.decided(j, j.checkpoint(n.Checkpoint))
	case protocol.NoteSealed:
		w.become(j, faults.Idle)
		w.seal(j, n.Checkpoint)
	case protocol.NoteAborted, protocol.NoteTimedOut:
		if j.phase != faults.Decided && n.Checkpoint == j.current {
			w.become(j, faults.Idle)
		}
	case protocol.NoteClaimed:
		m.proc.node.claimed, _ = attemptOf(n.Detail)
		w.become(j, faults.Recovering)
	case protocol.NoteRestart:
		w.checkCalm(n.Detail)
		w.become(j, faults.Recovering)
	case protocol.NoteAligned, protocol.NoteFrozen:
		m.froze = append(m.froze, n.Checkpoint)
	}
}

// become moves a job's phase on, and strikes what waited for it.
func (w *World) become(j *tenant, p faults.Phase) {
	if j.phase != p {
		j.phase = p
		w.enter(j, p)
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

// underWay is the checkpoint that is triggered and not sealed, or zero.
func (o *watch) underWay() protocol.CheckpointID {
	switch o.phase {
	case faults.Triggered, faults.Prepared, faults.Decided:
		return o.current
	case faults.Idle, faults.Recovering:
	}
	return 0
}

// watchTell learns the sources' positions from their acks.
func (w *World) watchTell(m *machine, ef protocol.Tell) {
	ack, ok := ef.Message.(protocol.Ack)
	if !ok || !m.start.Scope.SameAttempt(ack.Scope) {
		return
	}
	w.watchAges(&ack)
	a := m.proc.node.job.checkpoint(ack.Checkpoint)
	for _, p := range ack.Snapshot.Positions {
		if at := a.position(p.Topic, p.Partition); at != nil {
			at.Next = p.Next
		} else {
			a.positions = append(a.positions, p)
		}
	}
}

// watchAges checks that no ack makes a transaction younger than it is: what is too old must not be decided.
func (w *World) watchAges(ack *protocol.Ack) {
	if w.services.Began == nil {
		return
	}
	for _, c := range ack.Snapshot.Committables {
		if began, ok := w.services.Began(c.ID, c.Producer); ok && c.Age < w.now.Sub(began) {
			w.breach(CheckAges, fmt.Sprintf("an ack of checkpoint %d says that transaction %s is %d ms old, and it is %d", ack.Checkpoint, c.ID, c.Age/protocol.Millisecond, w.now.Sub(began)/protocol.Millisecond))
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

// checkCalm checks that no service fails a job before anything has gone wrong; slow ones may exhaust its patience.
func (w *World) checkCalm(why string) {
	if !w.disturbed && strings.HasPrefix(why, protocol.FailService.String()+":") {
		w.breach(CheckCalm, "the region restarts though nothing has gone wrong: "+why)
	}
}

// seal counts a sealed checkpoint; in the liveness phase it may be what the run waits for.
func (w *World) seal(j *tenant, n protocol.CheckpointID) {
	j.sealed++
	j.honest += min(w.now.Sub(j.last), 3*j.cfg.Interval)
	j.last, j.newest = w.now, n
	if w.calm == 0 || w.cfg.Expect != 0 {
		return
	}
	w.watchWaits()
	if w.lives() && (w.cfg.Settled == nil || w.cfg.Settled()) {
		w.over = true
	}
}

// lives reports whether every job has sealed a checkpoint, triggered after the mending, that covers all its input.
func (w *World) lives() bool {
	for _, j := range w.jobs {
		if j.newest == 0 {
			return false
		}
		if a := j.checkpoint(j.newest); a.triggered <= w.calm || !w.covers(j, a) {
			return false
		}
	}
	return true
}

// covers reports whether a checkpoint's positions stand behind all input of its job.
func (w *World) covers(j *tenant, a *attempt) bool {
	if w.open > 0 {
		return false
	}
	for _, topic := range j.spec.Inputs {
		if !w.coversTopic(topic, a) {
			return false
		}
	}
	for _, f := range w.feeders {
		if j.spec.Inputs == nil && !w.coversTopic(f.Topic, a) {
			return false
		}
	}
	return true
}

func (w *World) coversTopic(topic string, a *attempt) bool {
	for p := range w.services.Outside.Partitions(topic) {
		from := w.services.Outside.Range(topic, protocol.Partition(p)).Start
		if at := a.position(topic, protocol.Partition(p)); at != nil {
			from = at.Next
		}
		if left, _ := w.services.Outside.Read(nil, topic, protocol.Partition(p), from, 1); len(left) > 0 {
			return false
		}
	}
	return true
}

// watchWaits asserts that no machine waits for what should have been given up long ago.
func (w *World) watchWaits() {
	for _, n := range w.nodes {
		if n.proc == nil {
			continue
		}
		slack := protocol.Second + n.job.cfg.IOTimeout
		for _, m := range n.proc.machines {
			for _, wait := range m.core.Pending() {
				// What came due while the process was paused is given up when it has woken.
				if late := w.now.Sub(max(wait.Deadline-m.proc.skew, n.wakes)); wait.Deadline != 0 && late > slack {
					w.breach(CheckWaits, fmt.Sprintf("%s waits for %q %d ms past its deadline", w.addressName(m.addr), wait.What, late/protocol.Millisecond))
				}
			}
		}
	}
}

// watchSpawn learns that an attempt's recovery is over.
func (w *World) watchSpawn(m *machine) {
	if j := m.proc.node.job; j.scope.Older(m.start.Scope) {
		j.scope = m.start.Scope
		w.checkFenced(j, j.scope)
	}
}
