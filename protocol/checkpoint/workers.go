package checkpoint

import (
	"fmt"
	"slices"

	"weir/protocol"
)

// member is a worker process as the coordinator sees it.
type member struct {
	node protocol.NodeID
	// Invariant: zero until the first Pong.
	incarnation protocol.Incarnation
	heard       protocol.Time
	// Invariant: used is the incarnation this attempt's tasks were started in; zero if none were.
	used    protocol.Incarnation
	tasks   []protocol.TaskStart // what it was told to run
	running bool                 // it has said that it runs this attempt
	lost    bool                 // it was taken for dead, and was not heard of since
}

// alive reports whether m was heard of lately.
func (c *Coordinator) alive(m *member, now protocol.Time) bool {
	return m.incarnation != 0 && now.Sub(m.heard) <= c.cfg.NodeTimeout
}

// onBeat pings, finds the dead, and repeats what was not answered.
func (c *Coordinator) onBeat(now protocol.Time, out *protocol.Effects) {
	out.Append(protocol.Wake{Timer: timerBeat, At: now.Add(c.cfg.Heartbeat)})
	if c.phase == closing && !c.took {
		c.close(now, out)
	}
	if !c.took {
		return
	}
	c.ping(out)
	switch c.phase {
	case gathering:
		c.maybeStart(now, out)
	case starting, running:
		c.watch(now, out)
	case closing:
		c.close(now, out)
		return
	}
	c.repeat(now, out)
}

func (c *Coordinator) ping(out *protocol.Effects) {
	for i := range c.members {
		out.Append(protocol.Tell{To: worker(c.members[i].node), Message: protocol.Ping{Scope: c.scope()}})
	}
}

func worker(n protocol.NodeID) protocol.Address {
	return protocol.Address{Node: n, Task: protocol.WorkerTask}
}

// watch finds workers of this attempt that are dead, and attempts that do not come up.
func (c *Coordinator) watch(now protocol.Time, out *protocol.Effects) {
	for i := range c.members {
		if m := &c.members[i]; m.used != 0 && !c.alive(m, now) {
			m.lost = true
			out.Append(protocol.Note{Kind: protocol.NoteWorkerLost})
			c.breakdown(now, protocol.Failure{Kind: protocol.FailService, Text: "a worker is not heard of any more"}, out)
			return
		}
	}
	if c.phase == starting && now >= c.startBy {
		c.breakdown(now, protocol.Failure{Kind: protocol.FailTimeout, Text: "the tasks did not get ready in time"}, out)
	}
}

// repeat tells again what may have been lost. Every message is safe to hear twice.
func (c *Coordinator) repeat(now protocol.Time, out *protocol.Effects) {
	if c.phase == starting {
		c.tellStart(out)
	}
	if c.phase != running {
		return
	}
	if p := c.pending; p != nil && p.stage == collectingAcks {
		if now >= p.deadline {
			out.Append(protocol.Note{Kind: protocol.NoteTimedOut, Checkpoint: p.id})
			c.abort(now, out)
		} else {
			p.owes.each(func(t protocol.TaskID) { c.tellTask(t, p.trigger(c.scope()), out) })
		}
	}
	c.repeatConfirm(now, out)
	c.repeatAbort(now, out)
	c.tellSettled(out)
}

func (c *Coordinator) tellTask(t protocol.TaskID, m protocol.Message, out *protocol.Effects) {
	out.Append(protocol.Tell{To: protocol.Address{Node: c.nodes[t], Task: t}, Message: m})
}

// onTold takes what workers and tasks say.
func (c *Coordinator) onTold(now protocol.Time, ev protocol.Told, out *protocol.Effects) {
	if !c.took || c.head.head == nil {
		return
	}
	if m, ok := ev.Message.(protocol.Pong); ok {
		c.onPong(now, ev.From, m, out)
		return
	}
	if m, ok := ev.Message.(protocol.TaskFailed); ok && c.phase == restarting && m.Scope.SameAttempt(c.scope()) {
		c.count(m.Failure)
		return
	}
	if !scopeOf(ev.Message).SameAttempt(c.scope()) || c.phase != starting && c.phase != running {
		out.Append(protocol.Note{Kind: protocol.NoteForeign})
		return
	}
	switch m := ev.Message.(type) {
	case protocol.TaskFailed:
		c.onTaskFailed(now, m, out)
	case protocol.Ready:
		c.onReady(now, ev.From.Task, out)
	case protocol.Drained:
		c.onReady(now, ev.From.Task, out)
		c.onDrained(now, ev.From.Task, out)
	case protocol.Ack:
		c.onAck(now, ev.From.Task, m, out)
	case protocol.Decline:
		c.onDecline(now, m, out)
	case protocol.Aborted:
		c.onAborted(ev.From.Task, m)
	case protocol.Sealed:
		c.onSealed(now, ev.From.Task, m, out)
	}
}

