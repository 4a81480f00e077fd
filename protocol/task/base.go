package task

import (
	"errors"
	"fmt"

	"weir/protocol"
	"weir/protocol/batch"
)

// base is what every task has: its place in the job, its outputs, its memory of acks.
type base struct {
	cfg  Config
	self protocol.Address
	out  *outbox
	acks acks
	// Invariant: failed is set once; a failed task does nothing more.
	failed bool
	// Invariant: announce is what timerRepeat repeats until the first trigger; nil: nothing.
	announce protocol.Message
	resuming bool // a Resume is under way
}

func (b *base) scope() protocol.Scope { return b.cfg.Start.Scope }

// tell sends m to the coordinator of this attempt.
func (b *base) tell(m protocol.Message, out *protocol.Effects) {
	out.Append(protocol.Tell{To: b.cfg.Start.Coordinator, Message: m})
}

// repeat tells m now and again on a timer, until silence is called.
func (b *base) repeat(m protocol.Message, now protocol.Time, out *protocol.Effects) {
	b.announce = m
	b.tell(m, out)
	out.Append(protocol.Wake{Timer: timerRepeat, At: now.Add(b.cfg.Heartbeat)})
}

func (b *base) silence() { b.announce = nil }

// onRepeat repeats what is still to be announced.
func (b *base) onRepeat(now protocol.Time, out *protocol.Effects) {
	if b.announce != nil {
		b.repeat(b.announce, now, out)
	}
}

// fail gives up: the region restarts.
func (b *base) fail(f protocol.Failure, out *protocol.Effects) {
	if !b.failed {
		b.failed = true
		out.Append(protocol.Fail{Failure: f})
	}
}

func (b *base) failf(kind protocol.FailureKind, out *protocol.Effects, format string, args ...any) {
	b.fail(protocol.Failure{Kind: kind, Operator: b.cfg.Stage, Offset: -1, Text: fmt.Sprintf(format, args...)}, out)
}

// resume asks for another Resumed if there is work.
func (b *base) resume(work bool, out *protocol.Effects) {
	if work && !b.resuming {
		b.resuming = true
		out.Append(protocol.Resume{})
	}
}

// mine reports whether a message belongs to this life of the job; what does not is noted and ignored.
func (b *base) mine(s protocol.Scope, out *protocol.Effects) bool {
	if s.SameAttempt(b.scope()) {
		return true
	}
	out.Append(protocol.Note{Kind: protocol.NoteForeign})
	return false
}

// run calls the user's code on a batch; an error or panic becomes a Failure that names operator and record.
func (b *base) run(in *batch.Batch, out *protocol.Effects) {
	if err := b.call(in); err != nil {
		b.fail(b.failure(in, err), out)
		return
	}
	if b.sound(out) {
		b.out.flush(out)
	}
}

// sound reports whether the keyed state can be trusted; if not, the task fails.
func (b *base) sound(out *protocol.Effects) bool {
	if b.cfg.State == nil || b.cfg.State.Err() == nil {
		return true
	}
	b.failf(protocol.FailState, out, "keyed state: %v", b.cfg.State.Err())
	return false
}

// call turns a panic of user code that the code itself did not catch into an error.
func (b *base) call(in *batch.Batch) (err error) {
	defer func() {
		r := recover()
		if b, ours := r.(protocol.Broken); ours {
			panic(b)
		}
		if r != nil {
			err = &CodeError{Operator: b.cfg.Stage, Err: fmt.Errorf("panic: %v", r)}
		}
	}()
	return b.cfg.Code.Process(in, b.cfg.State, b.out)
}

func (b *base) failure(in *batch.Batch, err error) protocol.Failure {
	f := protocol.Failure{Kind: protocol.FailUser, Operator: b.cfg.Stage, Offset: -1, Text: err.Error()}
	var ce *CodeError
	if errors.As(err, &ce) {
		f.Operator = ce.Operator
		if ce.Record >= 0 && ce.Record < in.Len() {
			r := in.Record(ce.Record)
			f.Partition, f.Offset = protocol.Partition(r.Partition), protocol.Offset(r.Offset)
		}
	}
	return f
}

// acks remembers what this task has handed in for checkpoints that are not over.
type acks struct {
	// Invariant: every checkpoint up to seen is answered from memory or ignored.
	seen protocol.CheckpointID
	sent []protocol.Ack
}

func (a *acks) find(id protocol.CheckpointID) *protocol.Ack {
	for i := range a.sent {
		if a.sent[i].Checkpoint == id {
			return &a.sent[i]
		}
	}
	return nil
}

func (a *acks) remember(ack protocol.Ack) { a.sent = append(a.sent, ack) }

// forget drops the acks of checkpoints up to id: they are decided or aborted. Deciding n ends every pending one below.
func (a *acks) forget(id protocol.CheckpointID) {
	kept := a.sent[:0]
	for _, s := range a.sent {
		if s.Checkpoint > id {
			kept = append(kept, s)
		}
	}
	clear(a.sent[len(kept):])
	a.sent = kept
}
