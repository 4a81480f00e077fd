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

// Options is what makes an engine. Every field is required but Observe and OnNote, which are called from several
// goroutines at a time: one per machine.
type Options struct {
	Plan        *job.Plan
	Incarnation protocol.Incarnation // random, never zero
	Store       protocol.Device      // Store, Load, Delete
	Disk        protocol.Device      // Keep, Recall, Retain; nil unless the plan's configuration says Local
	Log         LogDevice
	Clock       Clock // the one that the devices use
	Pool        batch.Pool
	NewState    func(owned state.Groups, total int) state.Keyed
	Logger      *slog.Logger
	// Observe sees every step: the event and the effects, in order, before they are performed. It must not keep them.
	Observe func(self protocol.Address, now protocol.Time, ev protocol.Event, effects []protocol.Effect)
	// OnNote sees every Note.
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
	broken      chan error // what ends the process although no machine has said so; the first counts

	mu     sync.Mutex
	region *region // the tasks of the running attempt; nil: none
}

// region is the tasks of one attempt.
type region struct {
	scope protocol.Scope
	// Invariant: boxes has one box per task of the plan from the start, so that a frame for a task that is spawned
	// later waits there. Index 0 is not used.
	boxes []*box
}

// Self is the node id of the only process: roles in several processes come later.
const Self protocol.NodeID = 1

// closeTimeout is how long Run waits, at its end, for steps under way. What they would still do is not performed.
const closeTimeout = time.Second

// New makes an engine; nothing runs before Run.
func New(opt Options) *Engine {
	protocol.Assert(opt.Disk != nil || !opt.Plan.Config.Local, "a job that keeps copies has a disk")
	e := &Engine{opt: opt, verdict: make(chan protocol.Verdict, 1), broken: make(chan error, 1)}
	e.coordinator = newBox(protocol.Address{Node: Self, Task: protocol.CoordinatorTask})
	e.worker = newBox(protocol.Address{Node: Self, Task: protocol.WorkerTask})
	e.coordinator.machine = opt.Plan.NewCoordinator([]protocol.NodeID{Self})
	e.worker.machine = opt.Plan.NewWorker()
	return e
}

// Run drives the machines until the coordinator ends the process, or ctx does: then nothing more is performed. Any
// other error means that the process must end, because a machine is broken or a step does not end: another Run would
// meet what is left of this one.
func (e *Engine) Run(ctx context.Context) (protocol.Verdict, error) {
	for _, b := range []*box{e.worker, e.coordinator} {
		b.post(protocol.Started{Self: b.self, Incarnation: e.opt.Incarnation})
		e.begin(b, nil)
	}
	defer e.close()
	select {
	case v := <-e.verdict:
		return v, nil
	case err := <-e.broken:
		return protocol.Verdict{}, err
	case <-ctx.Done():
		return protocol.Verdict{}, ctx.Err()
	}
}

// Stop asks for a last checkpoint and an end.
func (e *Engine) Stop() { e.coordinator.post(protocol.StopAsked{}) }

func (e *Engine) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	for _, b := range []*box{e.coordinator, e.worker} {
		b.close()
		b.gone(ctx.Done())
	}
	e.drop(ctx.Done())
}

// begin drives a box on a goroutine. r is the region of a task's box.
func (e *Engine) begin(b *box, r *region) {
	end := b.begin()
	go func() {
		defer end()
		e.drive(b, r)
	}()
}

// drive steps one machine through its inbox until the box is closed.
func (e *Engine) drive(b *box, r *region) {
	var events []protocol.Event
	var ev protocol.Event
	defer func() {
		if p := recover(); p != nil {
			e.die(e.panicked(b, ev, p))
		}
	}()
	s := stepper{e: e, b: b, r: r}
	for {
		if events = b.take(events); events == nil {
			return
		}
		for i := range events {
			ev, events[i] = events[i], nil
			s.step(ev)
			if b.closed.Load() {
				return
			}
		}
	}
}

// stepper is one machine at work.
type stepper struct {
	e    *Engine
	b    *box
	r    *region
	out  protocol.Effects
	last protocol.Time // of the last step
}

// step takes one event and performs what follows from it, in order. Once the box is closed nothing more is performed:
// the machine is no more, as after a crash at this point.
func (s *stepper) step(ev protocol.Event) {
	s.last = max(s.last+1, s.e.opt.Clock.Now())
	s.out.Reset()
	s.b.machine.Step(s.last, ev, &s.out)
	if s.e.opt.Observe != nil {
		s.e.opt.Observe(s.b.self, s.last, ev, s.out.All())
	}
	for _, ef := range s.out.All() {
		if s.b.closed.Load() {
			return
		}
		s.e.perform(s.b, s.r, s.last, ef)
	}
}
