package pending

import "weir/protocol"

// Set holds the operations of one part of a machine that have not ended. T says what each is for.
//
// An entry ends by Take, when its outcome arrives, or by Expired, when its deadline has passed. An outcome that comes
// after that, or twice, finds no entry and is not acted on.
type Set[T any] struct {
	// Invariant: ids of one set have its tag in the upper byte, so that outcomes find the set that asked.
	tag   uint8
	timer protocol.TimerID
	next  uint64
	// Invariant: sorted by op, which is the order of asking.
	entries []entry[T]
	armed   protocol.Time // what the timer is set to; zero: not set
}

type entry[T any] struct {
	op       protocol.OpID
	what     string
	deadline protocol.Time
	work     T
}

// New is an empty set; tag and timer are unique within the machine.
func New[T any](tag uint8, timer protocol.TimerID) Set[T] { return Set[T]{tag: tag, timer: timer} }

// Tag is the tag of the set that asked for op.
func Tag(op protocol.OpID) uint8 { return uint8(op >> 56) }

// Add enters work and returns the id for its effect.
func (s *Set[T]) Add(what string, deadline protocol.Time, work T) protocol.OpID {
	s.next++
	op := protocol.OpID(uint64(s.tag)<<56 | s.next)
	s.entries = append(s.entries, entry[T]{op, what, deadline, work})
	return op
}

// Take removes the entry of op; false says that nobody waits for it any more.
func (s *Set[T]) Take(op protocol.OpID) (work T, ok bool) {
	for i := range s.entries {
		if s.entries[i].op == op {
			return s.remove(i), true
		}
	}
	return work, false
}

// Expired removes one entry whose deadline has passed. Call it until it returns false, on Woken.
func (s *Set[T]) Expired(now protocol.Time) (work T, ok bool) {
	for i := range s.entries {
		if s.entries[i].deadline <= now {
			return s.remove(i), true
		}
	}
	return work, false
}

func (s *Set[T]) remove(i int) T {
	work := s.entries[i].work
	s.entries = append(s.entries[:i], s.entries[i+1:]...)
	return work
}

// Woken must be called before Expired when the set's timer has fired.
func (s *Set[T]) Woken() { s.armed = 0 }

// Arm sets the timer to the earliest deadline if it is later or not set. Call it at the end of a step that added.
func (s *Set[T]) Arm(out *protocol.Effects) {
	var first protocol.Time
	for i := range s.entries {
		if d := s.entries[i].deadline; first == 0 || d < first {
			first = d
		}
	}
	if first != 0 && (s.armed == 0 || first < s.armed) {
		s.armed = first
		out.Append(protocol.Wake{Timer: s.timer, At: first})
	}
}

// Len is the number of entries.
func (s *Set[T]) Len() int { return len(s.entries) }

// Any reports whether an entry satisfies f.
func (s *Set[T]) Any(f func(T) bool) bool {
	for i := range s.entries {
		if f(s.entries[i].work) {
			return true
		}
	}
	return false
}

// Append adds what is pending to list, for Machine.Pending.
func (s *Set[T]) Append(list []protocol.Wait) []protocol.Wait {
	for i := range s.entries {
		e := &s.entries[i]
		list = append(list, protocol.Wait{What: e.what, Op: e.op, Deadline: e.deadline})
	}
	return list
}

// Reset drops every entry and forgets the timer. Ids go on, so that an answer to what was dropped finds nothing.
func (s *Set[T]) Reset() {
	clear(s.entries)
	s.entries, s.armed = s.entries[:0], 0
}

// Drop removes every entry that satisfies f: its end came another way.
func (s *Set[T]) Drop(f func(T) bool) {
	kept := s.entries[:0]
	for _, e := range s.entries {
		if !f(e.work) {
			kept = append(kept, e)
		}
	}
	clear(s.entries[len(kept):])
	s.entries = kept
}
