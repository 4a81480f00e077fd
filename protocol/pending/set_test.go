package pending

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
)

// timerModel is a driver's timer, set by Wake.
type timerModel struct{ at protocol.Time }

func (m *timerModel) take(out *protocol.Effects) {
	for _, ef := range out.All() {
		m.at = ef.(protocol.Wake).At
	}
	out.Reset()
}

func TestIDsFindTheirSet(t *testing.T) {
	a, b := New[string](3, 1), New[string](255, 2)
	for range 3 {
		if op := a.Add("", 1, ""); Tag(op) != 3 {
			t.Fatalf("tag of %x is %d", op, Tag(op))
		}
		if op := b.Add("", 1, ""); Tag(op) != 255 {
			t.Fatalf("tag of %x is %d", op, Tag(op))
		}
	}
}

// TestAnEntryEndsOnce: by Take, by Expired or by Drop; what comes afterwards finds nothing.
func TestAnEntryEndsOnce(t *testing.T) {
	s := New[string](1, 1)
	taken, expired, dropped := s.Add("", 10, "taken"), s.Add("", 20, "expired"), s.Add("", 30, "dropped")
	if work, ok := s.Take(taken); !ok || work != "taken" {
		t.Fatalf("took %q, %v", work, ok)
	}
	if work, ok := s.Expired(20); !ok || work != "expired" {
		t.Fatalf("expired: %q, %v", work, ok)
	}
	if work, ok := s.Expired(29); ok {
		t.Fatalf("%q expired before its deadline", work)
	}
	s.Drop(func(w string) bool { return w == "dropped" })
	for _, op := range []protocol.OpID{taken, expired, dropped} {
		if work, ok := s.Take(op); ok {
			t.Fatalf("%q ended twice", work)
		}
	}
	if s.Len() != 0 {
		t.Fatalf("%d entries left", s.Len())
	}
}

type want struct {
	op       protocol.OpID
	deadline protocol.Time
}

// TestTimerIsNeverLate holds a set against a list: whatever is added and ended, the timer is set no later than the
// earliest deadline after every step, and every entry expires when the timer fires at or after its deadline.
func TestTimerIsNeverLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New[protocol.Time](7, 4)
		var model []want
		var timer timerModel
		out := &protocol.Effects{}
		now := protocol.Time(1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += protocol.Time(rapid.IntRange(1, 5).Draw(t, "dt"))
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1:
				d := now + protocol.Time(rapid.IntRange(1, 20).Draw(t, "deadline"))
				model = append(model, want{s.Add("x", d, d), d})
			case 2:
				if len(model) > 0 {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
					if d, ok := s.Take(model[i].op); !ok || d != model[i].deadline {
						t.Fatalf("took %d, %v; want %d", d, ok, model[i].deadline)
					}
					model = slices.Delete(model, i, i+1)
				}
			case 3:
				limit := now + 5
				s.Drop(func(d protocol.Time) bool { return d > limit })
				model = slices.DeleteFunc(model, func(w want) bool { return w.deadline > limit })
			}
			if timer.at != 0 && timer.at <= now {
				timer.at = 0
				s.Woken()
				model = expire(t, &s, model, now)
			}
			s.Arm(out)
			timer.take(out)
			check(t, &s, model, timer)
		}
	})
}

func expire(t *rapid.T, s *Set[protocol.Time], model []want, now protocol.Time) []want {
	for d, ok := s.Expired(now); ok; d, ok = s.Expired(now) {
		i := slices.IndexFunc(model, func(w want) bool { return w.deadline <= now })
		if i < 0 || model[i].deadline != d {
			t.Fatalf("expired %d at %d, model %v", d, now, model)
		}
		model = slices.Delete(model, i, i+1)
	}
	return model
}

func check(t *rapid.T, s *Set[protocol.Time], model []want, timer timerModel) {
	if s.Len() != len(model) {
		t.Fatalf("%d entries, want %d", s.Len(), len(model))
	}
	waits := s.Append(nil)
	for i, w := range model {
		if waits[i].Op != w.op || waits[i].Deadline != w.deadline {
			t.Fatalf("entry %d is %+v, want %+v", i, waits[i], w)
		}
		if timer.at == 0 || timer.at > w.deadline {
			t.Fatalf("the timer is set to %d, an entry's deadline is %d", timer.at, w.deadline)
		}
		if !s.Any(func(d protocol.Time) bool { return d == w.deadline }) {
			t.Fatalf("no entry has deadline %d", w.deadline)
		}
	}
}
