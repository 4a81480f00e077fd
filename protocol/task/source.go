package task

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/pending"
)

// Source reads partitions of a topic, runs the stage's code on the records and injects barriers.
type Source struct {
	base
	ops    pending.Set[sourceOp]
	splits []split
	id     protocol.TopicID
	phase  sourcePhase
	// Invariant: final is the newest final checkpoint this source has injected a barrier for.
	final protocol.CheckpointID
	next  int // split that is looked at first
}

type sourcePhase uint8

const (
	sourceSurveying sourcePhase = iota
	sourceReading
	sourceDrained
	sourceEnded
)

// split is one partition as this source reads it.
type split struct {
	position protocol.Position
	// Invariant: fetched is what a fetch brought, and was not processed while full; then no other fetch is under way.
	fetched  protocol.Fetched
	full     bool
	fetching bool
}

type sourceOp struct {
	survey, fetch, backoff bool
	split                  int
}

// NewSource is a source task.
func NewSource(cfg Config) *Source {
	s := &Source{base: base{cfg: cfg}, ops: pending.New[sourceOp](1, timerDeadline)}
	s.out = newOutbox(&s.cfg)
	return s
}

// Step implements protocol.Machine.
func (s *Source) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	if s.failed {
		return
	}
	s.out.begin(now)
	switch ev := ev.(type) {
	case protocol.Started:
		s.self = ev.Self
		s.survey(now, out)
	case protocol.Surveyed:
		s.onSurveyed(now, ev, out)
	case protocol.Fetched:
		s.onFetched(now, ev, out)
	case protocol.Resumed:
		s.onResumed(now, out)
	case protocol.Granted:
		s.out.grant(ev.Channel, ev.N, out)
	case protocol.Woken:
		s.onWoken(now, ev.Timer, out)
	case protocol.Told:
		s.onTold(now, ev.Message, out)
	case protocol.Lost:
		s.failf(protocol.FailService, out, "channel %d broke", ev.Channel)
	}
	s.proceed(now, out)
}

// Pending implements protocol.Machine.
func (s *Source) Pending() []protocol.Wait { return s.ops.Append(nil) }

// proceed asks for what the task can do next.
func (s *Source) proceed(now protocol.Time, out *protocol.Effects) {
	if s.failed {
		return
	}
	if s.phase == sourceReading && !s.out.full() {
		s.fetch(now, out)
		s.resume(s.find() >= 0, out)
	}
	s.out.linger(out)
	s.ops.Arm(out)
}

func (s *Source) survey(now protocol.Time, out *protocol.Effects) {
	op := s.ops.Add("survey of "+s.cfg.Topic, now.Add(s.cfg.IOTimeout), sourceOp{survey: true})
	out.Append(protocol.Survey{Op: op, Topic: s.cfg.Topic})
}

func (s *Source) onSurveyed(now protocol.Time, ev protocol.Surveyed, out *protocol.Effects) {
	if _, ok := s.ops.Take(ev.Op); !ok {
		return
	}
	switch ev.Outcome {
	case protocol.OK:
		s.assign(now, ev, out)
	case protocol.NotFound, protocol.Denied:
		s.failf(protocol.FailState, out, "topic %q: %s; create it, or grant this job the right to read it", s.cfg.Topic, ev.Outcome)
	default:
		s.ops.Add("back-off of survey", now.Add(s.cfg.RetryDelay), sourceOp{survey: true, backoff: true})
	}
}

// assign takes this task's share of the partitions, from the restored positions or from the log's start.
func (s *Source) assign(now protocol.Time, ev protocol.Surveyed, out *protocol.Effects) {
	s.id = ev.TopicID
	for p := s.cfg.Index; p < len(ev.Ranges); p += s.cfg.Width {
		pos, err := resume(s.cfg.Start.Snapshot.Positions, s.start(protocol.Partition(p), ev), ev.Ranges[p])
		if err != "" {
			s.failf(protocol.FailState, out, "topic %q partition %d: %s", s.cfg.Topic, p, err)
			return
		}
		s.splits = append(s.splits, split{position: pos})
	}
	s.phase = sourceReading
	out.Append(protocol.Note{Kind: protocol.NoteRestored, Checkpoint: s.cfg.Start.Restored})
	s.repeat(protocol.Ready{Scope: s.scope()}, now, out)
	s.maybeDrained(now, out)
}

