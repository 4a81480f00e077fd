package sim

import (
	"weir/faults"
	"weir/protocol"
)

// CrashPoint is a place in a run: when so many effects of a step have been performed, or all if it has fewer. Steps are
// counted from 1 over all machines and lives of a node.
type CrashPoint struct {
	Node   protocol.NodeID
	Step   uint64
	Effect int
}

// UnknownPoint is a request to a service, counted from 1 over the run, whose outcome shall be Unknown. A Flush counts as
// one; of a Produce every repetition meets the same fate. Zero is none.
type UnknownPoint struct {
	Request uint64
	Way     Way
}

// Way says what becomes of a request whose outcome is Unknown.
type Way uint8

// The ways.
const (
	Lost    Way = iota // it never reaches the service
	Applied            // it is applied, and no reply gets through
	Late               // it is applied when the client has given up
)

// String is the way's name.
func (w Way) String() string { return [...]string{"lost", "applied", "late"}[w] }

// Census is the places of one run.
type Census struct {
	Steps    []StepPlace
	Requests []RequestPlace
}

// StepPlace is one step of a machine.
type StepPlace struct {
	Machine protocol.Address
	Step    uint64 // of its node
	Effects int
	// Checkpoint is the one that is triggered and not sealed before the step or after it, or zero.
	Checkpoint protocol.CheckpointID
	Phase      faults.Phase // after it
}

// RequestPlace is one request to a service.
type RequestPlace struct {
	Node   protocol.NodeID
	Kind   string // the effect
	Object string
	Step   int // how many steps came before it, the one that asks included
}

// countStep records a step.
func (c *Census) countStep(m *machine, effects int, under protocol.CheckpointID) {
	j := m.proc.node.job
	c.Steps = append(c.Steps, StepPlace{m.addr, m.proc.node.steps, effects, max(under, j.underWay()), j.phase})
}

// unknown counts a request and reports whether its outcome shall be Unknown.
func (w *World) unknown(node protocol.NodeID, kind, object string) bool {
	w.requests++
	at := RequestPlace{node, kind, object, int(w.steps)}
	if w.cfg.Census != nil {
		w.cfg.Census.Requests = append(w.cfg.Census.Requests, at)
	}
	if w.requests == w.cfg.UnknownAt.Request {
		w.unheard, w.disturbed = at, true
		return true
	}
	return kind == "Produce" && w.unheard.Kind == kind && w.unheard.Node == node && w.unheard.Object == object
}

// crashesAt reports whether one of an enumeration's crashes is in this step, of so many effects, and where.
func (w *World) crashesAt(m *machine, effects int) (at int, ok bool) {
	for _, p := range w.cfg.CrashAt {
		if p.Node == m.addr.Node && p.Step == m.proc.node.steps {
			w.crashed++
			w.disturbed = true
			return min(p.Effect, effects), true
		}
	}
	return 0, false
}
