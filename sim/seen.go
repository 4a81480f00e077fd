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
	Name string // of What, as plans say it
	// Text is all of What in one line, and the same in another run that goes the same way.
	Text string
}

func (w *World) seen(m mark) Seen {
	s := Seen{At: m.at.Sub(epochStart), Step: m.step, What: m.what}
	switch v := m.what.(type) {
	case faults.ID:
		s.Name = v.String()
	case string:
		s.Name = v
	case protocol.Event:
		s.Who, s.Text = w.addressName(m.addr), m.text()
		s.Name = w.eventName(w.node(m.addr.Node).job, v)
	case protocol.Effect:
		s.Who, s.Text = w.addressName(m.addr), m.text()
		s.Name = w.effectName(w.node(m.addr.Node).job, v)
	}
	return s
}