// scopeOf is the scope of a message to the coordinator.
func scopeOf(m protocol.Message) protocol.Scope {
	switch m := m.(type) {
	case protocol.TaskFailed:
		return m.Scope
	case protocol.Ready:
		return m.Scope
	case protocol.Drained:
		return m.Scope
	case protocol.Ack:
		return m.Scope
	case protocol.Decline:
		return m.Scope
	case protocol.Aborted:
		return m.Scope
	case protocol.Sealed:
		return m.Scope
	}
	return protocol.Scope{}
}

// onPong learns who lives. A new incarnation where this attempt's tasks were is the failure of the old one.
func (c *Coordinator) onPong(now protocol.Time, from protocol.Address, m protocol.Pong, out *protocol.Effects) {
	for i := range c.members {
		w := &c.members[i]
		if w.node != from.Node {
			continue
		}
		w.incarnation, w.heard, w.lost = m.Scope.Incarnation, now, false
		runs := m.Running.SameAttempt(c.scope())
		switch {
		case c.scope().Older(m.Running):
			c.breakdown(now, protocol.Failure{Kind: protocol.FailService, Text: "a worker obeys a newer coordinator"}, out)
			return
		case w.used != 0 && w.used != w.incarnation && (c.phase == starting || c.phase == running):
			out.Append(protocol.Note{Kind: protocol.NoteWorkerReborn})
			c.breakdown(now, protocol.Failure{Kind: protocol.FailService, Text: "a worker began a new life"}, out)
			return
		case w.used == 0 && c.phase == running && m.Running != (protocol.Scope{}):
			out.Append(protocol.Tell{To: worker(w.node), Message: protocol.Stop{Scope: c.scope()}})
		}
		w.running = runs || w.running && c.phase != closing
	}
	switch c.phase {
	case gathering:
		c.maybeStart(now, out)
	case closing:
		if !c.runs(now) {
			c.relist(now, out)
		}
	}
}

// gather waits for workers: for all that were not found dead a while, then for any.
func (c *Coordinator) gather(now protocol.Time, out *protocol.Effects) {
	c.phase, c.startBy = gathering, now.Add(c.cfg.NodeTimeout)
	for i := range c.members {
		c.members[i].used, c.members[i].tasks, c.members[i].running = 0, nil, false
	}
	c.ping(out)
	c.maybeStart(now, out)
}

func (c *Coordinator) maybeStart(now protocol.Time, out *protocol.Effects) {
	var alive []*member
	missing := 0
	for i := range c.members {
		switch m := &c.members[i]; {
		case c.alive(m, now):
			alive = append(alive, m)
		case !m.lost:
			missing++
		}
	}
	if len(alive) == 0 || missing > 0 && now < c.startBy {
		return
	}
	c.assign(alive)
	c.phase, c.startBy = starting, now.Add(max(c.cfg.Timeout, leastStart))
	c.tellStart(out)
}

// leastStart is how long tasks may at least take to get ready: a large state is read from the bucket.
const leastStart = 10 * protocol.Minute

// assign spreads the tasks over the living workers.
func (c *Coordinator) assign(alive []*member) {
	tasks, highest := c.tasks(func(TaskInfo) bool { return true })
	c.nodes = make([]protocol.NodeID, highest+1)
	c.nodes[0] = c.self.Node
	homes := c.homes(tasks, alive)
	for i, t := range tasks {
		c.nodes[t] = homes[i].node
	}
	for i, t := range tasks {
		m := homes[i]
		m.used = m.incarnation
		scope := c.scope()
		scope.Incarnation = m.incarnation
		m.tasks = append(m.tasks, protocol.TaskStart{Scope: scope, Task: t, Coordinator: c.self, Nodes: c.nodes, Restored: c.restored(), Snapshot: c.snapshot(t)})
	}
	c.ready = newOwes(tasks, highest)
	bounded, _ := c.tasks(func(t TaskInfo) bool { return t.Source })
	c.drained = newOwes(bounded, highest)
}

