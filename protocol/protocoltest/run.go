package protocoltest

import "weir/protocol"

// runaway is how many deliveries without time passing are taken for a loop.
const runaway = 100_000

// Settle delivers what is on its way, oldest first, until nothing can be delivered without time passing.
func (w *World) Settle() {
	for range runaway {
		it := w.first()
		if it == nil {
			return
		}
		how := How{}
		if w.Manner != nil {
			how = w.Manner(it)
		}
		w.Deliver(it, how)
	}
	protocol.Assert(false, "the machines go round in circles without time passing")
}

// first is the oldest item that can be delivered and is not held.
func (w *World) first() *Item {
	for _, it := range w.items {
		if w.Ready(it) && !w.held(w.To(it), it) {
			return it
		}
	}
	return nil
}

func (w *World) held(m *Machine, it *Item) bool { return w.Held != nil && w.Held(m, it) }

// Pass lets time pass up to a moment: timers fire in order, and whatever is due then is delivered if settle says so.
func (w *World) Pass(until protocol.Time, settle bool) {
	for {
		if settle {
			w.Settle()
		}
		m, t := w.nextTimer()
		at := w.nextAnswer(settle)
		switch {
		case m != nil && t.at <= until && (at == 0 || t.at <= at):
			w.now = max(w.now, t.at-1)
			m.set(protocol.Wake{Timer: t.id})
			w.Step(m, protocol.Woken{Timer: t.id})
		case at != 0 && at <= until:
			w.now = max(w.now, at)
		default:
			w.now = max(w.now, until)
			if settle {
				w.Settle()
			}
			return
		}
	}
}

// nextTimer is the one that fires first, among machines that are not held.
func (w *World) nextTimer() (first *Machine, t timer) {
	for _, m := range w.machines {
		for _, x := range m.timers {
			if (first == nil || x.at < t.at) && !w.held(m, nil) {
				first, t = m, x
			}
		}
	}
	return first, t
}

// nextAnswer is when the next Fetch answers that there is nothing; zero: none waits.
func (w *World) nextAnswer(settle bool) (at protocol.Time) {
	for _, it := range w.items {
		if _, ok := it.Effect.(protocol.Fetch); !ok || !settle || w.Ready(it) || w.held(it.From, it) {
			continue
		}
		if due := it.asked.Add(idle); at == 0 || due < at {
			at = due
		}
	}
	return at
}
