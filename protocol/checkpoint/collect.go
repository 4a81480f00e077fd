package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"weir/protocol"
)

// collecting is the one checkpoint that is triggered and not decided.
type collecting struct {
	id       protocol.CheckpointID
	final    bool // bounded input is drained, or the operator wants an end
	closing  bool // End follows the barrier
	stage    collectStage
	deadline protocol.Time // of the acks
	owes     owes
	// Invariant: snapshots holds one entry per task that has acked, received when it came.
	snapshots []snapshotIn
	manifest  *Manifest
	sum       protocol.Sum // of the stored manifest
}

type collectStage uint8

const (
	collectingAcks collectStage = 1 + iota
	storingManifest
	writingHead
)

type snapshotIn struct {
	snapshot protocol.Snapshot
	received protocol.Time
}

func (p *collecting) trigger(s protocol.Scope) protocol.Trigger {
	return protocol.Trigger{Scope: s, Checkpoint: p.id, Final: p.closing}
}

// await sets the timer for the next trigger.
func (c *Coordinator) await(now protocol.Time, out *protocol.Effects) {
	out.Append(protocol.Wake{Timer: timerInterval, At: max(c.lastTrig.Add(c.cfg.Interval), now+1)})
}

func (c *Coordinator) onInterval(now protocol.Time, out *protocol.Effects) {
	if c.phase != running {
		return
	}
	c.lastTrig = now
	c.await(now, out)
	c.list(now, out)
	if !c.maybeLast(now, out) {
		c.maybeTrigger(now, false, out)
	}
}

// maybeLast triggers the last checkpoint if one is due: all sources drained, or the operator wants an end.
func (c *Coordinator) maybeLast(now protocol.Time, out *protocol.Effects) bool {
	due := c.stopping || c.allDrained()
	if due && c.phase == running && c.sealing == nil {
		c.maybeTrigger(now, true, out)
	}
	return due
}

func (c *Coordinator) allDrained() bool { return len(c.drained.open) > 0 && c.drained.done() }

// maybeTrigger begins a checkpoint unless one is under way or the sinks' pools could run empty.
func (c *Coordinator) maybeTrigger(now protocol.Time, final bool, out *protocol.Effects) {
	if c.pending != nil || c.head.busy() || c.broken != nil {
		return
	}
	if len(c.unsettled) >= c.cfg.PoolSize()-1 || c.nextID >= c.head.head.Next {
		out.Append(protocol.Note{Kind: protocol.NoteHeld, Checkpoint: c.nextID})
		if c.sealed > c.head.head.Sealed || c.nextID >= c.head.head.Next {
			c.settle(now, toSettle, false, out)
		}
		return
	}
	tasks, highest := c.tasks(func(TaskInfo) bool { return true })
	p := &collecting{id: c.nextID, final: final, closing: final && c.allDrained(), stage: collectingAcks, deadline: now.Add(c.cfg.Timeout), owes: newOwes(tasks, highest)}
	c.nextID++
	c.unsettled = append(c.unsettled, p.id)
	c.pending = p
	kind := protocol.NoteTriggered
	if final {
		kind = protocol.NoteFinal
	}
	out.Append(protocol.Note{Kind: kind, Checkpoint: p.id})
	sources, _ := c.tasks(func(t TaskInfo) bool { return t.Source })
	for _, t := range sources {
		c.tellTask(t, p.trigger(c.scope()), out)
	}
}

// onAck takes a task's part. The first one counts; a second must be the same, but for ages.
func (c *Coordinator) onAck(now protocol.Time, t protocol.TaskID, m protocol.Ack, out *protocol.Effects) {
	p := c.pending
	if p == nil || p.id != m.Checkpoint || m.Snapshot.Task != t {
		return
	}
	for i := range p.snapshots {
		if have := &p.snapshots[i].snapshot; have.Task == t {
			if !same(*have, m.Snapshot) {
				c.breakdown(now, protocol.Failure{Kind: protocol.FailState, Text: fmt.Sprintf("task %d acked checkpoint %d twice, with different snapshots", t, p.id)}, out)
			}
			return
		}
	}
	if p.stage != collectingAcks || !p.owes.settle(t) {
		return
	}
	p.snapshots = append(p.snapshots, snapshotIn{m.Snapshot, now})
	if p.owes.done() {
		c.complete(now, out)
	}
}

