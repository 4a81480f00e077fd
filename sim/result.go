package sim

import (
	"fmt"
	"strings"

	"weir/faults"
	"weir/protocol"
)

// Failure says how a run failed.
type Failure struct {
	Class string // invariant, stuck, verdict or panic; a shrink keeps class and name
	Name  string // of the invariant or verdict
	Text  string
	At    protocol.Time
	Step  uint64
	Phase faults.Phase
}

// Error is the failure as one text.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s %s at %d ms, step %d, phase %v: %s", f.Class, f.Name, int64(f.At)/1_000_000, f.Step, f.Phase, f.Text)
}

// Fired is a fault that struck; whether it changed anything is what the counts say.
type Fired struct {
	ID    faults.ID
	At    protocol.Time
	Phase faults.Phase
}

// String is the fault with its time and phase.
func (f Fired) String() string {
	return fmt.Sprintf("%v @ %d ms in %v", f.ID, int64(f.At)/1_000_000, f.Phase)
}

// NoteCount is how often machines left a note.
type NoteCount struct {
	Kind  protocol.NoteKind
	Count uint64
}

// Targets counts the faults that met a run where it matters most.
type Targets struct {
	// Window is the crashes, pauses and lost replies between the first prepared transaction of a checkpoint and its seal.
	Window int
	// Unknown is the EndTxns, writes of HEAD and flushes that ended Unknown for a machine that was there to hear of it.
	Unknown int
}

// Result is what a run came to.
type Result struct {
	Seed      uint64
	Digest    uint64
	Steps     uint64
	Horizon   protocol.Duration // of the safety phase
	Virtual   protocol.Duration // from the start to the end
	Honest    protocol.Duration // the part in which a checkpoint of each job sealed at least once per 3 intervals
	Settled   protocol.Duration // from the end of the last job, or the last seal, until readers were held up by nothing
	Sealed    int               // checkpoints
	Faults    faults.Counts
	Targets   Targets
	Sometimes Sometimes
	Fired     []Fired        // in the order of time; their IDs replay the run by Config.Only
	Plan      faults.Plan    // with Config.Plan or Record: the faults that struck, explicit
	Missed    []faults.Fault // of Config.Plan: those that did not strike
	Notes     []NoteCount    // in the order of first appearance
	Verdict   protocol.Verdict
	// SaidLost is with Config.Undefended: the job ended LOST, and rightly so. What it wrote is not judged.
	SaidLost bool
	Crashed  int      // how many of Config.CrashAt were places of this run
	Failure  *Failure // nil: the run passed, as far as the world can see; the history is the checker's
	History  History
	Ring     []string // with a failure: the newest events and effects
}

// Passed reports whether nothing failed.
func (r Result) Passed() bool { return r.Failure == nil }

// Note is how often a note was left.
func (r Result) Note(kind protocol.NoteKind) uint64 {
	for _, n := range r.Notes {
		if n.Kind == kind {
			return n.Count
		}
	}
	return 0
}

// String is the result in a few lines.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %#x digest %016x: %d steps, %d ms of virtual time, %d sealed, %d faults", r.Seed, r.Digest, r.Steps, int64(r.Virtual)/1_000_000, r.Sealed, r.Faults.Total())
	if r.Failure != nil {
		fmt.Fprintf(&b, "\nFAIL %v", r.Failure)
	}
	return b.String()
}

func (w *World) result() Result {
	r := Result{
		Seed: w.cfg.Seed, Digest: w.digest.h, Steps: w.steps, Horizon: w.cfg.Limits.Horizon, Virtual: w.now.Sub(epochStart), Honest: w.job.honest, Settled: w.settled,
		Faults: w.counts, Targets: w.targets, Sometimes: w.sometimes, Fired: w.fired, Notes: w.notes.list, Verdict: w.verdict, SaidLost: w.saidLost, Crashed: w.crashed, Failure: w.failure, History: w.history,
	}
	w.book.result(&r)
	for _, j := range w.jobs {
		r.Sealed += j.sealed
		r.Honest = min(r.Honest, j.honest)
	}
	if w.failure != nil {
		r.Ring = w.trace.lines()
	}
	return r
}
