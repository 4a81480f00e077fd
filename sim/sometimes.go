package sim

import (
	"strings"

	"weir/faults"
	"weir/protocol"
)

// Rare is a state that a sweep must reach now and then, or it has not tried what it claims to have tried.
type Rare uint8

// The rare states.
const (
	RareSuperseded       Rare = iota // a barrier came while an older checkpoint's alignment was under way
	RareCancelled                    // an abort came while a task aligned
	RareStaleBarrier                 // a barrier came of a checkpoint that its receiver had given up
	RareTimedOut                     // a checkpoint was not acked in time
	RareForeign                      // a message of another life was ignored
	RareHeld                         // the pool was so nearly empty that a trigger was held back
	RareSlotAbandoned                // an id was given up for an attempt
	RareReborn                       // a worker came back and did not join its old attempt
	RareTookOver                     // a coordinator took the office over
	RareDeposed                      // a coordinator found that another one has the office
	RareHeadWon                      // a write of HEAD with unknown outcome had been applied
	RareHeadRepeated                 // one had not been seen to be, and was sent again
	RareHeadLate                     // a write of HEAD took effect when its sender no longer waited
	RareHeadBehindDeath              // a write of HEAD took effect when its sender was dead
	RareHeadRefused                  // a write of HEAD was refused: another one, or its own double, was first
	RareTakeOverBetween              // an attempt was claimed between a manifest's write and the decision
	RareCommitApplied                // a commit with unknown outcome had been applied
	RareCommitMissing                // one had not, at that time
	RareCommitLate                   // a commit took effect when its sender no longer waited
	RareCommitBehind                 // an EndTxn of an ended attempt reached a producer that had been fenced
	RareAskedLedger                  // an answer to a commit meant neither: the ledger had to say
	RareRecommitted                  // recovery committed what was decided before
	RareJudged                       // recovery found a decided transaction committed
	RareStray                        // a stray transaction of an ended attempt was fenced
	RareZombieOpened                 // a task opened a slot behind its successor's start
	RareZombieProduced               // a task produced behind its successor's start
	RareZombieTold                   // a task told the coordinator something behind its successor's start
	RareTwiceAborted                 // two checkpoints in a row were aborted, then a process crashed
	RareCrashDecided                 // a process crashed between a decision and the seal
	RareCrashRecovering              // a coordinator crashed during recovery
	RareRestoreUploading             // a task was restored while an upload of an ended attempt was under way
	RareOverAge                      // something was given up at its deadline
	RareConsolidated                 // a task merged its runs
	RareRecalled                     // a copy on a local disk took the place of an object
	RareSpoilt                       // a copy was there and was not what was written
	RareSaidLost                     // a job ended LOST, of a transaction that a late double had taken over
	Rares                            // their number
)

// String is the state in words.
func (r Rare) String() string {
	names := [Rares]string{
		"alignment superseded", "alignment cancelled by an abort", "stale barrier", "checkpoint timed out",
		"message of another life ignored", "trigger held back by a nearly empty pool", "slot abandoned", "worker reborn",
		"office taken over", "office lost", "unknown head write found won", "unknown head write repeated",
		"head write took effect late", "head write took effect behind its sender's death", "head write came second",
		"attempt claimed between manifest and decision", "unknown commit was applied", "unknown commit was not applied",
		"commit took effect late", "late EndTxn met a fenced producer", "commit asked the ledger", "recovery committed",
		"recovery found it committed", "stray transaction fenced", "zombie opened a slot", "zombie produced",
		"zombie told the coordinator", "two aborts, then a crash", "crash between decision and seal",
		"coordinator crashed in recovery", "restored while an old upload was under way", "deadline passed", "runs consolidated",
		"run recalled from disk", "spoilt copy refused", "lost, and said so",
	}
	return names[r]
}

// Sometimes counts how often each rare state was reached.
type Sometimes [Rares]uint64

// Add adds another run's.
func (s *Sometimes) Add(o *Sometimes) {
	for r := range s {
		s[r] += o[r]
	}
}

func (w *World) saw(r Rare) { w.sometimes[r]++ }

