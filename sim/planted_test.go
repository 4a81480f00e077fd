package sim

import (
	"slices"
	"testing"

	"weir/protocol"
)

// rewritten is a machine whose effects pass through f.
func rewritten(f func(protocol.Effect) protocol.Effect) func(protocol.Machine) protocol.Machine {
	return func(m protocol.Machine) protocol.Machine {
		return crooked{Machine: m, step: func(next protocol.Machine, now protocol.Time, ev protocol.Event, out *protocol.Effects) {
			var own protocol.Effects
			next.Step(now, ev, &own)
			for _, ef := range own.All() {
				out.Append(f(ef))
			}
		}}
	}
}

// acks changes the snapshots that tasks hand in.
func acks(f func(*protocol.Snapshot)) func(protocol.Machine) protocol.Machine {
	return rewritten(func(ef protocol.Effect) protocol.Effect {
		t, ok := ef.(protocol.Tell)
		if a, isAck := t.Message.(protocol.Ack); ok && isAck {
			f(&a.Snapshot)
			t.Message = a
			return t
		}
		return ef
	})
}

// restores changes what tasks are told to restore.
func restores(f func(*protocol.Snapshot)) func(protocol.Machine) protocol.Machine {
	return rewritten(func(ef protocol.Effect) protocol.Effect {
		t, ok := ef.(protocol.Tell)
		if s, isStart := t.Message.(protocol.Start); ok && isStart {
			s.Tasks = slices.Clone(s.Tasks)
			for i := range s.Tasks {
				f(&s.Tasks[i].Snapshot)
			}
			t.Message = s
			return t
		}
		return ef
	})
}

// lies makes the log's device answer some effects by itself.
func lies(answer func(protocol.Effect) protocol.Event) func(*Services, Env) {
	return func(s *Services, e Env) {
		s.Clients[0].Log = device{s.Clients[0].Log, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
			if ev := answer(ef); ev != nil {
				e.Net.After(protocol.Millisecond, func() { done(ev) })
				return
			}
			next.Perform(from, ef, done)
		}}
	}
}

// commitsEarly commits a transaction as soon as it is flushed, before anything is decided.
func commitsEarly(s *Services, _ Env) {
	slots := map[protocol.TransactionalID]protocol.Opened{}
	s.Clients[0].Log = device{s.Clients[0].Log, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
		switch ef := ef.(type) {
		case protocol.OpenSlot:
			next.Perform(from, ef, func(ev protocol.Event) { slots[ef.ID] = ev.(protocol.Opened); done(ev) })
		case protocol.Flush:
			next.Perform(from, ef, func(ev protocol.Event) {
				o := slots[ef.ID]
				next.Perform(from, protocol.EndTxn{ID: ef.ID, Producer: o.Producer, Version: o.Version, Commit: true}, func(protocol.Event) {})
				done(ev)
			})
		default:
			next.Perform(from, ef, done)
		}
	}}
}

// Bugs in the protocol must be found in the runs of a few seeds, by one check or another. The log says which and when.
func TestPlantedBugs(t *testing.T) {
	ends := 0
	for _, bug := range []struct {
		name string
		bend bend
	}{
		{"a source acks one offset too many", bend{task: acks(func(s *protocol.Snapshot) {
			s.Positions = slices.Clone(s.Positions)
			for i := range s.Positions {
				s.Positions[i].Next++
			}
		})}},
		{"offsets are not restored", bend{coordinator: restores(func(s *protocol.Snapshot) { s.Positions = nil })}},
		{"the newest run is not restored", bend{coordinator: restores(func(s *protocol.Snapshot) { s.Runs = s.Runs[:max(0, len(s.Runs)-1)] })}},
		{"every third EndTxn is answered and not done", bend{services: lies(func(ef protocol.Effect) protocol.Event {
			e, ok := ef.(protocol.EndTxn)
			if ends++; !ok || ends%3 != 0 {
				return nil
			}
			return protocol.Ended{Op: e.Op, ID: e.ID, Outcome: protocol.OK}
		})}},
		{"nothing is fenced", bend{services: lies(func(ef protocol.Effect) protocol.Event {
			if f, ok := ef.(protocol.Fence); ok {
				return protocol.Fenced{Op: f.Op, ID: f.ID, Outcome: protocol.OK}
			}
			return nil
		})}},
		{"transactions commit before the decision", bend{services: commitsEarly}},
	} {
		if name, seed := found(bug.bend, 600); name == "nothing" {
			t.Errorf("%s: 600 seeds passed", bug.name)
		} else {
			t.Logf("%s: seed %d, by %s", bug.name, seed, name)
		}
	}
}
