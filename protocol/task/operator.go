package task

import (
	"weir/protocol"
	"weir/protocol/align"
)

// Operator runs the stage's code on what its inputs bring, with keyed state, and snapshots at aligned barriers.
type Operator struct {
	base
	in    *inbox
	snaps *snapshots // nil for a stage without state
	ready bool
}

// NewOperator is an operator task.
func NewOperator(cfg Config) *Operator {
	o := &Operator{base: base{cfg: cfg}}
	o.out, o.in = newOutbox(&o.cfg), newInbox(&o.cfg)
	if cfg.State != nil {
		o.snaps = newSnapshots(&o.cfg)
	}
	return o
}

// Step implements protocol.Machine.
func (o *Operator) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	if o.failed {
		return
	}
	o.out.begin(now)
	switch ev := ev.(type) {
	case protocol.Started:
		o.onStarted(now, ev, out)
	case protocol.Received:
		o.in.enqueue(ev.Channel, ev.Frame)
	case protocol.Resumed:
		o.onResumed(now, out)
	case protocol.Granted:
		o.out.grant(ev.Channel, ev.N, out)
	case protocol.Loaded:
		o.act(now, o.snaps.onLoaded(now, ev, out), out)
	case protocol.Recalled:
		o.act(now, o.snaps.onRecalled(now, ev, out), out)
	case protocol.Stored:
		o.act(now, o.snaps.onStored(now, ev, out), out)
	case protocol.Woken:
		o.onWoken(now, ev.Timer, out)
	case protocol.Told:
		o.onTold(ev.Message, out)
	case protocol.Lost:
		o.failf(protocol.FailService, out, "channel %d broke", ev.Channel)
	}
	o.proceed(out)
}

// Pending implements protocol.Machine.
func (o *Operator) Pending() []protocol.Wait {
	if o.snaps == nil {
		return nil
	}
	return o.snaps.ops.Append(nil)
}

func (o *Operator) proceed(out *protocol.Effects) {
	if o.failed {
		return
	}
	o.resume(o.ready && !o.out.full() && o.in.find() >= 0, out)
	o.out.linger(out)
	if o.snaps != nil {
		o.snaps.ops.Arm(out)
	}
}

func (o *Operator) onStarted(now protocol.Time, ev protocol.Started, out *protocol.Effects) {
	o.self = ev.Self
	if o.snaps == nil || o.snaps.restore(now, out) {
		o.becomeReady(now, out)
	}
}

func (o *Operator) becomeReady(now protocol.Time, out *protocol.Effects) {
	o.ready = true
	out.Append(protocol.Note{Kind: protocol.NoteRestored, Checkpoint: o.cfg.Start.Restored})
	o.in.open(o.cfg.Credit, out)
	o.repeat(protocol.Ready{Scope: o.scope()}, now, out)
}

// act does what the snapshots' answer asks for.
func (o *Operator) act(now protocol.Time, a snapshotAnswer, out *protocol.Effects) {
	switch {
	case a.broken != "":
		o.failf(protocol.FailState, out, "%s", a.broken)
	case a.restored:
		o.becomeReady(now, out)
	}
	for _, s := range a.durable {
		o.ack(s.checkpoint, s.runs(), out)
	}
}

func (o *Operator) ack(id protocol.CheckpointID, runs []protocol.Run, out *protocol.Effects) {
	ack := protocol.Ack{Scope: o.scope(), Checkpoint: id, Snapshot: protocol.Snapshot{Task: o.cfg.Start.Task, Runs: runs}}
	o.acks.remember(ack)
	o.tell(ack, out)
}

// onResumed processes one frame.
func (o *Operator) onResumed(now protocol.Time, out *protocol.Effects) {
	o.resuming = false
	if !o.ready || o.out.full() {
		return
	}
	if in, f, ok := o.in.pop(); ok {
		o.onFrame(now, in, f, out)
	}
}

