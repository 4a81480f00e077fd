package engine

import (
	"time"

	"weir/protocol"
	"weir/protocol/job"
)

// perform routes one effect. Each case hands it on; nothing is decided here.
func (e *Engine) perform(b *box, r *region, now protocol.Time, ef protocol.Effect) {
	switch ef := ef.(type) {
	case protocol.Resume:
		b.post(protocol.Resumed{})
	case protocol.Wake:
		e.wake(b, now, ef)
	case protocol.Send:
		r.boxes[e.opt.Plan.Channel(ef.Channel).To].post(protocol.Received{Channel: ef.Channel, Frame: ef.Frame})
	case protocol.Grant:
		r.boxes[e.opt.Plan.Channel(ef.Channel).From].post(protocol.Granted{Channel: ef.Channel, N: ef.N})
	case protocol.Release:
		e.opt.Pool.Put(ef.Batch)
	case protocol.Tell:
		e.tell(b.self, ef)
	case protocol.Store, protocol.Load, protocol.Delete:
		e.opt.Store.Perform(b.self, ef, b.post)
	case protocol.Survey, protocol.Fetch, protocol.OpenSlot, protocol.Produce, protocol.Flush, protocol.EndTxn,
		protocol.ReadLedger, protocol.Fence, protocol.Erase, protocol.ListTxns:
		e.opt.Log.Perform(b.self, ef, b.post)
	case protocol.Spawn:
		e.spawn(ef.Start)
	case protocol.Halt:
		e.halt()
	case protocol.Fail:
		e.fail(b, r, ef.Failure)
	case protocol.Exit:
		b.close()
		e.verdict <- ef.Verdict
	case protocol.Note:
		e.note(b.self, ef)
	}
}

func (e *Engine) wake(b *box, now protocol.Time, ef protocol.Wake) {
	if ef.At == 0 {
		b.clear(ef.Timer)
		return
	}
	b.set(ef.Timer, time.Duration(ef.At.Sub(now)))
}

// tell delivers within the process. A message for a task that does not run is lost, as messages may be.
func (e *Engine) tell(from protocol.Address, ef protocol.Tell) {
	if to := e.find(ef.To); to != nil {
		to.post(protocol.Told{From: from, Message: ef.Message})
	}
}

func (e *Engine) find(to protocol.Address) *box {
	switch {
	case to.Node != Self:
		return nil
	case to.Task == protocol.CoordinatorTask:
		return e.coordinator
	case to.Task == protocol.WorkerTask:
		return e.worker
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.region == nil || int(to.Task) >= len(e.region.boxes) {
		return nil
	}
	return e.region.boxes[to.Task]
}

// spawn builds a task; the first of an attempt makes the region.
func (e *Engine) spawn(start protocol.TaskStart) {
	e.mu.Lock()
	if e.region == nil {
		e.region = &region{scope: start.Scope, boxes: make([]*box, len(e.opt.Plan.Tasks)+1)}
		for i := range e.region.boxes {
			e.region.boxes[i] = newBox(protocol.Address{Node: Self, Task: protocol.TaskID(i)})
		}
	}
	r := e.region
	e.mu.Unlock()
	b := r.boxes[start.Task]
	b.machine = e.opt.Plan.NewTask(start, job.Deps{Pool: e.opt.Pool, NewState: e.opt.NewState})
	b.prepend(protocol.Started{Self: b.self, Incarnation: e.opt.Incarnation})
	r.tasks.Add(1)
	go func() {
		defer r.tasks.Done()
		e.drive(b, r)
	}()
}

// halt drops the tasks of this process. It waits for their steps to end: a task never waits for anything, so this is
// short, and afterwards nothing of the old attempt is performed.
func (e *Engine) halt() {
	e.mu.Lock()
	r := e.region
	e.region = nil
	e.mu.Unlock()
	if r == nil {
		return
	}
	for _, b := range r.boxes {
		b.close()
	}
	r.tasks.Wait()
	e.opt.Log.CloseSlots()
}

// fail ends a task; the worker hears of it.
func (e *Engine) fail(b *box, r *region, f protocol.Failure) {
	b.close()
	e.opt.Logger.Warn("task failed", "task", b.self.Task, "kind", f.Kind, "operator", f.Operator, "text", f.Text)
	e.worker.post(protocol.Died{Scope: r.scope, Task: b.self.Task, Failure: f})
}

func (e *Engine) note(self protocol.Address, n protocol.Note) {
	e.opt.Logger.Debug(string(n.Kind), "task", self.Task, "checkpoint", uint64(n.Checkpoint), "detail", n.Detail)
	if e.opt.OnNote != nil {
		e.opt.OnNote(self, n)
	}
}
