package txn

import (
	"weir/protocol"
	"weir/protocol/pending"
)

// Recovery settles what earlier lives of the job left behind, in four barriers, before any task starts:
//
//  1. commit every committable above HEAD's sealed id (a fence first would abort decided transactions);
//  2. fence every id of every pool of ended attempts (so that nothing of theirs can change any more);
//  3. read the ledger record of each committable;
//  4. judge each by its exact record.
type Recovery struct {
	cfg     *protocol.Config
	sealing *Sealing
	fences  pending.Set[protocol.TransactionalID]
	phase   recoveryPhase
	// Invariant: ids are what is still to be fenced and has no call under way; empty from barrier 3 on.
	ids    []protocol.TransactionalID
	judged []Judged
	denied protocol.TransactionalID
}

type recoveryPhase uint8

const (
	recoveryCommit recoveryPhase = 1 + iota
	recoveryFence
	recoveryRead
	recoveryDone
)

// NewRecovery makes one, for every attempt of a coordinator: an answer to an earlier attempt's request must not be taken
// for the answer to a later one's. The two tags and timers are as in pending.New.
func NewRecovery(cfg *protocol.Config, tagSeal, tagFence uint8, timerSeal, timerFence protocol.TimerID) *Recovery {
	r := &Recovery{cfg: cfg, sealing: NewSealing(cfg, tagSeal, timerSeal), fences: pending.New[protocol.TransactionalID](tagFence, timerFence)}
	return r
}

// Begin drops what an earlier attempt has left here and starts with barrier 1.
func (r *Recovery) Begin(now protocol.Time, decided []protocol.Committable, ids []protocol.TransactionalID, out *protocol.Effects) {
	r.phase, r.ids, r.judged, r.denied = recoveryCommit, ids, nil, ""
	r.fences.Reset()
	r.sealing.reset()
	for _, c := range decided {
		r.sealing.Commit(now, c, out)
		out.Append(protocol.Note{Kind: protocol.NoteRecommitted, Checkpoint: c.Checkpoint})
	}
	r.proceed(now, out)
}

// proceed passes a barrier when everything before it is done.
func (r *Recovery) proceed(now protocol.Time, out *protocol.Effects) {
	if r.phase == recoveryCommit && r.sealing.AllEnded() {
		r.phase = recoveryFence
		for _, id := range r.ids {
			r.fence(now, id, out)
		}
		r.ids = nil
	}
	if r.phase == recoveryFence && r.fences.Len() == 0 {
		r.phase = recoveryRead
		r.sealing.ReadAll(now, out)
	}
	if r.phase == recoveryRead && r.sealing.Open(^protocol.CheckpointID(0)) == 0 {
		r.phase = recoveryDone
	}
}

func (r *Recovery) fence(now protocol.Time, id protocol.TransactionalID, out *protocol.Effects) {
	out.Append(protocol.Fence{Op: r.fences.Add("fence of "+string(id), now.Add(r.cfg.IOTimeout), id), ID: id})
}

// OnEnded takes the answer to EndTxn.
func (r *Recovery) OnEnded(now protocol.Time, ev protocol.Ended, out *protocol.Effects) {
	r.note(r.sealing.OnEnded(now, ev, out))
	r.proceed(now, out)
}

// OnRead takes the answer to ReadLedger.
func (r *Recovery) OnRead(now protocol.Time, ev protocol.LedgerRead, out *protocol.Effects) {
	r.note(r.sealing.OnRead(now, ev, out))
	r.proceed(now, out)
}

func (r *Recovery) note(j Judged, ok bool) {
	if ok {
		r.judged = append(r.judged, j)
		if j.Verdict == Denied {
			r.denied = j.Committable.ID
		}
	}
}

// OnFenced takes the answer to Fence. OK is the only end; everything else but a refusal is asked again.
func (r *Recovery) OnFenced(now protocol.Time, ev protocol.Fenced, out *protocol.Effects) {
	id, ok := r.fences.Take(ev.Op)
	if !ok {
		return
	}
	switch ev.Outcome {
	case protocol.OK:
		out.Append(protocol.Note{Kind: protocol.NoteFenced, Detail: string(id)})
	case protocol.Denied:
		r.denied = id
	default:
		r.fences.Add("back-off of "+string(id), now.Add(r.cfg.RetryDelay), id)
	}
	r.proceed(now, out)
}

// OnDeadline sends again what was not answered in time, and what has paused.
func (r *Recovery) OnDeadline(now protocol.Time, out *protocol.Effects) {
	r.sealing.OnDeadline(now, out)
	r.fences.Woken()
	for id, ok := r.fences.Expired(now); ok; id, ok = r.fences.Expired(now) {
		r.fence(now, id, out)
	}
}

// Arm sets the timers; call it at the end of a step.
func (r *Recovery) Arm(out *protocol.Effects) {
	r.sealing.Arm(out)
	r.fences.Arm(out)
}

// Pending appends what is waited for.
func (r *Recovery) Pending(list []protocol.Wait) []protocol.Wait {
	return r.fences.Append(r.sealing.Pending(list))
}

// Done reports whether all four barriers are passed.
func (r *Recovery) Done() bool { return r.phase == recoveryDone }

// Denied is an id that the broker refuses to touch, or "": then nothing is known and nothing may start.
func (r *Recovery) Denied() protocol.TransactionalID { return r.denied }

// Judged is every verdict.
func (r *Recovery) Judged() []Judged { return r.judged }
