package sim

import (
	"weir/faults"
	"weir/protocol"
)

// Seen is one event, effect or fault of a run, in the order of the run.
type Seen struct {
	At   protocol.Duration // from the start of the run
	Step uint64
	Who  string // the machine, in the words of the job; empty for faults
	// What is a protocol.Event, a protocol.Effect, a faults.ID or a string. It is valid during the call only.
	What any
	// Text is what in one line, and the same in another run that goes the same way.
	Text  string
	Phase faults.Phase
}

func (w *World) seen(m mark) Seen {
	s := Seen{At: m.at.Sub(epochStart), Step: m.step, What: m.what, Phase: w.job.phase}
	switch v := m.what.(type) {
	case faults.ID:
		s.Text = v.String()
	case string:
		s.Text = v
	default:
		s.Who, s.Text = w.addressName(m.addr), m.text()
	}
	return s
}
