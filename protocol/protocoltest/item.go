package protocoltest

import (
	"slices"

	"weir/protocol"
)

// Item is something on its way to a machine: the answer to an effect that a service performs, a message, a frame,
// credit, a Resumed, or an event of the driver's own.
type Item struct {
	From   *Machine        // who asked
	Effect protocol.Effect // what for; nil: Event is given as it is
	Event  protocol.Event
	asked  protocol.Time
}

// How says how an item is delivered. The zero How: as a perfect device does.
type How struct {
	Outcome protocol.Outcome // reported in place of the device's; zero: the device's
	NotDone bool             // the effect does not take place
	Silent  bool             // its outcome is not reported; a message or a frame is lost
	Keep    bool             // the item stays on its way: it is delivered twice
}

// idle is how long a Fetch that finds nothing waits before it answers so.
const idle = 500 * protocol.Millisecond

func (w *World) send(m *Machine, ef protocol.Effect) {
	w.items = append(w.items, &Item{From: m, Effect: ef, asked: w.now})
}

func (w *World) give(m *Machine, ev protocol.Event) {
	w.items = append(w.items, &Item{From: m, Event: ev, asked: w.now})
}

// dies reports whether it cannot happen any more because m has died.
func (it *Item) dies(w *World, m *Machine) bool {
	switch it.Effect.(type) {
	case nil, protocol.Resume:
		return it.From == m
	case protocol.Send, protocol.Grant:
		return it.From == m || w.To(it) == m
	}
	return false
}

// To is the machine that it is for; nil: nobody lives there. A frame goes to the receiver of the sender's attempt.
func (w *World) To(it *Item) *Machine {
	switch ef := it.Effect.(type) {
	case protocol.Tell:
		return w.At(ef.To)
	case protocol.Send:
		return w.task(it.From.Scope, it.From.nodes, w.Plan.Channel(ef.Channel).To)
	case protocol.Grant:
		return w.task(it.From.Scope, it.From.nodes, w.Plan.Channel(ef.Channel).From)
	}
	return it.From
}

// Ready reports whether it can be delivered now.
func (w *World) Ready(it *Item) bool {
	switch ef := it.Effect.(type) {
	case protocol.Send:
		return (w.To(it) != nil || w.wasted(it.From, w.Plan.Channel(ef.Channel).To)) && !w.behind(it, func(o protocol.Effect) bool {
			s, ok := o.(protocol.Send)
			return ok && s.Channel == ef.Channel
		})
	case protocol.Grant:
		return w.To(it) != nil || w.wasted(it.From, w.Plan.Channel(ef.Channel).From)
	case protocol.Flush:
		return !w.behind(it, func(o protocol.Effect) bool {
			p, ok := o.(protocol.Produce)
			return ok && p.ID == ef.ID
		})
	case protocol.Fetch:
		return it.From.dead || w.now >= it.asked.Add(idle) || w.Log.readable(ef)
	}
	return true
}

// wasted reports whether what m sends to a task reaches nobody: it lived in this attempt and lives no more.
func (w *World) wasted(m *Machine, t protocol.TaskID) bool {
	return slices.ContainsFunc(w.gone, func(l life) bool { return l.task == t && l.scope.SameAttempt(m.Scope) })
}

// behind reports whether the same machine has something on its way that must come before it.
func (w *World) behind(it *Item, first func(protocol.Effect) bool) bool {
	for _, o := range w.items {
		if o == it {
			return false
		}
		if o.From == it.From && o.Effect != nil && first(o.Effect) {
			return true
		}
	}
	return false
}

// Deliver ends an item: the effect takes place, and the machine it is for, if it lives, is stepped with the event.
func (w *World) Deliver(it *Item, how How) {
	to := w.To(it)
	if !how.Keep {
		w.items = slices.DeleteFunc(w.items, func(o *Item) bool { return o == it })
	}
	ev := it.Event
	if it.Effect != nil {
		ev = w.answer(it, how)
	}
	if to == nil || to.dead || how.Silent {
		w.waste(ev)
		return
	}
	w.Step(to, ev)
}

// waste gives back the batch of an event that reaches nobody.
func (w *World) waste(ev protocol.Event) {
	switch ev := ev.(type) {
	case protocol.Received:
		if d, ok := ev.Frame.(protocol.Data); ok {
			w.pool.Put(d.Batch)
		}
	case protocol.Fetched:
		if ev.Batch != nil {
			w.pool.Put(ev.Batch)
		}
	}
}

// answer performs the effect and makes the event.
func (w *World) answer(it *Item, how How) protocol.Event {
	switch ef := it.Effect.(type) {
	case protocol.Resume:
		return protocol.Resumed{}
	case protocol.Send:
		return protocol.Received{Channel: ef.Channel, Frame: ef.Frame}
	case protocol.Grant:
		return protocol.Granted{Channel: ef.Channel, N: ef.N}
	case protocol.Tell:
		return protocol.Told{From: it.From.Self, Message: ef.Message}
	case protocol.Store, protocol.Load, protocol.Delete:
		return reported(w.Bucket.Perform(ef, !how.NotDone), how.Outcome)
	}
	return reported(w.Log.Perform(it.Effect, !how.NotDone, w.pool), how.Outcome)
}

// reported puts another outcome in the place of the device's; what only OK brings is left out.
func reported(ev protocol.Event, o protocol.Outcome) protocol.Event {
	if o == 0 {
		return ev
	}
	switch ev := ev.(type) {
	case protocol.Stored:
		return protocol.Stored{Op: ev.Op, Outcome: o, Size: ev.Size, Sum: ev.Sum}
	case protocol.Loaded:
		return protocol.Loaded{Op: ev.Op, Outcome: o}
	case protocol.Deleted:
		return protocol.Deleted{Op: ev.Op, Outcome: o}
	case protocol.Surveyed:
		return protocol.Surveyed{Op: ev.Op, Outcome: o}
	case protocol.Fetched:
		return protocol.Fetched{Op: ev.Op, Outcome: o, Batch: ev.Batch}
	case protocol.Opened:
		return protocol.Opened{Op: ev.Op, ID: ev.ID, Outcome: o}
	case protocol.Produced:
		return protocol.Produced{ID: ev.ID, Seq: ev.Seq, Outcome: o}
	case protocol.Flushed:
		return protocol.Flushed{Op: ev.Op, ID: ev.ID, Outcome: o}
	case protocol.Ended:
		return protocol.Ended{Op: ev.Op, ID: ev.ID, Outcome: o}
	case protocol.LedgerRead:
		return protocol.LedgerRead{Op: ev.Op, Outcome: o}
	case protocol.Fenced:
		return protocol.Fenced{Op: ev.Op, ID: ev.ID, Outcome: o}
	case protocol.Erased:
		return protocol.Erased{Op: ev.Op, Outcome: o}
	case protocol.TxnsListed:
		return protocol.TxnsListed{Op: ev.Op, Outcome: o}
	}
	return ev
}
