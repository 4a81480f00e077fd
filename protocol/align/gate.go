package align

import "weir/protocol"

// Verdict is what the arrival of a barrier, or the end of an input, means.
type Verdict uint8

// The verdicts.
const (
	Wait    Verdict = 1 + iota // others still owe the barrier; the input that brought it is blocked
	Aligned                    // all inputs have brought it or ended; none is blocked
	Stale                      // the checkpoint was aligned, cancelled or superseded before; nothing changes
)

// String is the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Wait:
		return "wait"
	case Aligned:
		return "aligned"
	case Stale:
		return "stale"
	}
	return "none"
}

// Gate collects one barrier at a time over a task's inputs.
type Gate struct {
	// Invariant: brought and ended are disjoint; brought is empty unless current is being collected.
	brought, ended bitset
	inputs         int
	// Invariant: current > 0 iff a barrier is being collected; then current > seen.
	current protocol.CheckpointID
	// Invariant: every checkpoint up to seen is over for this gate.
	seen protocol.CheckpointID
}

// New is a gate over inputs 0 to inputs-1.
func New(inputs int) *Gate {
	words := (inputs + 63) / 64
	return &Gate{brought: make(bitset, words), ended: make(bitset, words), inputs: inputs}
}

// Blocked reports whether input in holds its frames back.
func (g *Gate) Blocked(in int) bool { return g.brought.has(in) }

// Current is the checkpoint being collected, or zero.
func (g *Gate) Current() protocol.CheckpointID { return g.current }

// Arrive takes the barrier of checkpoint id at the head of input in, which must not be blocked. A barrier above the
// one being collected supersedes it: its inputs are released, and abandoned names it.
func (g *Gate) Arrive(in int, id protocol.CheckpointID) (v Verdict, abandoned protocol.CheckpointID) {
	protocol.Assert(!g.brought.has(in) && !g.ended.has(in), "a barrier on a blocked or ended input")
	if id <= g.seen || id < g.current {
		return Stale, 0
	}
	if id > g.current {
		abandoned, g.seen = g.current, max(g.seen, g.current)
		g.reset()
		g.current = id
	}
	g.brought.set(in)
	return g.settle(), abandoned
}

// End retires input in: from now on it counts as having brought every barrier.
func (g *Gate) End(in int) Verdict {
	protocol.Assert(!g.brought.has(in), "an end on a blocked input")
	g.ended.set(in)
	if g.current == 0 {
		return Wait
	}
	return g.settle()
}

// Cancel gives up every checkpoint up to id; it reports whether one was being collected.
func (g *Gate) Cancel(id protocol.CheckpointID) bool {
	g.seen = max(g.seen, id)
	if g.current == 0 || g.current > id {
		return false
	}
	g.reset()
	return true
}

// Ended reports whether all inputs have ended.
func (g *Gate) Ended() bool { return g.ended.count() == g.inputs }

// settle opens the gate when nobody owes the current barrier any more.
func (g *Gate) settle() Verdict {
	if g.brought.count()+g.ended.count() < g.inputs {
		return Wait
	}
	g.seen = g.current
	g.reset()
	return Aligned
}

func (g *Gate) reset() {
	g.current = 0
	clear(g.brought)
}
