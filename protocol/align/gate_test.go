package align

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
)

var fanIns = []int{1, 2, 64, 65, 1024}

func arrive(t *testing.T, g *Gate, in int, id protocol.CheckpointID, want Verdict, abandoned protocol.CheckpointID) {
	t.Helper()
	if v, a := g.Arrive(in, id); v != want || a != abandoned {
		t.Fatalf("barrier %d on input %d: %v, abandons %d; want %v, abandons %d", id, in, v, a, want, abandoned)
	}
}

func eachFanIn(t *testing.T, f func(t *testing.T, n int)) {
	t.Helper()
	for _, n := range fanIns {
		t.Run(fmt.Sprint(n), func(t *testing.T) { f(t, n) })
	}
}

// bring brings id on inputs from to to-1, of which none is the last that owes.
func bring(t *testing.T, g *Gate, from, to int, id protocol.CheckpointID) {
	t.Helper()
	for in := from; in < to; in++ {
		arrive(t, g, in, id, Wait, 0)
	}
}

func blocked(g *Gate) (n int) {
	for in := range g.inputs {
		if g.Blocked(in) {
			n++
		}
	}
	return n
}

func TestAligned(t *testing.T) {
	eachFanIn(t, func(t *testing.T, n int) {
		g := New(n)
		for id := protocol.CheckpointID(1); id <= 3; id++ {
			bring(t, g, 0, n-1, id)
			if got := blocked(g); got != n-1 {
				t.Fatalf("%d inputs are blocked, want %d", got, n-1)
			}
			arrive(t, g, n-1, id, Aligned, 0)
			if blocked(g) != 0 || g.Current() != 0 {
				t.Fatalf("after alignment %d inputs are blocked, current is %d", blocked(g), g.Current())
			}
		}
	})
}

func TestEndedInputsOweNothing(t *testing.T) {
	eachFanIn(t, func(t *testing.T, n int) {
		g := New(n)
		for in := range n - 1 {
			if v := g.End(in); v != Wait {
				t.Fatalf("end of input %d with nothing collected: %v", in, v)
			}
		}
		arrive(t, g, n-1, 5, Aligned, 0)
		if g.Ended() {
			t.Fatal("one input is left")
		}
		g.End(n - 1)
		if !g.Ended() {
			t.Fatal("all inputs have ended")
		}
	})
}

func TestEndOfTheLastThatOwes(t *testing.T) {
	eachFanIn(t, func(t *testing.T, n int) {
		if n == 1 {
			return
		}
		g := New(n)
		bring(t, g, 0, n-1, 5)
		if v := g.End(n - 1); v != Aligned {
			t.Fatalf("the last input that owed has ended: %v", v)
		}
		if blocked(g) != 0 {
			t.Fatal("the gate did not open")
		}
		bring(t, g, 0, n-2, 6)
		arrive(t, g, n-2, 6, Aligned, 0)
	})
}

func TestSuperseded(t *testing.T) {
	eachFanIn(t, func(t *testing.T, n int) {
		if n == 1 {
			return
		}
		g := New(n)
		bring(t, g, 0, n-1, 5)
		arrive(t, g, n-1, 7, Wait, 5)
		if blocked(g) != 1 || !g.Blocked(n-1) {
			t.Fatalf("%d inputs are blocked, want the one that brought 7", blocked(g))
		}
		bring(t, g, 0, n-2, 7)
		arrive(t, g, n-2, 7, Aligned, 0)
	})
}

func TestStale(t *testing.T) {
	eachFanIn(t, func(t *testing.T, n int) {
		g := New(n)
		bring(t, g, 0, n-1, 5)
		arrive(t, g, n-1, 5, Aligned, 0)
		arrive(t, g, 0, 5, Stale, 0) // aligned
		arrive(t, g, 0, 0, Stale, 0)
		g.Cancel(8)
		arrive(t, g, 0, 8, Stale, 0) // cancelled before any barrier of it came
		if n == 1 {
			return
		}
		arrive(t, g, 0, 9, Wait, 0)
		arrive(t, g, 1, 8, Stale, 0) // below the one that is collected
		if g.Current() != 9 || blocked(g) != 1 {
			t.Fatalf("a stale barrier changed the gate: current %d, %d blocked", g.Current(), blocked(g))
		}
	})
}

