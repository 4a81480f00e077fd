package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
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
	case protocol.Keep, protocol.Recall, protocol.Retain:
		e.opt.Disk.Perform(b.self, ef, b.post)
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
	default:
		protocol.Assert(false, fmt.Sprintf("the engine has no way for a %T", ef))
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
	var f protocol.Failure
	if b.machine, f = e.build(start); b.machine == nil {
		e.fail(b, r, f)
		return
	}
	b.prepend(protocol.Started{Self: b.self, Incarnation: e.opt.Incarnation})
	e.begin(b, r)
}

// build makes a task's machine. The job's factory runs there, so that a panic is the user's.
func (e *Engine) build(start protocol.TaskStart) (m protocol.Machine, f protocol.Failure) {
	defer func() {
		if p := recover(); p != nil {
			stage := e.opt.Plan.Graph.Stages[e.opt.Plan.Tasks[start.Task-1].Stage].ID
			f = protocol.Failure{Kind: protocol.FailUser, Operator: stage, Offset: -1, Text: fmt.Sprintf("the job's factory panicked: %v", p)}
			e.opt.Logger.Warn("the job's factory panicked", "task", e.name(protocol.Address{Node: Self, Task: start.Task}), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return e.opt.Plan.NewTask(start, job.Deps{Pool: e.opt.Pool, NewState: e.opt.NewState}), f
}

// fail ends a task; the worker hears of it.
func (e *Engine) fail(b *box, r *region, f protocol.Failure) {
	b.close()
	args := []any{"task", e.name(b.self), "kind", f.Kind.String(), "operator", f.Operator, "cause", f.Text}
	if f.Offset >= 0 {
		args = append(args, "partition", f.Partition, "offset", f.Offset)
	}
	e.opt.Logger.Warn("task failed", args...)
	e.worker.post(protocol.Died{Scope: r.scope, Task: b.self.Task, Failure: f})
}

// note logs at the level of what is noted, and counts.
func (e *Engine) note(self protocol.Address, n protocol.Note) {
	if level := levelOf(n.Kind); e.opt.Logger.Enabled(context.Background(), level) {
		e.opt.Logger.Log(context.Background(), level, string(n.Kind), "task", e.name(self), "checkpoint", uint64(n.Checkpoint), "detail", n.Detail)
	}
	if e.opt.OnNote != nil {
		e.opt.OnNote(self, n)
	}
}

// levelOf is what an operator must see, may see, or sees when asked for.
func levelOf(k protocol.NoteKind) slog.Level {
	switch k {
	case protocol.NoteLost, protocol.NoteDeposed:
		return slog.LevelError
	case protocol.NoteRestart, protocol.NoteTimedOut, protocol.NoteSlotAbandoned, protocol.NoteStrayFenced, protocol.NoteSpoilt:
		return slog.LevelWarn
	case protocol.NoteClaimed, protocol.NoteRecommitted, protocol.NoteDrained, protocol.NoteFinal:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