// rareOf is the rare state that a note tells of.
func rareOf(kind protocol.NoteKind) (Rare, bool) {
	switch kind {
	case protocol.NoteSuperseded:
		return RareSuperseded, true
	case protocol.NoteCancelled:
		return RareCancelled, true
	case protocol.NoteStaleBarrier:
		return RareStaleBarrier, true
	case protocol.NoteTimedOut:
		return RareTimedOut, true
	case protocol.NoteForeign:
		return RareForeign, true
	case protocol.NoteHeld:
		return RareHeld, true
	case protocol.NoteSlotAbandoned:
		return RareSlotAbandoned, true
	case protocol.NoteWorkerReborn:
		return RareReborn, true
	case protocol.NoteTookOver:
		return RareTookOver, true
	case protocol.NoteDeposed:
		return RareDeposed, true
	case protocol.NoteHeadWon:
		return RareHeadWon, true
	case protocol.NoteHeadRepeated:
		return RareHeadRepeated, true
	case protocol.NoteCommitAsk:
		return RareAskedLedger, true
	case protocol.NoteRecommitted:
		return RareRecommitted, true
	case protocol.NoteJudged:
		return RareJudged, true
	case protocol.NoteStrayFenced:
		return RareStray, true
	case protocol.NoteDeadline:
		return RareOverAge, true
	case protocol.NoteConsolidated:
		return RareConsolidated, true
	case protocol.NoteRecalled:
		return RareRecalled, true
	case protocol.NoteSpoilt:
		return RareSpoilt, true
	}
	return 0, false
}

// rareNote learns from a note whether a rare state was reached.
func (w *World) rareNote(m *machine, n protocol.Note) {
	if r, ok := rareOf(n.Kind); ok {
		w.saw(r)
	}
	j := m.proc.node.job
	switch n.Kind {
	case protocol.NoteAborted:
		j.aborts++
	case protocol.NoteDecided:
		j.aborts, j.prepared = 0, false
	case protocol.NoteClaimed:
		if j.prepared {
			w.saw(RareTakeOverBetween)
		}
		j.prepared = false
	case protocol.NoteRestored:
		w.rareRestore(m)
	}
}

// rareRestore looks for uploads of ended attempts that are still under way.
func (w *World) rareRestore(m *machine) {
	for _, c := range w.uploads {
		parts := strings.Split(c.req.Object, "/") // data/<epoch>.<attempt>/<task>/<seq>
		if s, ok := attemptOf(parts[1]); ok && c.node.job == m.proc.node.job && s.Older(m.start.Scope) {
			w.saw(RareRestoreUploading)
			return
		}
	}
}

// rareCrash looks at what a crash cuts.
func (w *World) rareCrash(n *node) {
	j := n.job
	switch {
	case n.proc == nil:
		return
	case j.phase == faults.Decided:
		w.saw(RareCrashDecided)
	case j.phase == faults.Recovering && n.office:
		w.saw(RareCrashRecovering)
	}
	if j.aborts >= 2 {
		w.saw(RareTwiceAborted)
	}
	j.aborts = 0
}

// rareZombie counts what a task does behind its successor's start.
func (w *World) rareZombie(m *machine, r Rare) {
	if m.isTask() && m.start.Scope.Older(m.proc.node.job.scope) {
		w.saw(r)
	}
}

// rareCommit looks at an EndTxn that has reached the broker. Before says that it was committed already.
func (w *World) rareCommit(c *call, before, after bool) {
	if !c.over && c.alive() {
		return
	}
	if s, ok := scopeOf(protocol.TransactionalID(c.req.Object)); ok && s.Older(c.node.job.scope) {
		w.saw(RareCommitBehind)
	}
	if after && !before {
		w.saw(RareCommitLate)
	}
}

// rareHead looks at a write of HEAD that has reached the bucket.
func (w *World) rareHead(c *call, head []byte) {
	j := c.node.job
	changed := len(head) > 0 && (len(j.body) == 0 || &head[0] != &j.body[0])
	j.body = head
	switch {
	case !changed:
		w.saw(RareHeadRefused)
	case !c.alive():
		w.saw(RareHeadBehindDeath)
	case c.over:
		w.saw(RareHeadLate)
	}
}

// rareLost looks at a request whose client gives up.
func (w *World) rareLost(c *call) {
	switch {
	case c.req.Kind != "EndTxn":
	case c.applied:
		w.saw(RareCommitApplied)
	default:
		w.saw(RareCommitMissing)
	}
}