func TestCancel(t *testing.T) {
	eachFanIn(t, func(t *testing.T, n int) {
		if n == 1 {
			return
		}
		g := New(n)
		bring(t, g, 0, n-1, 5)
		if g.Cancel(4) {
			t.Fatal("4 is not what is collected")
		}
		if !g.Cancel(6) || blocked(g) != 0 || g.Current() != 0 {
			t.Fatal("a cancel of 6 gives up 5")
		}
		arrive(t, g, n-1, 5, Stale, 0)
		arrive(t, g, n-1, 6, Stale, 0)
		bring(t, g, 0, n-1, 7)
		arrive(t, g, n-1, 7, Aligned, 0)
	})
}

// naive is the gate in the words of its documentation: sets of inputs.
type naive struct {
	inputs         int
	brought, ended map[int]bool
	current, over  protocol.CheckpointID
}

func (m *naive) settle() Verdict {
	for in := range m.inputs {
		if !m.brought[in] && !m.ended[in] {
			return Wait
		}
	}
	m.over, m.current, m.brought = max(m.over, m.current), 0, map[int]bool{}
	return Aligned
}

func (m *naive) arrive(in int, id protocol.CheckpointID) (Verdict, protocol.CheckpointID) {
	var abandoned protocol.CheckpointID
	switch {
	case id <= m.over || id < m.current:
		return Stale, 0
	case id > m.current:
		abandoned, m.over = m.current, max(m.over, m.current)
		m.current, m.brought = id, map[int]bool{}
	}
	m.brought[in] = true
	return m.settle(), abandoned
}

func (m *naive) end(in int) Verdict {
	m.ended[in] = true
	if m.current == 0 {
		return Wait
	}
	return m.settle()
}

func (m *naive) cancel(id protocol.CheckpointID) bool {
	m.over = max(m.over, id)
	if m.current == 0 || m.current > id {
		return false
	}
	m.current, m.brought = 0, map[int]bool{}
	return true
}

func TestAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 3, 63, 64, 65, 130}).Draw(t, "inputs")
		g, m := New(n), &naive{inputs: n, brought: map[int]bool{}, ended: map[int]bool{}}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			in := rapid.IntRange(0, n-1).Draw(t, "input")
			id := m.over + protocol.CheckpointID(rapid.IntRange(0, 3).Draw(t, "id"))
			free := !m.brought[in] && !m.ended[in]
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
			case what < 7 && free:
				// The same barrier comes on all inputs sooner or later; most draws bring the one that is collected.
				if m.current != 0 && what < 5 {
					id = m.current
				}
				v, a := g.Arrive(in, id)
				if wantV, wantA := m.arrive(in, id); v != wantV || a != wantA {
					t.Fatalf("barrier %d on %d: %v %d, want %v %d", id, in, v, a, wantV, wantA)
				}
			case what == 7 && free:
				if v, want := g.End(in), m.end(in); v != want {
					t.Fatalf("end of %d: %v, want %v", in, v, want)
				}
			case what == 8:
				if c, want := g.Cancel(id), m.cancel(id); c != want {
					t.Fatalf("cancel of %d: %v, want %v", id, c, want)
				}
			}
			compare(t, g, m)
		}
	})
}

func compare(t *rapid.T, g *Gate, m *naive) {
	if g.Current() != m.current || g.Ended() != (len(m.ended) == m.inputs) {
		t.Fatalf("current %d, want %d; ended %v, want %v", g.Current(), m.current, g.Ended(), len(m.ended) == m.inputs)
	}
	for in := range m.inputs {
		if g.Blocked(in) != m.brought[in] {
			t.Fatalf("input %d is blocked: %v, want %v", in, g.Blocked(in), m.brought[in])
		}
	}
}
