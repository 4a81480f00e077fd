package checkpoint

import (
	"fmt"
	"slices"

	"weir/protocol"
	"weir/protocol/txn"
)

// Facts is what a coordinator has read before it decides how to begin.
type Facts struct {
	Job       string
	Stages    []StageShape
	KeyGroups int
	Head      *Head     // nil: the bucket has none
	Newest    *Manifest // nil: nothing was decided, or it is not read yet
	Judged    []txn.Judged
}

// Plan says how an attempt begins, or why it must not.
type Plan uint8

// The plans.
const (
	StartFresh        Plan = 1 + iota // nothing was ever decided
	Restore                           // the newest decided checkpoint; nothing of it is left to commit
	CommitThenRestore                 // decided transactions first
	StopFinished                      // the job's input was read to its end and sealed
	StopForeign                       // what is there belongs to another job, or another shape of this one
	StopLost                          // a decided transaction is not in the log
)

// Decision is a plan with what it is about.
type Decision struct {
	Plan   Plan
	Commit []protocol.Committable // above the sealed id
	Reason string
}

// Resolve decides. It is pure: the same facts, the same decision.
func Resolve(f Facts) Decision {
	h := f.Head
	switch {
	case h == nil:
		return Decision{Plan: StartFresh}
	case h.Job != f.Job:
		return Decision{Plan: StopForeign, Reason: fmt.Sprintf("HEAD belongs to job %q, this is job %q: give every job a bucket or prefix of its own", h.Job, f.Job)}
	case h.Finished:
		return Decision{Plan: StopFinished, Reason: "the job's bounded input was read to its end in an earlier run"}
	case f.Newest == nil:
		return Decision{Plan: StartFresh}
	}
	if why := misfit(f); why != "" {
		return Decision{Plan: StopForeign, Reason: why}
	}
	if why := lost(f.Judged); why != "" {
		return Decision{Plan: StopLost, Reason: why}
	}
	var open []protocol.Committable
	for _, c := range f.Newest.Committables() {
		if c.Checkpoint > h.Sealed && len(f.Judged) == 0 {
			open = append(open, c)
		}
	}
	if len(open) > 0 {
		return Decision{Plan: CommitThenRestore, Commit: open}
	}
	return Decision{Plan: Restore}
}

// misfit says why the newest checkpoint cannot be restored into this job, or "".
func misfit(f Facts) string {
	m := f.Newest
	switch {
	case m.Job != f.Job:
		return fmt.Sprintf("checkpoint %d is of job %q, this is job %q", m.Checkpoint, m.Job, f.Job)
	case m.KeyGroups != f.KeyGroups:
		return fmt.Sprintf("checkpoint %d has %d key groups, the configuration %d: the number is fixed for the life of a job", m.Checkpoint, m.KeyGroups, f.KeyGroups)
	case !slices.Equal(m.Stages, f.Stages):
		return fmt.Sprintf("checkpoint %d was taken by stages %v, the job has %v: restore it with the job, and the parallelism, that took it", m.Checkpoint, m.Stages, f.Stages)
	}
	return ""
}

// lost names the first decided transaction that is not in the log, or "".
func lost(judged []txn.Judged) string {
	for _, j := range judged {
		if c := j.Committable; j.Verdict == txn.Absent {
			return fmt.Sprintf("transaction %q of checkpoint %d is decided, but its ledger record is not at offset %d of %s/%d: %d records of sink %q are LOST. "+
				"It was aborted by its timeout (%d ms) or by hand. Nothing was started and nothing else is changed",
				c.ID, c.Checkpoint, c.Ledger.Offset, c.Ledger.Topic, c.Ledger.Partition, c.Count, c.Sink, c.Timeout/protocol.Millisecond)
		}
	}
	return ""
}