// homes is where each task runs: at the same worker as ever, where its disk has copies of the task's runs. Those of
// workers that are gone go where there are fewest.
func (c *Coordinator) homes(tasks []protocol.TaskID, alive []*member) []*member {
	homes, load := make([]*member, len(tasks)), make([]int, len(alive))
	for i := range tasks {
		if at := slices.Index(alive, &c.members[i%len(c.members)]); at >= 0 {
			homes[i] = alive[at]
			load[at]++
		}
	}
	for i := range tasks {
		if homes[i] == nil {
			at := slices.Index(load, slices.Min(load))
			homes[i] = alive[at]
			load[at]++
		}
	}
	return homes
}

// tasks lists those that satisfy f, and the highest id of all.
func (c *Coordinator) tasks(f func(TaskInfo) bool) (list []protocol.TaskID, highest protocol.TaskID) {
	for _, t := range c.opt.Tasks {
		highest = max(highest, t.Task)
		if f(t) {
			list = append(list, t.Task)
		}
	}
	return list, highest
}

func (c *Coordinator) restored() protocol.CheckpointID {
	if m := c.newest(); m != nil {
		return m.Checkpoint
	}
	return 0
}

func (c *Coordinator) snapshot(t protocol.TaskID) protocol.Snapshot {
	if m := c.newest(); m != nil {
		for i := range m.Snapshots {
			if m.Snapshots[i].Task == t {
				return m.Snapshots[i]
			}
		}
	}
	return protocol.Snapshot{Task: t}
}

func (c *Coordinator) tellStart(out *protocol.Effects) {
	for i := range c.members {
		m := &c.members[i]
		if m.used == 0 || m.running {
			continue
		}
		scope := c.scope()
		scope.Incarnation = m.used
		out.Append(protocol.Tell{To: worker(m.node), Message: protocol.Start{Scope: scope, Tasks: m.tasks}})
	}
}

func (c *Coordinator) onReady(now protocol.Time, t protocol.TaskID, out *protocol.Effects) {
	c.ready.settle(t)
	if c.phase != starting || !c.ready.done() {
		return
	}
	c.phase, c.lastTrig, c.failures = running, now, 0
	c.unsettled, c.pending, c.sealing, c.aborting = nil, nil, nil, nil
	c.await(now, out)
	c.maybeLast(now, out)
}

func (c *Coordinator) onTaskFailed(now protocol.Time, m protocol.TaskFailed, out *protocol.Effects) {
	c.breakdown(now, m.Failure, out)
}

// breakdown ends the attempt: at once, or when the write of HEAD that is under way has come to its end.
func (c *Coordinator) breakdown(now protocol.Time, f protocol.Failure, out *protocol.Effects) {
	if c.broken != nil || c.phase != gathering && c.phase != starting && c.phase != running {
		return
	}
	c.broken = &f
	if !c.head.busy() {
		c.restart(now, out)
	}
}

// restart stops the tasks and claims a new attempt after a pause.
func (c *Coordinator) restart(now protocol.Time, out *protocol.Effects) {
	out.Append(protocol.Note{Kind: protocol.NoteRestart, Detail: describe(*c.broken)})
	c.phase, c.pending, c.sealing, c.aborting, c.counted = restarting, nil, nil, nil, false
	c.stopWorkers(out)
	c.ops.Drop(func(w work) bool { return w.kind != workDelete && w.kind != workErase })
	c.ops.Add("restart delay", now.Add(c.cfg.RestartDelay), work{kind: workRestart})
	if c.stopping {
		c.last = protocol.Verdict{Kind: protocol.Stopped, Text: "stopped while restarting"}
	}
	c.count(*c.broken)
}

// count counts a failure of the attempt that has just ended, once. The cause may be heard of after its consequences: when
// a task fails, its neighbours fail for want of a channel, and theirs may be the first word.
func (c *Coordinator) count(f protocol.Failure) {
	if c.counted || f.Kind != protocol.FailUser && f.Kind != protocol.FailState {
		return
	}
	c.counted = true
	if c.restarts++; c.restarts > c.cfg.RestartLimit {
		c.last = protocol.Verdict{Kind: protocol.Exhausted,
			Text: fmt.Sprintf("%d restarts without a sealed checkpoint between them; the last failure: %s", c.restarts-1, describe(f))}
	}
}

func (c *Coordinator) stopWorkers(out *protocol.Effects) {
	for i := range c.members {
		out.Append(protocol.Tell{To: worker(c.members[i].node), Message: protocol.Stop{Scope: c.scope()}})
	}
}
