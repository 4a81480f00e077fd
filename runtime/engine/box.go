package engine

import (
	"sync"
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
	// Invariant: once closed, nothing is posted or taken any more.
	closed bool
}

func newBox(self protocol.Address) *box {
	b := &box{self: self, timers: make(map[protocol.TimerID]*time.Timer)}
	b.wake = sync.NewCond(&b.mu)
	return b
}

// post enqueues an event.
func (b *box) post(ev protocol.Event) {
	b.mu.Lock()
	if !b.closed {
		b.inbox = append(b.inbox, ev)
	}
	b.mu.Unlock()
	b.wake.Signal()
}

// prepend puts an event before everything that waits.
func (b *box) prepend(ev protocol.Event) {
	b.mu.Lock()
	b.inbox = append([]protocol.Event{ev}, b.inbox...)
	b.mu.Unlock()
	b.wake.Signal()
}

// take swaps the inbox for an empty one as soon as it holds something; nil means that the box is closed.
func (b *box) take(empty []protocol.Event) []protocol.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.inbox) == 0 && !b.closed {
		b.wake.Wait()
	}
	if b.closed {
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
	if b.closed {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(max(in, 0), func() { b.fire(id, &t) })
	b.timers[id] = t
}

// fire posts Woken unless the timer was set again in the meantime.
func (b *box) fire(id protocol.TimerID, t **time.Timer) {
	b.mu.Lock()
	if b.timers[id] == *t && !b.closed {
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
	b.closed, b.inbox = true, nil
	for _, t := range b.timers {
		t.Stop()
	}
	b.mu.Unlock()
	b.wake.Broadcast()
}

func (b *box) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
