package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
)

// Options is what makes an engine. Every field is required but Observe and OnNote.
type Options struct {
	Plan        *job.Plan
	Incarnation protocol.Incarnation // random, never zero
	Store       protocol.Device      // Store, Load, Delete
	Log         LogDevice
	Clock       Clock // the one that the devices use
	Pool        batch.Pool
	NewState    func(owned state.Groups, total int) state.Keyed
	Logger      *slog.Logger
	// Observe sees every step: the event and the effects, in order, before they are performed. It must not keep them.
	Observe func(self protocol.Address, now protocol.Time, ev protocol.Event, effects []protocol.Effect)
	// OnNote sees every Note; it is called from several goroutines.
	OnNote func(protocol.Address, protocol.Note)
}

// Clock is the process's time: nanoseconds since it began.
type Clock struct{ begin time.Time }

// NewClock begins now.
func NewClock() Clock { return Clock{time.Now()} }

// Now is monotonic.
func (c Clock) Now() protocol.Time { return protocol.Time(time.Since(c.begin)) }

// LogDevice performs the effects on the log. CloseSlots drops the open transactions' clients: their tasks are no more.
type LogDevice interface {
	protocol.Device
	CloseSlots()
}

// Engine runs the coordinator, the worker and the tasks of one process.
type Engine struct {
	opt         Options
	coordinator *box
	worker      *box
	verdict     chan protocol.Verdict
	machines    sync.WaitGroup

	mu     sync.Mutex
	region *region // the tasks of the running attempt; nil: none
}

// region is the tasks of one attempt.
type region struct {
	scope protocol.Scope
	// Invariant: boxes has one box per task of the plan from the start, so that a frame for a task that is spawned
	// later waits there. Index 0 is not used.
	boxes []*box
	tasks sync.WaitGroup
}

// Self is the node id of the only process: roles in several processes come later.
const Self protocol.NodeID = 1

// New makes an engine; nothing runs before Run.
func New(opt Options) *Engine {
	e := &Engine{opt: opt, verdict: make(chan protocol.Verdict, 1)}
	e.coordinator = newBox(protocol.Address{Node: Self, Task: protocol.CoordinatorTask})
	e.worker = newBox(protocol.Address{Node: Self, Task: protocol.WorkerTask})
	e.coordinator.machine = opt.Plan.NewCoordinator([]protocol.NodeID{Self})
	e.worker.machine = opt.Plan.NewWorker()
	return e
}

// Run drives the machines until the coordinator ends the process, or ctx does: then nothing more is performed.
func (e *Engine) Run(ctx context.Context) (protocol.Verdict, error) {
	for _, b := range []*box{e.worker, e.coordinator} {
		b.post(protocol.Started{Self: b.self, Incarnation: e.opt.Incarnation})
		e.machines.Add(1)
		go func() {
			defer e.machines.Done()
			e.drive(b, nil)
		}()
	}
	defer e.close()
	select {
	case v := <-e.verdict:
		return v, nil
	case <-ctx.Done():
		return protocol.Verdict{}, ctx.Err()
	}
}

// Stop asks for a last checkpoint and an end.
func (e *Engine) Stop() { e.coordinator.post(protocol.StopAsked{}) }

func (e *Engine) close() {
	e.coordinator.close()
	e.worker.close()
	e.machines.Wait()
	e.halt()
}

// drive steps one machine through its inbox until the box is closed. r is the region of a task's box.
func (e *Engine) drive(b *box, r *region) {
	var out protocol.Effects
	var events []protocol.Event
	var last protocol.Time
	for {
		if events = b.take(events); events == nil {
			return
		}
		for i, ev := range events {
			events[i] = nil
			last = max(last+1, e.opt.Clock.Now())
			out.Reset()
			b.machine.Step(last, ev, &out)
			if e.opt.Observe != nil {
				e.opt.Observe(b.self, last, ev, out.All())
			}
			for _, ef := range out.All() {
				e.perform(b, r, last, ef)
			}
			if b.isClosed() {
				return
			}
		}
	}
}
