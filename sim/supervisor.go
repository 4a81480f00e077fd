package sim

import (
	"fmt"
	"slices"
	"strings"

	"weir/protocol"
)

// downtime is how long a supervisor takes to start a process again.
func (w *World) downtime(c *protocol.Config) protocol.Duration {
	most := c.NodeTimeout + c.RestartDelay
	if !w.faults.On() {
		most = c.RestartDelay
	}
	return protocol.Duration(w.fate.Spread(int64(protocol.Millisecond), int64(most)))
}

// restart starts a crashed process again, there; a coordinator's perhaps on another node. It does so too when another
// coordinator has ended the job meanwhile: only who has ended by itself is left alone.
func (w *World) restart(n *node) {
	w.maybeOver() // who was deposed was perhaps the last one
	if n.office && w.fate.Chance(1, 2) {
		if other := w.standby(n.job); other != nil {
			n.office = false
			w.promote(other)
		}
	}
	if n.rises || !n.worker && !n.office {
		return
	}
	n.rises = true
	w.After(w.downtime(n.job.cfg), func() { w.rise(n) })
}

func (w *World) rise(n *node) {
	n.rises = false
	if n.worker || n.office {
		w.start(n)
	}
}

// standby is a node of j that may hold the office and is not asked to, or nil.
func (w *World) standby(j *tenant) *node {
	var free []*node
	for _, n := range j.nodes {
		if n.stands && !n.office {
			free = append(free, n)
		}
	}
	return pickNode(w.fate, free)
}

// promote starts a coordinator on n after a while.
func (w *World) promote(n *node) {
	n.office = true
	w.After(w.downtime(n.job.cfg), func() {
		if n.office {
			w.takeOffice(n)
		}
	})
}

// exit ends a process as its machine asked, and the run if that was the last job to end as expected.
func (w *World) exit(p *process, v protocol.Verdict) {
	n := p.node
	w.bury(n)
	switch v.Kind {
	case protocol.Deposed:
		n.office = false
		if n.job.offices() == 0 && !n.job.closed {
			w.promote(n)
		}
		w.restart(n)
	case w.cfg.Expect:
		w.verdict = v
		n.job.close(n, v)
		w.maybeOver()
	case protocol.LostWork:
		w.verdict = v
		if w.over = w.robbed(v); !w.over {
			w.fails("verdict", v.Kind.String(), fmt.Sprintf("the process of node %d ended %v, and nothing of that transaction was lost: %s", n.id, v.Kind, v.Text))
			return
		}
		w.saw(RareSaidLost)
		w.saidLost = true
	default:
		w.verdict = v
		w.fails("verdict", v.Kind.String(), fmt.Sprintf("the process of node %d ended %v, which the run does not expect: %s", n.id, v.Kind, v.Text))
	}
}

// maybeOver ends the run if every job has ended.
func (w *World) maybeOver() {
	if !slices.ContainsFunc(w.jobs, func(j *tenant) bool { return !j.ended() }) {
		w.over = true
	}
}

// askToStop tells every coordinator that the operator wants its job to stop, until it does.
func (w *World) askToStop() {
	for _, n := range w.nodes {
		if n.proc == nil {
			continue
		}
		if m := n.proc.machine(protocol.CoordinatorTask); m != nil {
			m.done(protocol.StopAsked{})
		}
	}
	w.After(w.longest(func(c *protocol.Config) protocol.Duration { return c.Interval }), w.askToStop)
}

// endFaults ends the safety phase: nothing strikes any more, and when what is broken has healed the liveness phase begins.
func (w *World) endFaults() {
	w.links.forget()
	quiet := w.quiet()
	w.faults.Off()
	w.armed = nil
	w.After(quiet.Sub(w.now)+1, w.mend)
}

// mend begins the liveness phase.
func (w *World) mend() {
	for _, j := range w.jobs {
		if first := j.first(); !j.closed && first != nil && j.offices() == 0 {
			w.promote(first)
		}
	}
	for _, n := range w.nodes {
		if n.proc == nil {
			w.restart(n)
		}
	}
	for _, f := range w.feeders {
		for f.next < f.Records {
			w.append(f)
		}
	}
	w.calm = w.now
	w.deadline = w.now.Add(w.cfg.Limits.Liveness)
}

// stuck ends the run: the job did not show in time that it works.
func (w *World) stuck(why string) {
	text := why
	for _, n := range w.nodes {
		if n.proc == nil {
			text += fmt.Sprintf("\n  node %d: no process", n.id)
			continue
		}
		for _, m := range n.proc.machines {
			text += fmt.Sprintf("\n  node %d task %d:", n.id, m.addr.Task)
			for _, wait := range m.core.Pending() {
				text += fmt.Sprintf(" [%s op %d until %+d ms]", wait.What, wait.Op, wait.Deadline.Sub(m.last)/protocol.Millisecond)
			}
		}
	}
	w.fails("stuck", "liveness", text)
}

// leavesOpen reports whether a verdict says that transactions may have been left open: the broker could not be reached.
func leavesOpen(v protocol.Verdict) bool {
	return strings.Contains(v.Text, "may stay open until their timeout")
}

// settleBound is how long after its end a job may still hold readers up, beside markers that a fault delays.
const settleBound = 5 * protocol.Second

// settleDown lets time pass until all that is decided is visible: a seal and a verdict come before the last marker. A
// job that has ended has left no transaction open; with one that runs on, readers wait until what a zombie has left open
// is fenced, or times out.
func (w *World) settleDown() {
	w.faults.Off()
	ended, limit := w.now, w.now.Add(w.longest(func(c *protocol.Config) protocol.Duration { return 2*c.TxnTimeout + c.Timeout }))
	due := max(ended, w.marked).Add(settleBound)
	for w.failure == nil && w.queue.len() > 0 && w.services.Settling() {
		if w.now > limit || w.steps >= w.cfg.Limits.Steps {
			w.stuck("readers are held up by a transaction that nobody ends")
			return
		}
		if w.now > due {
			due = limit
			w.checkSettles(ended)
		}
		at, it := w.queue.pop()
		w.now = max(w.now, at)
		w.dispatch(it)
	}
	w.settled = w.now.Sub(ended)
}

// checkSettles is asked when readers are still held up a while after the run's end.
func (w *World) checkSettles(ended protocol.Time) {
	text := fmt.Sprintf("readers are held up by a transaction %d ms after the end", w.now.Sub(ended)/protocol.Millisecond)
	for _, j := range w.jobs {
		if !j.closed || leavesOpen(j.verdict) {
			return
		}
		text += fmt.Sprintf("; the job of node %d ended %v: %s", j.nodes[0].id, j.verdict.Kind, j.verdict.Text)
	}
	w.breach(CheckSettles, text)
}

// finish lets the readers read the whole log and takes the last digest.
func (w *World) finish() {
	if w.failure == nil && w.services.Settling != nil {
		w.settleDown()
	}
	if w.services.Outside != nil {
		w.finishReading()
	}
	w.digest.mix(w.steps, uint64(w.now), uint64(w.verdict.Kind))
	if w.services.Digest != nil {
		w.digest.mix(w.services.Digest(), 0, 0)
	}
}
