package txn

import (
	"weir/protocol"
	"weir/protocol/pending"
)

// Verdict is what is known in the end of a committable.
type Verdict uint8

// The verdicts.
const (
	Present Verdict = 1 + iota // its ledger record was read back: committed, once
	Absent                     // its ledger record is not in the log and will not be
	Denied                     // the broker refuses for want of rights: nothing is known
)

// Judged is a committable with its verdict.
type Judged struct {
	Committable protocol.Committable
	Verdict     Verdict
}

// Sealing ends decided transactions and reads their ledger records back, retrying without end.
//
// EndTxn's own answers prove nothing: OK means decided, not visible, and the refusals (Ask) each occur for committed
// and for lost transactions. Only the ledger record, read committed at its offset, tells.
type Sealing struct {
	cfg   *protocol.Config
	calls pending.Set[*closing]
	// Invariant: items are the committables without a verdict.
	items []*closing
	// held keeps items that have been ended from being read, until Read is called: the first barrier of recovery.
	held bool
	// fenced: the ids have been taken over since, and nothing may end them any more.
	fenced bool
}

// closing is one committable on its way.
type closing struct {
	c    protocol.Committable
	step closingStep
	// Invariant: ended means the broker has said OK to EndTxn; it is not asked to end again.
	ended bool
}

type closingStep uint8

const (
	closingEnd  closingStep = 1 + iota // EndTxn is under way, or to be sent again
	closingHeld                        // answered; waits for the others
	closingRead                        // ReadLedger is under way, or to be sent again
)

// NewSealing makes an empty one; tag and timer as in pending.New.
func NewSealing(cfg *protocol.Config, tag uint8, timer protocol.TimerID) *Sealing {
	return &Sealing{cfg: cfg, calls: pending.New[*closing](tag, timer)}
}

// Commit begins with c, which a HEAD write has decided.
func (s *Sealing) Commit(now protocol.Time, c protocol.Committable, out *protocol.Effects) {
	it := &closing{c: c, step: closingEnd}
	s.items = append(s.items, it)
	s.send(now, it, out)
}

func (s *Sealing) send(now protocol.Time, it *closing, out *protocol.Effects) {
	deadline := now.Add(s.cfg.IOTimeout)
	if it.step == closingEnd {
		op := s.calls.Add("commit of "+string(it.c.ID), deadline, it)
		out.Append(protocol.EndTxn{Op: op, ID: it.c.ID, Producer: it.c.Producer, Version: it.c.Version, Commit: true})
		return
	}
	l := it.c.Ledger
	op := s.calls.Add("ledger record of "+string(it.c.ID), deadline, it)
	out.Append(protocol.ReadLedger{Op: op, Topic: l.Topic, TopicID: l.TopicID, Partition: l.Partition, Offset: l.Offset})
}

// again repeats the step of it after a pause.
func (s *Sealing) again(now protocol.Time, it *closing) {
	s.calls.Add("back-off of "+string(it.c.ID), now.Add(s.cfg.RetryDelay), it)
}

// OnEnded takes the answer to EndTxn.
func (s *Sealing) OnEnded(now protocol.Time, ev protocol.Ended, out *protocol.Effects) (Judged, bool) {
	it, ok := s.calls.Take(ev.Op)
	if !ok {
		return Judged{}, false
	}
	switch ev.Outcome {
	case protocol.OK:
		it.ended = true
		out.Append(protocol.Note{Kind: protocol.NoteCommitted, Checkpoint: it.c.Checkpoint})
		s.read(now, it, out)
	case protocol.Ask:
		out.Append(protocol.Note{Kind: protocol.NoteCommitAsk, Checkpoint: it.c.Checkpoint})
		s.read(now, it, out)
	case protocol.Denied:
		return s.judge(it, Denied), true
	case protocol.Unknown:
		out.Append(protocol.Note{Kind: protocol.NoteCommitUnknown, Checkpoint: it.c.Checkpoint})
		s.again(now, it)
	default:
		s.again(now, it)
	}
	return Judged{}, false
}

func (s *Sealing) read(now protocol.Time, it *closing, out *protocol.Effects) {
	if s.held {
		it.step = closingHeld
		return
	}
	it.step = closingRead
	s.send(now, it, out)
}

// OnRead takes the answer to ReadLedger.
func (s *Sealing) OnRead(now protocol.Time, ev protocol.LedgerRead, out *protocol.Effects) (Judged, bool) {
	it, ok := s.calls.Take(ev.Op)
	if !ok {
		return Judged{}, false
	}
	switch ev.Outcome {
	case protocol.OK:
		if rec, err := DecodeLedger(ev.Value); err != nil || rec != Proof(it.c) {
			return s.judge(it, Absent), true
		}
		out.Append(protocol.Note{Kind: protocol.NoteReadBack, Checkpoint: it.c.Checkpoint})
		return s.judge(it, Present), true
	case protocol.NotFound, protocol.Corrupt:
		return s.judge(it, Absent), true
	case protocol.Denied:
		return s.judge(it, Denied), true
	}
	if !it.ended && !s.fenced {
		it.step = closingEnd // the refusal settled nothing: the transaction may still be open
	}
	s.again(now, it)
	return Judged{}, false
}

// reset drops everything, and holds what will be ended from being read until ReadAll.
func (s *Sealing) reset() {
	s.calls.Reset()
	s.items, s.held, s.fenced = nil, true, false
}

// AllEnded reports whether every held item has been answered.
func (s *Sealing) AllEnded() bool {
	for _, it := range s.items {
		if it.step == closingEnd {
			return false
		}
	}
	return true
}

// ReadAll reads the ledger for everything held: the ids are fenced now, and are not ended again.
func (s *Sealing) ReadAll(now protocol.Time, out *protocol.Effects) {
	s.held, s.fenced = false, true
	for _, it := range s.items {
		s.read(now, it, out)
	}
}

func (s *Sealing) judge(it *closing, v Verdict) Judged {
	for i := range s.items {
		if s.items[i] == it {
			s.items = append(s.items[:i], s.items[i+1:]...)
			break
		}
	}
	return Judged{it.c, v}
}

// OnDeadline sends again what was not answered in time, and what has paused.
func (s *Sealing) OnDeadline(now protocol.Time, out *protocol.Effects) {
	s.calls.Woken()
	for it, ok := s.calls.Expired(now); ok; it, ok = s.calls.Expired(now) {
		s.send(now, it, out)
	}
}

// Arm sets the timer; call it at the end of a step.
func (s *Sealing) Arm(out *protocol.Effects) { s.calls.Arm(out) }

// Pending appends what is waited for.
func (s *Sealing) Pending(list []protocol.Wait) []protocol.Wait { return s.calls.Append(list) }

// Open is the number of committables without a verdict up to checkpoint id.
func (s *Sealing) Open(id protocol.CheckpointID) (n int) {
	for _, it := range s.items {
		if it.c.Checkpoint <= id {
			n++
		}
	}
	return n
}
