package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"weir/protocol"
)

// box is a machine with its inbox and timers. Everything may post; one goroutine takes.
type box struct {
	self    protocol.Address
	machine protocol.Machine

	mu     sync.Mutex
	wake   *sync.Cond
	inbox  []protocol.Event
	timers map[protocol.TimerID]*time.Timer
	ended  chan struct{} // closed when the goroutine has ended; nil: none was begun
	// Invariant: set under mu; from then on nothing is posted or taken, and nothing of a step that ends later is performed.
	closed atomic.Bool
}

func newBox(self protocol.Address) *box {
	b := &box{self: self, timers: make(map[protocol.TimerID]*time.Timer)}
	b.wake = sync.NewCond(&b.mu)
	return b
}

// post enqueues an event.
func (b *box) post(ev protocol.Event) {
	b.mu.Lock()
	if !b.closed.Load() {
		b.inbox = append(b.inbox, ev)
	}
	b.mu.Unlock()
	b.wake.Signal()
}

// prepend puts an event before everything that waits.
func (b *box) prepend(ev protocol.Event) {
	b.mu.Lock()
	if !b.closed.Load() {
		b.inbox = append([]protocol.Event{ev}, b.inbox...)
	}
	b.mu.Unlock()
	b.wake.Signal()
}

// take swaps the inbox for an empty one as soon as it holds something; nil means that the box is closed.
func (b *box) take(empty []protocol.Event) []protocol.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.inbox) == 0 && !b.closed.Load() {
		b.wake.Wait()
	}
	if b.closed.Load() {
		return nil
	}
	full := b.inbox
	b.inbox = empty[:0]
	return full
}

// set arms a timer, replacing what it was set to.
func (b *box) set(id protocol.TimerID, in time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.timers[id]; old != nil {
		old.Stop()
	}
	if b.closed.Load() {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(max(in, 0), func() { b.fire(id, &t) })
	b.timers[id] = t
}

// fire posts Woken unless the timer was set again in the meantime.
func (b *box) fire(id protocol.TimerID, t **time.Timer) {
	b.mu.Lock()
	if b.timers[id] == *t && !b.closed.Load() {
		delete(b.timers, id)
		b.inbox = append(b.inbox, protocol.Woken{Timer: id})
	}
	b.mu.Unlock()
	b.wake.Signal()
}

func (b *box) clear(id protocol.TimerID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.timers[id]; t != nil {
		t.Stop()
		delete(b.timers, id)
	}
}

// close drops the inbox and the timers; the goroutine ends after its step.
func (b *box) close() {
	b.mu.Lock()
	b.closed.Store(true)
	b.inbox = nil
	for _, t := range b.timers {
		t.Stop()
	}
	clear(b.timers)
	b.mu.Unlock()
	b.wake.Broadcast()
}

// begin makes the box one whose goroutine gone waits for; the goroutine calls what is returned when it ends.
func (b *box) begin() (end func()) {
	ended := make(chan struct{})
	b.mu.Lock()
	b.ended = ended
	b.mu.Unlock()
	return func() { close(ended) }
}

// gone waits for the goroutine to end, until limit is closed; false: it has not ended.
func (b *box) gone(limit <-chan struct{}) bool {
	b.mu.Lock()
	ended := b.ended
	b.mu.Unlock()
	if ended == nil {
		return true
	}
	select {
	case <-ended:
		return true
	default:
	}
	select {
	case <-ended:
		return true
	case <-limit:
		return false
	}
}
