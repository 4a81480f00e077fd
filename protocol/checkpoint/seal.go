package checkpoint

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/txn"
)

// confirming is the newest decided checkpoint, while sinks have not read its transactions back.
type confirming struct {
	id       protocol.CheckpointID
	final    bool // the job ends with it
	closing  bool // because its input has been read to the end
	owes     owes
	deadline protocol.Time
}

// onDecided: HEAD names the checkpoint. From here it can only be finished, by this coordinator or the next.
func (c *Coordinator) onDecided(now protocol.Time, out *protocol.Effects) {
	p := c.pending
	c.pending, c.failures = nil, 0
	out.Append(protocol.Note{Kind: protocol.NoteDecided, Checkpoint: p.id})
	c.release(now, p.manifest, out)
	c.afterSettled(now, out)
	c.erasable = p.manifest.Committables() // lists also what was decided before and is not durably sealed
	tasks, highest := c.tasks(func(TaskInfo) bool { return true })
	c.sealing = &confirming{id: p.id, final: p.final, closing: p.closing, owes: newOwes(tasks, highest), deadline: now.Add(c.cfg.TxnTimeout / 2)}
	c.repeatConfirm(now, out)
}

// release deletes what only manifests that HEAD has let go of refer to. HEAD's write has made that irrevocable.
func (c *Coordinator) release(now protocol.Time, decided *Manifest, out *protocol.Effects) {
	all := append(c.manifests, decided)
	c.manifests = nil
	var gone []*Manifest
	kept := make(map[protocol.ObjectKey]bool)
	for _, m := range all {
		if !c.head.head.retains(m.Key()) {
			gone = append(gone, m)
			continue
		}
		c.manifests = append(c.manifests, m)
		for _, k := range m.Objects() {
			kept[k] = true
		}
	}
	for _, m := range gone {
		out.Append(protocol.Note{Kind: protocol.NoteReleased, Checkpoint: m.Checkpoint})
		for _, k := range append(m.Objects(), m.Key()) {
			if !kept[k] {
				kept[k] = true // asked for once
				op := c.ops.Add("delete of "+string(k), now.Add(c.cfg.IOTimeout), work{kind: workDelete, key: k})
				out.Append(protocol.Delete{Op: op, Key: k})
			}
		}
	}
}

func (h *Head) retains(key protocol.ObjectKey) bool {
	for _, r := range h.Retained {
		if r.Key == key {
			return true
		}
	}
	return false
}

func (c *Coordinator) repeatConfirm(now protocol.Time, out *protocol.Effects) {
	s := c.sealing
	if s == nil {
		return
	}
	if now >= s.deadline {
		c.breakdown(now, protocol.Failure{Kind: protocol.FailService, Text: fmt.Sprintf("checkpoint %d is decided and was not sealed in time", s.id)}, out)
		return
	}
	s.owes.each(func(t protocol.TaskID) { c.tellTask(t, protocol.Confirm{Scope: c.scope(), Checkpoint: s.id}, out) })
}

// onSealed takes a task's word that its transactions were read back.
func (c *Coordinator) onSealed(now protocol.Time, t protocol.TaskID, m protocol.Sealed, out *protocol.Effects) {
	s := c.sealing
	if s == nil || s.id != m.Checkpoint || !s.owes.settle(t) || !s.owes.done() {
		return
	}
	c.sealing, c.sealed, c.restarts = nil, s.id, 0
	out.Append(protocol.Note{Kind: protocol.NoteSealed, Checkpoint: s.id})
	switch {
	case s.final && c.pending == nil:
		c.settle(now, toFinish, s.closing, out)
	default:
		c.maybeLast(now, out)
	}
}

// settle writes the sealed id into HEAD by itself, when no decision is due that would carry it.
func (c *Coordinator) settle(now protocol.Time, what intent, finished bool, out *protocol.Effects) {
	h := c.head.next()
	h.Sealed = max(h.Sealed, c.sealed)
	h.Next = max(h.Next, c.nextID+c.reserve())
	h.Finished = finished
	c.writing = what
	c.head.propose(now, h, out)
}

func (c *Coordinator) onSettled(now protocol.Time, out *protocol.Effects) {
	c.afterSettled(now, out)
	if c.broken == nil && !c.maybeLast(now, out) {
		c.maybeTrigger(now, false, out)
	}
}

// afterSettled: HEAD's sealed id is durable, so slots up to it are free, and ledger records up to it are never read again.
func (c *Coordinator) afterSettled(now protocol.Time, out *protocol.Effects) {
	c.erase(now, out)
	open := c.unsettled[:0]
	for _, id := range c.unsettled {
		if id > c.head.head.Sealed {
			open = append(open, id)
		}
	}
	c.unsettled = open
	c.tellSettled(out)
}

// erase writes tombstones for the ledger records of durably sealed transactions, so that the ledger does not grow for
// ever. One that is lost leaves a record too many.
func (c *Coordinator) erase(now protocol.Time, out *protocol.Effects) {
	open := c.erasable[:0]
	for _, x := range c.erasable {
		if x.Checkpoint > c.head.head.Sealed {
			open = append(open, x)
			continue
		}
		op := c.ops.Add("tombstone of "+string(x.ID), now.Add(c.cfg.IOTimeout), work{kind: workErase})
		out.Append(protocol.Erase{Op: op, Topic: x.Ledger.Topic, Partition: x.Ledger.Partition, Key: txn.LedgerKey(x)})
	}
	c.erasable = open
}

func (c *Coordinator) tellSettled(out *protocol.Effects) {
	if c.phase != running || c.head.head.Sealed == 0 {
		return
	}
	sinks, _ := c.tasks(func(t TaskInfo) bool { return t.Sink })
	for _, t := range sinks {
		c.tellTask(t, protocol.Settled{Scope: c.scope(), Checkpoint: c.head.head.Sealed}, out)
	}
}

// onStopAsked takes a last checkpoint and ends. While an attempt begins there is nothing to save, but what the one before
// has decided is committed first.
func (c *Coordinator) onStopAsked(now protocol.Time, out *protocol.Effects) {
	c.stopping = true
	stopped := protocol.Verdict{Kind: protocol.Stopped, Text: "stopped before the tasks ran"}
	switch c.phase {
	case running:
		c.maybeLast(now, out)
	case gathering, starting:
		c.last = stopped
		c.becomeClosing(now, out)
	case loading, claiming, reading, recovering, restarting:
		c.last = stopped
	case closing, ended:
	}
}
