package protocoltest

import (
	"fmt"
	"slices"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/state/memory"
)

// World is a driver of the machines of one job.
type World struct {
	Plan   *job.Plan
	Bucket *Bucket
	Log    *Log
	// Observe, if not nil, sees every step: the machine, the event, and the effects in order.
	Observe func(m *Machine, ev protocol.Event, effects []protocol.Effect)
	// Held, if not nil, says what Settle leaves alone, and of which machines no timer fires (then it is nil).
	Held func(m *Machine, it *Item) bool
	// Manner, if not nil, says how Settle delivers.
	Manner func(it *Item) How

	now protocol.Time
	// Invariant: machines are those that live, in the order of their birth.
	machines []*Machine
	// Invariant: items are on their way, in the order of asking.
	items []*Item
	// Invariant: gone are tasks that lived and live no more; a frame for one of them is wasted.
	gone []life
	pool *pool
	// Verdicts are how processes ended by themselves, in order.
	Verdicts []protocol.Verdict
}

// life is one task in one attempt.
type life struct {
	scope protocol.Scope
	task  protocol.TaskID
}

// Machine is a machine that lives.
type Machine struct {
	Name    string
	Self    protocol.Address
	Scope   protocol.Scope // of a task; zero for a coordinator or a worker
	nodes   []protocol.NodeID
	machine protocol.Machine
	// Invariant: at most one entry per timer.
	timers []timer
	dead   bool
	out    protocol.Effects
}

type timer struct {
	id protocol.TimerID
	at protocol.Time
}

// Pending is what the machine waits for.
func (m *Machine) Pending() []protocol.Wait { return m.machine.Pending() }

// NewWorld is a world without processes; its bucket and topics are empty.
func NewWorld(g *job.Graph, cfg protocol.Config) (*World, error) {
	p, err := job.NewPlan(g, cfg)
	if err != nil {
		return nil, err
	}
	w := &World{Plan: p, Bucket: NewBucket(), Log: NewLog(), pool: &pool{}}
	reads, writes, ledgers := p.Topics()
	for _, t := range append(reads, writes...) {
		w.Log.Create(t, 1)
	}
	for _, l := range ledgers {
		w.Log.Create(l.Topic, l.Partitions)
	}
	return w, nil
}

// Now is the time of the newest step.
func (w *World) Now() protocol.Time { return w.now }

// Machines are those that live, in the order of their birth.
func (w *World) Machines() []*Machine { return w.machines }

// Items are what is on its way, in the order of asking.
func (w *World) Items() []*Item { return w.items }

// BootCoordinator begins a process that only coordinates, over workers on these nodes.
func (w *World) BootCoordinator(node protocol.NodeID, inc protocol.Incarnation, workers ...protocol.NodeID) *Machine {
	return w.boot(protocol.Address{Node: node, Task: protocol.CoordinatorTask}, inc, w.Plan.NewCoordinator(workers))
}

// BootWorker begins a process that runs tasks.
func (w *World) BootWorker(node protocol.NodeID, inc protocol.Incarnation) *Machine {
	return w.boot(protocol.Address{Node: node, Task: protocol.WorkerTask}, inc, w.Plan.NewWorker())
}

func (w *World) boot(self protocol.Address, inc protocol.Incarnation, machine protocol.Machine) *Machine {
	protocol.Assert(w.At(self) == nil, "a process is booted where one lives")
	m := &Machine{Name: w.Name(self), Self: self, machine: machine}
	w.machines = append(w.machines, m)
	w.give(m, protocol.Started{Self: self, Incarnation: inc})
	return m
}

// Nodes on which a job has its coordinator and its worker, if nobody says otherwise. Machines elsewhere have the node
// in their names.
const (
	CoordinatorNode protocol.NodeID = 1
	WorkerNode      protocol.NodeID = 2
)

// Name is how a reader calls the machine at an address.
func (w *World) Name(a protocol.Address) string {
	name, home := "coordinator", CoordinatorNode
	switch a.Task {
	case protocol.CoordinatorTask:
	case protocol.WorkerTask:
		name, home = "worker", WorkerNode
	default:
		name, home = w.taskName(a.Task), WorkerNode
	}
	if a.Node != home {
		return fmt.Sprintf("%s@%d", name, a.Node)
	}
	return name
}

func (w *World) taskName(id protocol.TaskID) string {
	if int(id) > len(w.Plan.Tasks) {
		return fmt.Sprintf("task-%d", id)
	}
	t := w.Plan.Tasks[id-1]
	stage := w.Plan.Graph.Stages[t.Stage].ID
	if next := int(id); next < len(w.Plan.Tasks) && w.Plan.Tasks[next].Stage == t.Stage || t.Index > 0 {
		return fmt.Sprintf("%s-%d", stage, t.Index)
	}
	return stage
}

