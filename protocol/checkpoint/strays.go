package checkpoint

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/txn"
)

// list asks for open transactions of this job: a fenced zombie can still open one and hold up every reader.
func (c *Coordinator) list(now protocol.Time, out *protocol.Effects) {
	op := c.ops.Add("list of transactions", now.Add(c.cfg.IOTimeout), work{kind: workList})
	out.Append(protocol.ListTxns{Op: op, Prefix: txn.Prefix(c.opt.Job)})
}

// onListed fences the open transactions of ended attempts; when the job is closing, this attempt has ended too.
func (c *Coordinator) onListed(now protocol.Time, ev protocol.TxnsListed, out *protocol.Effects) {
	if _, ok := c.ops.Take(ev.Op); !ok {
		return
	}
	strays := 0
	for _, id := range ev.Open {
		if c.stray(id) {
			strays++
			op := c.ops.Add("fence of "+string(id), now.Add(c.cfg.IOTimeout), work{kind: workStray})
			out.Append(protocol.Note{Kind: protocol.NoteStrayFenced, Detail: string(id)})
			out.Append(protocol.Fence{Op: op, ID: id})
		}
	}
	switch {
	case c.phase != closing || strays > 0:
	case ev.Outcome == protocol.OK:
		c.exit(c.last.Kind, out, "%s", c.last.Text)
	default:
		c.ops.Add("back-off of list", now.Add(c.cfg.RetryDelay), work{kind: workList})
	}
}

// stray reports whether a transaction has no owner any more.
func (c *Coordinator) stray(id protocol.TransactionalID) bool {
	n, ok := txn.ParseID(id)
	if !ok || n.Job != c.opt.Job {
		return false
	}
	s := protocol.Scope{Job: n.Job, Epoch: n.Epoch, Attempt: n.Attempt}
	return s.Older(c.scope()) || c.phase == closing && s.SameAttempt(c.scope())
}

func (c *Coordinator) onFenced(now protocol.Time, ev protocol.Fenced, out *protocol.Effects) {
	if _, ok := c.ops.Take(ev.Op); !ok {
		c.onRecovery(now, out, func(r *txn.Recovery) { r.OnFenced(now, ev, out) })
		return
	}
	c.relist(now, out)
}

// onFinished: the last checkpoint is sealed and HEAD says so. What the sinks have written behind its barrier must not
// stay open until its timeout and hold up every reader: the tasks are stopped, then what is open is fenced.
func (c *Coordinator) onFinished(now protocol.Time, out *protocol.Effects) {
	c.last = protocol.Verdict{Kind: protocol.Stopped, Text: fmt.Sprintf("stopped as asked; checkpoint %d is sealed", c.sealed)}
	if c.head.head.Finished {
		c.last = protocol.Verdict{Kind: protocol.Finished, Text: fmt.Sprintf("input read to its end; checkpoint %d is sealed", c.sealed)}
	}
	c.becomeClosing(now, out)
}

func (c *Coordinator) becomeClosing(now protocol.Time, out *protocol.Effects) {
	c.phase, c.startBy = closing, now.Add(c.cfg.NodeTimeout)
	c.ops.Drop(func(w work) bool { return w.kind == workList || w.kind == workStray })
	for i := range c.members {
		c.members[i].running = c.members[i].used != 0
	}
	c.close(now, out)
	c.ping(out)
}

// close stops the tasks and, once none runs, looks for what is open. It gives up at its deadline: then what is open ends
// by its timeout, or when the job starts again.
func (c *Coordinator) close(now protocol.Time, out *protocol.Effects) {
	if now >= c.startBy {
		c.exit(c.last.Kind, out, "%s; some transactions may stay open until their timeout", c.last.Text)
		return
	}
	c.stopWorkers(out)
	if !c.runs(now) {
		c.relist(now, out)
	}
}

// runs reports whether a living worker is not known to have stopped.
func (c *Coordinator) runs(now protocol.Time) bool {
	for i := range c.members {
		if m := &c.members[i]; m.running && c.alive(m, now) {
			return true
		}
	}
	return false
}

// relist looks again, when the job is closing and nothing of the last look is under way.
func (c *Coordinator) relist(now protocol.Time, out *protocol.Effects) {
	if c.phase == closing && !c.ops.Any(func(w work) bool { return w.kind == workList || w.kind == workStray }) {
		c.list(now, out)
	}
}