// same compares snapshots but for ages.
func same(a, b protocol.Snapshot) bool {
	return bytes.Equal(ageless(a), ageless(b))
}

func ageless(s protocol.Snapshot) []byte {
	s.Committables = append([]protocol.Committable(nil), s.Committables...)
	for i := range s.Committables {
		s.Committables[i].Age = 0
	}
	return appendSnapshot(nil, &s)
}

// complete builds the manifest: every task has acked.
func (c *Coordinator) complete(now protocol.Time, out *protocol.Effects) {
	p := c.pending
	s := c.scope()
	m := &Manifest{Job: c.opt.Job, Checkpoint: p.id, Epoch: s.Epoch, Attempt: s.Attempt, KeyGroups: c.opt.KeyGroups, Stages: c.opt.Stages, Final: p.closing}
	for _, t := range c.opt.Tasks {
		for i := range p.snapshots {
			if in := &p.snapshots[i]; in.snapshot.Task == t.Task {
				m.Snapshots = append(m.Snapshots, older(in, now))
			}
		}
	}
	for _, x := range m.Committables() {
		if x.Checkpoint > c.sealed && x.Age > x.Timeout/2 {
			c.breakdown(now, protocol.Failure{Kind: protocol.FailService, Text: fmt.Sprintf("transaction %q is %d ms old, more than half its timeout: too old to be decided", x.ID, x.Age/protocol.Millisecond)}, out)
			return
		}
	}
	p.manifest, p.stage = m, storingManifest
	c.storeManifest(now, out)
}

// older adds the time since the ack was received to its transactions' ages.
func older(in *snapshotIn, now protocol.Time) protocol.Snapshot {
	s := in.snapshot
	s.Committables = append([]protocol.Committable(nil), s.Committables...)
	for i := range s.Committables {
		s.Committables[i].Age += now.Sub(in.received)
	}
	return s
}

func (c *Coordinator) storeManifest(now protocol.Time, out *protocol.Effects) {
	key := c.pending.manifest.Key()
	op := c.ops.Add("store of "+string(key), now.Add(c.cfg.IOTimeout), work{kind: workStoreManifest})
	out.Append(protocol.Store{Op: op, Key: key, Object: c.pending.manifest})
}

func (c *Coordinator) onManifestStored(now protocol.Time, ev protocol.Stored, out *protocol.Effects) {
	if c.pending == nil || c.pending.stage != storingManifest {
		return
	}
	switch ev.Outcome {
	case protocol.OK:
		c.decide(now, ev.Sum, out)
	case protocol.Conflict: // an earlier try of ours landed late, or somebody else's object is there
		key := c.pending.manifest.Key()
		op := c.ops.Add("check of "+string(key), now.Add(c.cfg.IOTimeout), work{kind: workCheckManifest, sum: ev.Sum})
		out.Append(protocol.Load{Op: op, Key: key})
	case protocol.Denied:
		c.exit(protocol.Refused, out, "manifest %s cannot be written: access denied, or no space left", c.pending.manifest.Key())
	default:
		c.ops.Add("back-off of store", now.Add(c.cfg.RetryDelay), work{kind: workManifestBackoff})
	}
}

func (c *Coordinator) onManifestChecked(now protocol.Time, w work, ev protocol.Loaded, out *protocol.Effects) {
	if c.pending == nil || c.pending.stage != storingManifest {
		return
	}
	switch {
	case ev.Outcome == protocol.OK && protocol.Sum(sha256.Sum256(ev.Body)) == w.sum:
		c.decide(now, w.sum, out)
	case ev.Outcome == protocol.OK:
		c.exit(protocol.Refused, out, "another object is stored as %s: two jobs share this bucket", c.pending.manifest.Key())
	default:
		c.ops.Add("back-off of store", now.Add(c.cfg.RetryDelay), work{kind: workManifestBackoff})
	}
}