// start is the position of a partition that no checkpoint has seen.
func (s *Source) start(p protocol.Partition, ev protocol.Surveyed) protocol.Position {
	pos := protocol.Position{Topic: s.cfg.Topic, TopicID: ev.TopicID, Partition: p, Next: ev.Ranges[p].Start, End: -1}
	if s.cfg.Bounded {
		pos.End = ev.Ranges[p].End
	}
	return pos
}

// resume picks the restored position of fresh's partition, if there is one, and judges it against the log.
func resume(restored []protocol.Position, fresh protocol.Position, r protocol.Range) (protocol.Position, string) {
	for _, p := range restored {
		if p.Partition != fresh.Partition {
			continue
		}
		switch {
		case p.TopicID != fresh.TopicID:
			return p, "the topic was deleted and created again since the checkpoint: its offsets mean other records"
		case p.Next < r.Start:
			return p, fmt.Sprintf("the checkpoint's offset %d is below the log's start %d: %d records were deleted before they were read, and are lost to this job", p.Next, r.Start, r.Start-p.Next)
		case p.Next > r.End:
			return p, fmt.Sprintf("the checkpoint's offset %d is above the log's end %d: the log lost records", p.Next, r.End)
		}
		return p, ""
	}
	return fresh, ""
}

// fetch keeps one request per partition under way.
func (s *Source) fetch(now protocol.Time, out *protocol.Effects) {
	for i := range s.splits {
		sp := &s.splits[i]
		if sp.fetching || sp.full || sp.done() {
			continue
		}
		sp.fetching = true
		op := s.ops.Add("fetch", now.Add(s.cfg.IOTimeout), sourceOp{fetch: true, split: i})
		out.Append(protocol.Fetch{Op: op, Topic: s.cfg.Topic, TopicID: s.id, Partition: sp.position.Partition, From: sp.position.Next, Max: s.cfg.BatchRecords})
	}
}

func (sp *split) done() bool { return sp.position.End >= 0 && sp.position.Next >= sp.position.End }

func (s *Source) onFetched(now protocol.Time, ev protocol.Fetched, out *protocol.Effects) {
	op, ok := s.ops.Take(ev.Op)
	if !ok {
		release(ev.Batch, out)
		return
	}
	sp := &s.splits[op.split]
	switch ev.Outcome {
	case protocol.OK:
		sp.fetching, sp.full, sp.fetched = false, true, ev
	case protocol.OutOfRange, protocol.NotFound, protocol.Denied:
		s.failf(protocol.FailState, out, "topic %q partition %d offset %d: %s", s.cfg.Topic, sp.position.Partition, sp.position.Next, ev.Outcome)
	default:
		s.ops.Add("back-off of fetch", now.Add(s.cfg.RetryDelay), sourceOp{fetch: true, split: op.split, backoff: true})
	}
}

func release(b *batch.Batch, out *protocol.Effects) {
	if b != nil {
		out.Append(protocol.Release{Batch: b})
	}
}

// find is the next split with something fetched, or -1.
func (s *Source) find() int {
	for i := range s.splits {
		if at := (s.next + i) % len(s.splits); s.splits[at].full {
			return at
		}
	}
	return -1
}

// onResumed processes one fetched batch, unless the outputs are full.
func (s *Source) onResumed(now protocol.Time, out *protocol.Effects) {
	s.resuming = false
	at := s.find()
	if at < 0 || s.out.full() || s.phase != sourceReading {
		return
	}
	s.next = at + 1
	sp := &s.splits[at]
	f := sp.fetched
	sp.fetched, sp.full = protocol.Fetched{}, false
	f = sp.clip(f)
	if f.Batch != nil && f.Batch.Len() > 0 {
		s.run(f.Batch, out)
	}
	sp.position.Next = f.Next
	release(f.Batch, out)
	s.maybeDrained(now, out)
}

// clip drops what lies behind the end of bounded input: it was appended after the start.
func (sp *split) clip(f protocol.Fetched) protocol.Fetched {
	end := sp.position.End
	if end < 0 || f.Next <= end {
		return f
	}
	f.Next = end
	for n := 0; f.Batch != nil && n < f.Batch.Len(); n++ {
		if f.Batch.Record(n).Offset >= int64(end) {
			f.Batch.Truncate(n)
		}
	}
	return f
}

