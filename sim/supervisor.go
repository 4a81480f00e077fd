package sim

import (
	"fmt"

	"weir/protocol"
)

// downtime is how long a supervisor takes to start a process again.
func (w *World) downtime() protocol.Duration {
	most := w.cfg.Protocol.NodeTimeout + w.cfg.Protocol.RestartDelay
	if !w.faults.On() {
		most = w.cfg.Protocol.RestartDelay
	}
	return protocol.Duration(w.fate.Spread(int64(protocol.Millisecond), int64(most)))
}

// restart starts a crashed process again, there; a coordinator's perhaps on another node.
func (w *World) restart(n *node) {
	if n.office && w.fate.Chance(1, 2) {
		if other := w.standby(); other != nil {
			n.office = false
			w.promote(other)
		}
	}
	if n.rises || !n.worker && !n.office {
		return
	}
	n.rises = true
	w.After(w.downtime(), func() { w.rise(n) })
}

func (w *World) rise(n *node) {
	n.rises = false
	if n.worker || n.office {
		w.start(n)
	}
}

// standby is a node that may hold the office and is not asked to, or nil.
func (w *World) standby() *node {
	var free []*node
	for _, n := range w.nodes {
		if n.stands && !n.office {
			free = append(free, n)
		}
	}
	return pickNode(w.fate, free)
}

// promote starts a coordinator on n after a while.
func (w *World) promote(n *node) {
	n.office = true
	w.After(w.downtime(), func() {
		if n.office {
			w.takeOffice(n)
		}
	})
}

// offices is how many nodes hold the office or are about to.
func (w *World) offices() (count int) {
	for _, n := range w.nodes {
		if n.office {
			count++
		}
	}
	return count
}

// exit ends a process as its machine asked, and the run if its verdict ends the job.
func (w *World) exit(p *process, v protocol.Verdict) {
	n := p.node
	w.bury(n)
	switch v.Kind {
	case protocol.Deposed:
		n.office = false
		if w.offices() == 0 {
			w.promote(n)
		}
		w.restart(n)
	case w.cfg.Expect:
		w.over, w.verdict = true, v
	default:
		w.verdict = v
		w.fails("verdict", v.Kind.String(), fmt.Sprintf("the process of node %d ended %v, which the run does not expect: %s", n.id, v.Kind, v.Text))
	}
}

// askToStop tells every coordinator that the operator wants the job to stop, until one does.
func (w *World) askToStop() {
	for _, n := range w.nodes {
		if n.proc == nil {
			continue
		}
		if m := n.proc.machine(protocol.CoordinatorTask); m != nil {
			m.done(protocol.StopAsked{})
		}
	}
	w.After(w.cfg.Protocol.Interval, w.askToStop)
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
	if w.offices() == 0 && len(w.cfg.Topology.Coordinators) > 0 {
		w.promote(w.node(w.cfg.Topology.Coordinators[0]))
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

// settleDown lets time pass until all that is decided is visible: a seal and a verdict come before the last marker, and
// a transaction that a zombie left open holds readers up until somebody fences it or it times out.
func (w *World) settleDown() {
	w.faults.Off()
	ended, limit := w.now, w.now.Add(2*w.cfg.Protocol.TxnTimeout+w.cfg.Protocol.Timeout)
	for w.failure == nil && w.queue.len() > 0 && w.services.Settling() {
		if w.now > limit || w.steps >= w.cfg.Limits.Steps {
			w.stuck("readers are held up by a transaction that nobody ends")
			return
		}
		for until := w.now.Add(protocol.Millisecond); w.queue.len() > 0 && w.now < until; {
			at, it := w.queue.pop()
			w.now = max(w.now, at)
			w.dispatch(it)
		}
	}
	w.settled = w.now.Sub(ended)
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
