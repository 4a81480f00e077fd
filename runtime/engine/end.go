package engine

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"weir/protocol"
)

// haltWarning is how long a halt waits before it says for whom.
const haltWarning = time.Second

// halt drops the tasks of this process. It waits for their steps to end: a machine never waits for anything, so this is
// short, and afterwards nothing of the old attempt is performed. A user function that does not return cannot be ended
// but with the process. The limit is the checkpoint's timeout: no checkpoint would pass such a step.
func (e *Engine) halt() {
	limit, cancel := context.WithTimeout(context.Background(), time.Duration(e.opt.Plan.Config.Timeout))
	defer cancel()
	if stuck := e.drop(limit.Done()); len(stuck) > 0 {
		e.die(e.stuck(stuck))
	}
}

// drop closes the tasks' boxes and returns those whose step has not ended when limit is closed.
func (e *Engine) drop(limit <-chan struct{}) (stuck []*box) {
	e.mu.Lock()
	r := e.region
	e.region = nil
	e.mu.Unlock()
	if r == nil {
		return nil
	}
	for _, b := range r.boxes {
		b.close()
	}
	slow := time.AfterFunc(haltWarning, func() {
		e.opt.Logger.Warn("a halt waits for the end of a step: a user function takes long", "tasks", e.names(r.unfinished()))
	})
	defer slow.Stop()
	for _, b := range r.boxes {
		if !b.gone(limit) {
			stuck = append(stuck, b)
		}
	}
	e.opt.Log.CloseSlots()
	return stuck
}

// unfinished lists the boxes whose goroutine has not ended.
func (r *region) unfinished() (list []*box) {
	now := make(chan struct{})
	close(now)
	for _, b := range r.boxes {
		if !b.gone(now) {
			list = append(list, b)
		}
	}
	return list
}

// die ends the process from within: nothing more is taken or performed, and Run returns err.
func (e *Engine) die(err error) {
	select {
	case e.broken <- err:
	default: // the first one is told already
	}
	e.coordinator.close()
	e.worker.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.region != nil {
		for _, b := range e.region.boxes {
			b.close()
		}
	}
}

// name is how a person knows a machine.
func (e *Engine) name(a protocol.Address) string {
	switch a.Task {
	case protocol.CoordinatorTask:
		return "coordinator"
	case protocol.WorkerTask:
		return "worker"
	}
	t := e.opt.Plan.Tasks[a.Task-1]
	return fmt.Sprintf("%s/%d", e.opt.Plan.Graph.Stages[t.Stage].ID, t.Index)
}

func (e *Engine) names(list []*box) string {
	var names []string
	for _, b := range list {
		names = append(names, e.name(b.self))
	}
	return strings.Join(names, ", ")
}

// longest is how many bytes of an event are told.
const longest = 400

// panicked says where a machine, or a device that it called, broke an invariant. Call it where the panic was recovered.
func (e *Engine) panicked(b *box, ev protocol.Event, p any) error {
	text := protocol.Format(ev)
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	return fmt.Errorf("engine: %s broke: %v\nin the step that took: %s\n%s", e.name(b.self), p, text, debug.Stack())
}

// stuck says which tasks do not end their step, and where they are: the user's function is in the stacks.
func (e *Engine) stuck(list []*box) error {
	all := make([]byte, 1<<20)
	all = all[:runtime.Stack(all, true)]
	var steps []string
	for stack := range strings.SplitSeq(string(all), "\n\n") {
		if strings.Contains(stack, "(*stepper).step(") && strings.Contains(stack, ".Step(") {
			steps = append(steps, stack)
		}
	}
	return fmt.Errorf("engine: %s: a step has not ended %v after its attempt: a user function does not return; it ends with this process only\n%s",
		e.names(list), time.Duration(e.opt.Plan.Config.Timeout), strings.Join(steps, "\n\n"))
}