// At is the machine that lives at an address, or nil.
func (w *World) At(a protocol.Address) *Machine {
	for _, m := range w.machines {
		if m.Self == a {
			return m
		}
	}
	return nil
}

// Find is the machine of a name, or nil.
func (w *World) Find(name string) *Machine {
	for _, m := range w.machines {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Crash ends a process: its machines, their inboxes and timers. What it has asked of a service may still happen.
func (w *World) Crash(node protocol.NodeID) {
	for _, m := range slices.Clone(w.machines) {
		if m.Self.Node == node {
			w.kill(m)
		}
	}
}

// Step gives a machine an event and performs what it asks for.
func (w *World) Step(m *Machine, ev protocol.Event) {
	w.now++
	m.out.Reset()
	m.machine.Step(w.now, ev, &m.out)
	effects := m.out.All()
	if w.Observe != nil {
		w.Observe(m, ev, effects)
	}
	for _, ef := range effects {
		if m.dead {
			return
		}
		w.perform(m, ef)
	}
}

// perform does at once what needs no outcome and puts the rest on its way.
func (w *World) perform(m *Machine, ef protocol.Effect) {
	switch ef := ef.(type) {
	case protocol.Note:
	case protocol.Wake:
		m.set(ef)
	case protocol.Release:
		w.pool.Put(ef.Batch)
	case protocol.Spawn:
		w.spawn(m, ef.Start)
	case protocol.Halt:
		w.halt(m.Self.Node)
	case protocol.Fail:
		w.kill(m)
		if worker := w.At(protocol.Address{Node: m.Self.Node, Task: protocol.WorkerTask}); worker != nil {
			w.give(worker, protocol.Died{Scope: m.Scope, Task: m.Self.Task, Failure: ef.Failure})
		}
	case protocol.Exit:
		w.Verdicts = append(w.Verdicts, ef.Verdict)
		w.Crash(m.Self.Node)
	default:
		w.send(m, ef)
	}
}

func (m *Machine) set(ef protocol.Wake) {
	m.timers = slices.DeleteFunc(m.timers, func(t timer) bool { return t.id == ef.Timer })
	if ef.At != 0 {
		m.timers = append(m.timers, timer{ef.Timer, ef.At})
	}
}

func (w *World) spawn(worker *Machine, start protocol.TaskStart) {
	self := protocol.Address{Node: worker.Self.Node, Task: start.Task}
	deps := job.Deps{Pool: w.pool, NewState: func(owned state.Groups, total int) state.Keyed { return memory.New(owned, total) }}
	m := &Machine{Name: w.Name(self), Self: self, Scope: start.Scope, nodes: start.Nodes, machine: w.Plan.NewTask(start, deps)}
	w.machines = append(w.machines, m)
	w.give(m, protocol.Started{Self: self, Incarnation: start.Scope.Incarnation})
}

// halt ends the tasks of a process.
func (w *World) halt(node protocol.NodeID) {
	for _, m := range slices.Clone(w.machines) {
		if m.Self.Node == node && m.Self.Task != protocol.WorkerTask && m.Self.Task != protocol.CoordinatorTask {
			w.kill(m)
		}
	}
}

// kill ends a machine. Its channels break: frames and credit on them are wasted, and the other ends hear of it.
func (w *World) kill(m *Machine) {
	m.dead = true
	w.machines = slices.DeleteFunc(w.machines, func(o *Machine) bool { return o == m })
	w.items = slices.DeleteFunc(w.items, func(it *Item) bool { return it.dies(w, m) })
	if m.nodes == nil {
		return
	}
	w.gone = append(w.gone, life{m.Scope, m.Self.Task})
	for _, c := range w.Plan.Channels {
		if c.From == m.Self.Task {
			w.lose(m, c.ID, c.To)
		}
		if c.To == m.Self.Task {
			w.lose(m, c.ID, c.From)
		}
	}
}

func (w *World) lose(m *Machine, ch protocol.ChannelID, peer protocol.TaskID) {
	if p := w.task(m.Scope, m.nodes, peer); p != nil {
		w.give(p, protocol.Lost{Channel: ch})
	}
}

// task is the living machine of a task in an attempt, or nil.
func (w *World) task(s protocol.Scope, nodes []protocol.NodeID, t protocol.TaskID) *Machine {
	p := w.At(protocol.Address{Node: nodes[t], Task: t})
	if p == nil || !p.Scope.SameAttempt(s) {
		return nil
	}
	return p
}

// pool hands out batches and scribbles over what comes back, so that an alias kept too long is seen.
type pool struct{ free []*batch.Batch }

func (p *pool) Get() *batch.Batch {
	n := len(p.free)
	if n == 0 {
		return new(batch.Batch)
	}
	b := p.free[n-1]
	p.free = p.free[:n-1]
	return b
}

func (p *pool) Put(b *batch.Batch) {
	b.Scribble()
	p.free = append(p.free, b)
}
