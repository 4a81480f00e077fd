package sim

import (
	"cmp"
	"slices"

	"weir/faults"
	"weir/protocol"
	"weir/protocol/batch"
)

// node is a place where a process may live.
type node struct {
	id     protocol.NodeID
	job    *tenant
	place  int // index in World.nodes
	worker bool
	stands bool // may hold the coordinator's office
	office bool // the supervisor wants a coordinator here
	proc   *process
	wakes  protocol.Time // until then the process is paused
	still  bool          // paused, and nothing has had to wait for it yet
	rises  bool          // a restart is under way
	// claimed is the newest attempt that a coordinator of this process has claimed, or zero.
	claimed protocol.Scope
	steps   uint64 // of all machines of all lives
}

// process is one life.
type process struct {
	node        *node
	incarnation protocol.Incarnation
	code        Job
	skew        protocol.Time
	machines    []*machine // by task id
	mute        bool       // after death: requests not yet at a service are lost
}

// machine is one machine and what its driver keeps for it.
type machine struct {
	core   protocol.Machine
	proc   *process
	addr   protocol.Address
	start  protocol.TaskStart // of a task
	dead   bool
	failed *protocol.Failure
	exits  *protocol.Verdict
	last   protocol.Time
	timers []timer
	ins    []*conn
	outs   []*conn
	held   []*batch.Batch // received or fetched, not given back
	done   func(protocol.Event)
	froze  []protocol.CheckpointID // in the step at hand
}

type timer struct {
	id     protocol.TimerID
	at     protocol.Time // world time; zero: not set
	queued protocol.Time // time of the item that looks at it; zero: none
}

// node is the node of an id that the topology names.
func (w *World) node(id protocol.NodeID) *node {
	for _, n := range w.nodes {
		if n.id == id {
			return n
		}
	}
	panic(worldError("sim: a machine addressed a node that the topology does not name"))
}

// start begins a new life on n.
func (w *World) start(n *node) {
	n.rises = false
	if n.proc != nil {
		return
	}
	p := &process{node: n, code: n.job.spec.NewJob(), incarnation: protocol.Incarnation(w.births.Uint64() | 1)}
	p.skew = protocol.Time(w.births.Between(0, int64(protocol.Minute)))
	n.proc, n.wakes, n.still, n.claimed = p, 0, false, protocol.Scope{}
	if n.worker {
		w.add(p, protocol.WorkerTask, p.code.NewWorker())
	}
	if n.office {
		w.add(p, protocol.CoordinatorTask, p.code.NewCoordinator(n.job.spec.Topology.Workers))
	}
}

// takeOffice starts a coordinator on n.
func (w *World) takeOffice(n *node) {
	n.office = true
	if n.proc == nil {
		w.start(n)
	} else if n.proc.machine(protocol.CoordinatorTask) == nil {
		w.add(n.proc, protocol.CoordinatorTask, n.proc.code.NewCoordinator(n.job.spec.Topology.Workers))
	}
}

// add puts a machine into a process and sends it Started.
func (w *World) add(p *process, id protocol.TaskID, core protocol.Machine) *machine {
	m := &machine{core: core, proc: p, addr: protocol.Address{Node: p.node.id, Task: id}}
	m.done = func(ev protocol.Event) { *w.queue.push(w.now) = item{kind: itEvent, m: m, ev: ev} }
	i, _ := p.find(id)
	p.machines = slices.Insert(p.machines, i, m)
	started := protocol.Started{Self: m.addr, Incarnation: p.incarnation}
	*w.queue.push(w.now.Add(w.draw(w.latency.tell))) = item{kind: itEvent, m: m, ev: started}
	return m
}

func (p *process) find(id protocol.TaskID) (int, bool) {
	return slices.BinarySearchFunc(p.machines, id, func(m *machine, id protocol.TaskID) int { return cmp.Compare(m.addr.Task, id) })
}

func (p *process) machine(id protocol.TaskID) *machine {
	if i, ok := p.find(id); ok {
		return p.machines[i]
	}
	return nil
}

// isTask reports whether m is a task, neither coordinator nor worker.
func (m *machine) isTask() bool {
	return m.addr.Task != protocol.CoordinatorTask && m.addr.Task != protocol.WorkerTask
}