func (o *Operator) onFrame(now protocol.Time, in int, f protocol.Frame, out *protocol.Effects) {
	switch f := f.(type) {
	case protocol.Data:
		o.run(f.Batch, out)
		out.Append(protocol.Release{Batch: f.Batch})
		out.Append(o.in.inputs[in].one)
	case protocol.Barrier:
		if o.in.onBarrier(in, f.Checkpoint, out) {
			o.onAligned(now, f.Checkpoint, out)
		}
	case protocol.End:
		if id := o.in.gate.Current(); o.in.gate.End(in) == align.Aligned {
			o.onAligned(now, id, out)
		}
		if o.in.gate.Ended() {
			o.out.broadcast(protocol.End{}, out)
		}
	}
}

// onBarrier asks the gate; true: the checkpoint is aligned.
func (b *inbox) onBarrier(in int, id protocol.CheckpointID, out *protocol.Effects) bool {
	v, abandoned := b.gate.Arrive(in, id)
	if abandoned != 0 {
		out.Append(protocol.Note{Kind: protocol.NoteSuperseded, Checkpoint: abandoned})
	}
	if v == align.Stale {
		out.Append(protocol.Note{Kind: protocol.NoteStaleBarrier, Checkpoint: id})
	}
	return v == align.Aligned
}

// onAligned freezes the state, sends the barrier on before any later record, and lets the upload run.
func (o *Operator) onAligned(now protocol.Time, id protocol.CheckpointID, out *protocol.Effects) {
	o.silence()
	o.acks.seen = max(o.acks.seen, id)
	out.Append(protocol.Note{Kind: protocol.NoteAligned, Checkpoint: id})
	if o.snaps == nil {
		o.out.broadcast(protocol.Barrier{Checkpoint: id}, out)
		o.ack(id, nil, out)
		return
	}
	durable := o.snaps.freeze(now, id, out)
	if !o.sound(out) {
		return
	}
	o.out.broadcast(protocol.Barrier{Checkpoint: id}, out)
	if durable != nil {
		o.ack(id, durable.runs(), out)
	}
}

func (o *Operator) onWoken(now protocol.Time, timer protocol.TimerID, out *protocol.Effects) {
	switch timer {
	case timerLinger:
		o.out.lingered(out)
	case timerRepeat:
		o.onRepeat(now, out)
	case timerDeadline:
		o.snaps.onDeadline(now, out)
	}
}

func (o *Operator) onTold(m protocol.Message, out *protocol.Effects) {
	switch m := m.(type) {
	case protocol.Trigger:
		if o.mine(m.Scope, out) {
			o.again(m.Checkpoint, out)
		}
	case protocol.Abort:
		if o.mine(m.Scope, out) {
			o.onAbort(m, out)
		}
	case protocol.Confirm:
		if o.mine(m.Scope, out) {
			o.acks.forget(m.Checkpoint)
			o.drop(m.Checkpoint)
			o.confirm(m.Checkpoint, out)
			o.tell(protocol.Sealed{Scope: o.scope(), Checkpoint: m.Checkpoint}, out)
		}
	}
}

// onAbort releases what alignment holds back; the runs of the checkpoint stay in the lineage.
func (o *Operator) onAbort(m protocol.Abort, out *protocol.Effects) {
	if o.in.gate.Cancel(m.Checkpoint) {
		out.Append(protocol.Note{Kind: protocol.NoteCancelled, Checkpoint: m.Checkpoint})
	}
	o.acks.seen = max(o.acks.seen, m.Checkpoint)
	o.acks.forget(m.Checkpoint)
	o.drop(m.Checkpoint)
	o.tell(protocol.Aborted{Scope: o.scope(), Checkpoint: m.Checkpoint}, out)
}

func (o *Operator) confirm(id protocol.CheckpointID, out *protocol.Effects) {
	if o.snaps != nil {
		o.snaps.onConfirmed(id, out)
	}
}

func (o *Operator) drop(id protocol.CheckpointID) {
	if o.snaps != nil {
		o.snaps.drop(id)
	}
}