// maybeDrained says so when every bounded partition has been read to its end.
func (s *Source) maybeDrained(now protocol.Time, out *protocol.Effects) {
	if s.failed || !s.cfg.Bounded || s.phase != sourceReading {
		return
	}
	for i := range s.splits {
		if !s.splits[i].done() {
			return
		}
	}
	s.phase = sourceDrained
	out.Append(protocol.Note{Kind: protocol.NoteDrained})
	s.repeat(protocol.Drained{Scope: s.scope()}, now, out)
}

func (s *Source) onWoken(now protocol.Time, timer protocol.TimerID, out *protocol.Effects) {
	switch timer {
	case timerLinger:
		s.out.lingered(out)
	case timerRepeat:
		s.onRepeat(now, out)
	case timerDeadline:
		s.ops.Woken()
		for op, ok := s.ops.Expired(now); ok; op, ok = s.ops.Expired(now) {
			s.onExpired(now, op, out)
		}
	}
}

// onExpired asks again: an answer that comes now finds no entry.
func (s *Source) onExpired(now protocol.Time, op sourceOp, out *protocol.Effects) {
	if !op.backoff {
		out.Append(protocol.Note{Kind: protocol.NoteDeadline})
	}
	if op.survey {
		s.survey(now, out)
		return
	}
	s.splits[op.split].fetching = false
}

func (s *Source) onTold(now protocol.Time, m protocol.Message, out *protocol.Effects) {
	switch m := m.(type) {
	case protocol.Trigger:
		if s.mine(m.Scope, out) {
			s.onTrigger(m, out)
		}
	case protocol.Abort:
		if s.mine(m.Scope, out) {
			s.onAbort(m, out)
		}
	case protocol.Confirm:
		if s.mine(m.Scope, out) {
			s.onConfirm(m, out)
		}
	}
}

// onTrigger records the offsets and emits the barrier behind the records already read, in this one step.
func (s *Source) onTrigger(m protocol.Trigger, out *protocol.Effects) {
	if m.Checkpoint <= s.acks.seen {
		s.again(m.Checkpoint, out)
		return
	}
	if s.phase == sourceSurveying || m.Final && s.phase != sourceDrained {
		s.tell(protocol.Decline{Scope: s.scope(), Checkpoint: m.Checkpoint, Reason: "the source is not ready"}, out)
		return
	}
	if _, ready := s.announce.(protocol.Ready); ready || m.Final {
		s.silence()
	}
	if m.Final {
		s.final = m.Checkpoint
	}
	s.acks.seen = m.Checkpoint
	ack := protocol.Ack{Scope: s.scope(), Checkpoint: m.Checkpoint, Snapshot: protocol.Snapshot{Task: s.cfg.Start.Task, Positions: s.positions()}}
	s.out.broadcast(protocol.Barrier{Checkpoint: m.Checkpoint}, out)
	s.acks.remember(ack)
	s.tell(ack, out)
}

func (s *Source) positions() []protocol.Position {
	list := make([]protocol.Position, len(s.splits))
	for i := range s.splits {
		list[i] = s.splits[i].position
	}
	return list
}

// again answers a trigger that was seen before from memory.
func (b *base) again(id protocol.CheckpointID, out *protocol.Effects) {
	if ack := b.acks.find(id); ack != nil {
		out.Append(protocol.Note{Kind: protocol.NoteRepeated, Checkpoint: id})
		b.tell(*ack, out)
	}
}

func (s *Source) onAbort(m protocol.Abort, out *protocol.Effects) {
	s.acks.seen = max(s.acks.seen, m.Checkpoint)
	s.acks.forget(m.Checkpoint)
	s.tell(protocol.Aborted{Scope: s.scope(), Checkpoint: m.Checkpoint}, out)
}

// onConfirm answers at once: a source has nothing to commit. Behind a decided final barrier the channels end.
func (s *Source) onConfirm(m protocol.Confirm, out *protocol.Effects) {
	s.acks.forget(m.Checkpoint)
	s.tell(protocol.Sealed{Scope: s.scope(), Checkpoint: m.Checkpoint}, out)
	if s.final != 0 && m.Checkpoint == s.final && s.phase == sourceDrained {
		s.phase = sourceEnded
		s.out.broadcast(protocol.End{}, out)
	}
}