// spawn makes a task from the job's factory called anew.
func (w *World) spawn(p *process, start protocol.TaskStart) {
	if old := p.machine(start.Task); old != nil {
		w.remove(old)
	}
	m := w.add(p, start.Task, p.node.job.spec.NewJob().NewTask(start, &w.pool))
	m.start = start
	w.watchSpawn(m)
	w.attach(m)
}

// halt drops every task of a process.
func (w *World) halt(p *process) {
	tasks := slices.DeleteFunc(slices.Clone(p.machines), func(m *machine) bool { return !m.isTask() })
	for _, m := range tasks {
		w.remove(m)
	}
	if len(tasks) > 0 {
		p.node.job.clients.Crash(p.node.id)
	}
}

// remove drops one machine, with its inbox, timers and channels.
func (w *World) remove(m *machine) {
	m.dead = true
	if i, ok := m.proc.find(m.addr.Task); ok && m.proc.machines[i] == m {
		m.proc.machines = slices.Delete(m.proc.machines, i, i+1)
	}
	for _, c := range m.outs {
		w.senderGone(c)
	}
	for _, c := range m.ins {
		w.receiverGone(c)
	}
	for _, b := range m.held {
		w.pool.Put(b)
	}
	m.held = nil
}

// fail drops a task and tells its worker machine.
func (w *World) fail(m *machine, f protocol.Failure) {
	w.disturbed = w.disturbed || f.Kind != protocol.FailService // the job's own doing
	w.remove(m)
	if worker := m.proc.machine(protocol.WorkerTask); worker != nil {
		worker.done(protocol.Died{Scope: m.start.Scope, Task: m.addr.Task, Failure: f})
	}
}

// crash ends a process without its doing.
func (w *World) crash(n *node) {
	w.rareCrash(n)
	w.bury(n)
	w.restart(n)
}

// bury drops a process and all its machines.
func (w *World) bury(n *node) {
	p := n.proc
	if p == nil {
		return
	}
	p.mute = w.fate.Chance(1, 2)
	for len(p.machines) > 0 {
		w.remove(p.machines[len(p.machines)-1])
	}
	n.proc, n.wakes = nil, 0
	n.job.clients.Crash(n.id)
	if n.job.clients.Died != nil {
		n.job.clients.Died(n.id)
	}
}

// hold notes that m owns b until it releases or passes it on.
func (m *machine) hold(b *batch.Batch) { m.held = append(m.held, b) }

// lets reports whether m held b, and forgets it.
func (m *machine) lets(b *batch.Batch) bool {
	for i, h := range m.held {
		if h == b {
			m.held = slices.Delete(m.held, i, i+1)
			return true
		}
	}
	return false
}

func (w *World) wake(m *machine, ef protocol.Wake) {
	t := m.timer(ef.Timer)
	if ef.At == 0 {
		t.at = 0
		return
	}
	w.set(m, t, max(w.now+1, ef.At-m.proc.skew))
}

// set sets a timer to a time of the world.
func (w *World) set(m *machine, t *timer, at protocol.Time) {
	t.at = at
	if t.queued == 0 || t.queued > t.at {
		t.queued = t.at
		late := w.schedule.Spread(0, int64(protocol.Millisecond))
		*w.queue.push(t.at + protocol.Time(late)) = item{kind: itTimer, m: m, arg: uint64(t.id)}
	}
}

func (m *machine) timer(id protocol.TimerID) *timer {
	for i := range m.timers {
		if m.timers[i].id == id {
			return &m.timers[i]
		}
	}
	m.timers = append(m.timers, timer{id: id})
	return &m.timers[len(m.timers)-1]
}

// deliverTimer fires a timer that is due; one that was set to a later time meanwhile is looked at again then.
func (w *World) deliverTimer(it *item) {
	if it.m.dead || w.defers(it.m.proc.node, it) {
		return
	}
	t := it.m.timer(protocol.TimerID(it.arg))
	if t.queued == 0 || t.queued > w.now {
		return
	}
	t.queued = 0
	switch {
	case t.at == 0:
	case t.at > w.now:
		t.queued = t.at
		*w.queue.push(t.at) = *it
	default:
		t.at = 0
		w.step(it.m, protocol.Woken{Timer: t.id})
	}
}

func pickNode(s *faults.Stream, nodes []*node) *node {
	if len(nodes) == 0 {
		return nil
	}
	return nodes[s.Pick(len(nodes))]
}