// decide replaces HEAD: that write is the decision. Pools of attempts that this one has fenced leave with it.
func (c *Coordinator) decide(now protocol.Time, sum protocol.Sum, out *protocol.Effects) {
	p := c.pending
	p.stage, p.sum = writingHead, sum
	h := c.head.next()
	h.Retained = retain(append(h.Retained, Retained{Checkpoint: p.id, Key: p.manifest.Key(), Sum: sum}), c.cfg.Retained)
	h.Sealed = max(h.Sealed, c.sealed)
	h.Next = max(h.Next, c.nextID+c.reserve())
	h.Pools = current(h)
	c.writing = toDecide
	c.head.propose(now, h, out)
}

// retain keeps the newest n periodic checkpoints and every savepoint.
func retain(list []Retained, n int) []Retained {
	periodic := 0
	for _, r := range list {
		if !r.Savepoint {
			periodic++
		}
	}
	var kept []Retained
	for _, r := range list {
		if !r.Savepoint {
			if periodic--; periodic >= n {
				continue
			}
		}
		kept = append(kept, r)
	}
	return kept
}

func current(h *Head) []Pool {
	var list []Pool
	for _, p := range h.Pools {
		if p.Epoch == h.Epoch && p.Attempt == h.Attempt {
			list = append(list, p)
		}
	}
	return list
}

func (c *Coordinator) onDecline(now protocol.Time, m protocol.Decline, out *protocol.Effects) {
	if p := c.pending; p != nil && p.id == m.Checkpoint && p.stage == collectingAcks {
		out.Append(protocol.Note{Kind: protocol.NoteDeclined, Checkpoint: p.id, Detail: m.Reason})
		c.abort(now, out)
	}
}

// abort gives the checkpoint up. It aborts no transaction: what is prepared is committed with the next decision.
func (c *Coordinator) abort(now protocol.Time, out *protocol.Effects) {
	p := c.pending
	c.pending = nil
	tasks, highest := c.tasks(func(TaskInfo) bool { return true })
	c.aborting = &aborting{id: p.id, owes: newOwes(tasks, highest), deadline: now.Add(c.cfg.Timeout)}
	out.Append(protocol.Note{Kind: protocol.NoteAborted, Checkpoint: p.id})
	c.repeatAbort(now, out)
	if c.failures++; c.failures > c.cfg.Tolerable {
		c.breakdown(now, protocol.Failure{Kind: protocol.FailTimeout, Text: fmt.Sprintf("%d checkpoints in a row were aborted", c.failures)}, out)
		return
	}
	c.maybeLast(now, out)
}

// aborting is the newest aborted checkpoint, while tasks have not answered; it stands for all below it.
type aborting struct {
	id       protocol.CheckpointID
	owes     owes
	deadline protocol.Time // then it is dropped: the next barrier supersedes what an Abort would have cancelled
}

func (c *Coordinator) repeatAbort(now protocol.Time, out *protocol.Effects) {
	a := c.aborting
	if a == nil {
		return
	}
	if now >= a.deadline {
		c.aborting = nil
		return
	}
	a.owes.each(func(t protocol.TaskID) { c.tellTask(t, protocol.Abort{Scope: c.scope(), Checkpoint: a.id}, out) })
}

func (c *Coordinator) onAborted(t protocol.TaskID, m protocol.Aborted) {
	if a := c.aborting; a != nil && a.id == m.Checkpoint && a.owes.settle(t) && a.owes.done() {
		c.aborting = nil
	}
}

func (c *Coordinator) onDrained(now protocol.Time, t protocol.TaskID, out *protocol.Effects) {
	if c.drained.settle(t) {
		c.maybeLast(now, out)
	}
}

// describe is a failure in one line.
func describe(f protocol.Failure) string {
	s := f.Kind.String() + ": " + f.Text
	if f.Operator != "" {
		s += fmt.Sprintf(" (operator %q)", f.Operator)
	}
	if f.Kind == protocol.FailUser && f.Offset >= 0 {
		s += fmt.Sprintf(" (input partition %d, offset %d)", f.Partition, f.Offset)
	}
	return s
}
