package task

import "weir/protocol"

// Worker starts and watches the tasks of one process. It never decides by itself: it does what the newest coordinator
// it has heard of orders, once.
type Worker struct {
	job         string
	self        protocol.Address
	incarnation protocol.Incarnation
	// Invariant: running is the scope of the tasks spawned last; zero before the first Start and after a Stop.
	running protocol.Scope
	// Invariant: newest is the highest scope this process has obeyed; older orders are ignored.
	newest      protocol.Scope
	coordinator protocol.Address
	failed      []protocol.TaskFailed // of the running attempt, repeated with every Pong
}

// NewWorker is the worker machine of a process of the job.
func NewWorker(job string) *Worker { return &Worker{job: job} }

// Pending implements protocol.Machine. A worker waits for nothing.
func (w *Worker) Pending() []protocol.Wait { return nil }

// Step implements protocol.Machine.
func (w *Worker) Step(_ protocol.Time, ev protocol.Event, out *protocol.Effects) {
	switch ev := ev.(type) {
	case protocol.Started:
		w.self, w.incarnation = ev.Self, ev.Incarnation
	case protocol.Died:
		w.onDied(ev, out)
	case protocol.Told:
		w.onTold(ev, out)
	}
}

func (w *Worker) onTold(ev protocol.Told, out *protocol.Effects) {
	switch m := ev.Message.(type) {
	case protocol.Ping:
		w.onPing(ev.From, m, out)
	case protocol.Start:
		w.onStart(m, out)
	case protocol.Stop:
		w.onStop(m, out)
	}
}

// obeys reports whether an order of scope s is the newest this process has heard of.
func (w *Worker) obeys(s protocol.Scope, out *protocol.Effects) bool {
	if s.Job == w.job && !s.Older(w.newest) {
		return true
	}
	out.Append(protocol.Note{Kind: protocol.NoteForeign})
	return false
}

func (w *Worker) onPing(from protocol.Address, m protocol.Ping, out *protocol.Effects) {
	if m.Scope.Job != w.job {
		return
	}
	scope := m.Scope
	scope.Incarnation = w.incarnation
	out.Append(protocol.Tell{To: from, Message: protocol.Pong{Scope: scope, Running: w.running}})
	for _, f := range w.failed {
		out.Append(protocol.Tell{To: from, Message: f})
	}
}

// onStart spawns the tasks of a new attempt. An order for another incarnation is for a process that is no more; an
// order for the attempt that runs is a double.
func (w *Worker) onStart(m protocol.Start, out *protocol.Effects) {
	if m.Scope.Incarnation != w.incarnation || !w.obeys(m.Scope, out) || m.Scope.SameAttempt(w.newest) {
		return
	}
	w.newest, w.running, w.failed = m.Scope, m.Scope, nil
	out.Append(protocol.Halt{})
	for _, t := range m.Tasks {
		w.coordinator = t.Coordinator
		out.Append(protocol.Spawn{Start: t})
	}
}

func (w *Worker) onStop(m protocol.Stop, out *protocol.Effects) {
	if !w.obeys(m.Scope, out) {
		return
	}
	w.newest = m.Scope
	if w.running != (protocol.Scope{}) {
		w.running, w.failed = protocol.Scope{}, nil
		out.Append(protocol.Halt{})
	}
}

func (w *Worker) onDied(ev protocol.Died, out *protocol.Effects) {
	if !ev.Scope.SameAttempt(w.running) {
		return
	}
	f := protocol.TaskFailed{Scope: ev.Scope, Task: ev.Task, Failure: ev.Failure}
	w.failed = append(w.failed, f)
	out.Append(protocol.Tell{To: w.coordinator, Message: f})
}
