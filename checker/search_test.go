package checker

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// tinyFolds have few different values, so that many orders look alike.
var tinyFolds = []struct {
	order Order
	apply func(state []byte, in *Input) (next, value []byte)
}{
	{Alike, func(s []byte, _ *Input) (next, value []byte) { v := append(bytes.Clone(s), 'x'); return v, v }},
	{OrderFree, func(s []byte, in *Input) (next, value []byte) { v := []byte{first(s) + in.Value[0]}; return v, v }},
	{OrderFree, func(s []byte, in *Input) (next, value []byte) { v := []byte{max(first(s), in.Value[0])}; return v, v }},
	{OrderMatters, func(s []byte, in *Input) (next, value []byte) {
		v := []byte{(2*first(s) + in.Value[0]) % 5}
		return v, v
	}},
	{OrderMatters, func(s []byte, in *Input) (next, value []byte) { v := append(bytes.Clone(s), in.Value[0]); return v, v }},
	{OrderMatters, func(s []byte, in *Input) (next, value []byte) {
		v := append(bytes.Clone(s), in.Value[0])
		return v, v[len(v)-1:]
	}},
}

func first(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// drawPuzzle makes one key's inputs, folds them in some order, shows some values, and sometimes spoils one.
func drawPuzzle(t *rapid.T) *puzzle {
	fold := tinyFolds[rapid.IntRange(0, len(tinyFolds)-1).Draw(t, "fold")]
	f := &Fold{Apply: fold.apply, Order: fold.order, Emit: Emit(rapid.IntRange(0, 2).Draw(t, "emit")), Key: func(*Input) ([]byte, bool) { return nil, true }}
	h := &History{Complete: rapid.Bool().Draw(t, "complete")}
	parts := rapid.IntRange(1, 3).Draw(t, "parts")
	now := int64(0)
	for i := range rapid.IntRange(1, 7).Draw(t, "inputs") {
		now += rapid.Int64Range(0, 2).Draw(t, "pause")
		h.Inputs = append(h.Inputs, Input{Partition: int32(rapid.IntRange(0, parts-1).Draw(t, "part")), Offset: int64(i), At: now, Value: []byte{byte(rapid.IntRange(0, 2).Draw(t, "value"))}})
	}
	j := &judge{h: h, spec: &Spec{}}
	j.sortInputs()
	p := &puzzle{folding: &folding{judge: j, f: f}, ins: j.order, all: h.Complete && f.Emit != EmitSome, budget: maxSteps}
	p.line(0)
	var state, value []byte
	left := append([][]int32(nil), p.queues...)
	for range h.Inputs {
		q := rapid.IntRange(0, len(left)-1).Draw(t, "from")
		for len(left[q]) == 0 {
			q = (q + 1) % len(left)
		}
		state, value = f.Apply(state, &h.Inputs[left[q][0]])
		left[q] = left[q][1:]
		if f.Emit == EmitEach || rapid.Bool().Draw(t, "shown") {
			p.outs = append(p.outs, out{value: value, seen: now - rapid.Int64Range(0, 3).Draw(t, "early")})
		}
	}
	if n := len(p.outs); n > 0 && rapid.Bool().Draw(t, "spoil") {
		wrong := []byte{byte(rapid.IntRange(0, 5).Draw(t, "wrong"))}
		p.outs[rapid.IntRange(0, n-1).Draw(t, "which")].value = wrong[rapid.IntRange(0, 1).Draw(t, "empty"):]
	}
	if n := len(p.outs); n > 0 && rapid.Bool().Draw(t, "cut") {
		p.outs = p.outs[:n-1]
	}
	for i := len(p.outs) - 2; i >= 0; i-- {
		p.outs[i].seen = min(p.outs[i].seen, p.outs[i+1].seen)
	}
	return p
}

// brute tries every order, and every place for every output.
func brute(p *puzzle, heads []int, state, value []byte, folded, shown int) bool {
	newest := int64(-1)
	for q := range heads {
		for n := range heads[q] {
			newest = max(newest, p.at(q, n))
		}
	}
	m := len(p.outs)
	if shown < m && folded > 0 && newest <= p.outs[shown].seen && bytes.Equal(value, p.outs[shown].value) && (p.f.Emit != EmitEach || folded == shown+1) &&
		brute(p, heads, state, value, folded, shown+1) {
		return true
	}
	if folded == p.size() {
		return shown == m && (!p.all || p.f.Emit == EmitEach && m == folded || p.f.Emit == EmitLast && m > 0 && bytes.Equal(value, p.outs[m-1].value))
	}
	if p.f.Emit == EmitEach && shown < min(folded, m) {
		return false
	}
	for q := range heads {
		if heads[q] < len(p.queues[q]) {
			next, v := p.f.Apply(state, &p.h.Inputs[p.queues[q][heads[q]]])
			heads[q]++
			ok := brute(p, heads, next, v, folded+1, shown)
			heads[q]--
			if ok {
				return true
			}
		}
	}
	return false
}

// TestSearchAgreesWithBruteForce: on keys small enough to try everything, the quick ways and porcupine say the same.
func TestSearchAgreesWithBruteForce(t *testing.T) {
	var yeses, noes int
	property := func(t *rapid.T) {
		p := drawPuzzle(t)
		want := no
		if brute(p, make([]int, len(p.queues)), nil, nil, 0, 0) {
			want = yes
			yeses++
		} else {
			noes++
		}
		if got := p.attempt(); got != want {
			t.Fatalf("attempt: %v, want %v for %v", got, want, show(p))
		}
		if len(p.outs) > 0 && (p.f.Emit != EmitEach || !p.all || len(p.outs) == p.size()) {
			if got := p.linearise(); got != want {
				t.Fatalf("porcupine: %v, want %v for %v", got, want, show(p))
			}
		}
		if p.f.Emit != EmitEach && want == no && (p.replay(p.byTime()) || p.near()) {
			t.Fatalf("found an order where there is none: %v", show(p))
		}
	}
	for range 30 {
		rapid.Check(t, property)
	}
	if yeses < 200 || noes < 200 {
		t.Fatalf("%d yes, %d no: one side is hardly tested", yeses, noes)
	}
	t.Logf("%d yes, %d no", yeses, noes)
}

func show(p *puzzle) string {
	s := fmt.Sprintf("order %d, emit %d, all %v\n", p.f.Order, p.f.Emit, p.all)
	for q := range p.queues {
		for _, i := range p.queues[q] {
			s += fmt.Sprintf("  queue %d: %v at %d\n", q, p.h.Inputs[i].Value, p.h.Inputs[i].At)
		}
	}
	for _, o := range p.outs {
		s += fmt.Sprintf("  out %v seen %d\n", o.value, o.seen)
	}
	return s
}

// TestSearchIsBoundedInBytes: a search keeps the states that it has seen. Where they are long it ends after fewer steps,
// and says that it does not know.
func TestSearchIsBoundedInBytes(t *testing.T) {
	const size = 4 << 10
	p := chainPuzzle(30, 1)
	p.budget, p.outs[0].value, p.outs[0].seen = maxSteps, []byte("never"), math.MaxInt64-1
	apply, kept := p.f.Apply, 0
	p.f.Apply = func(state []byte, in *Input) ([]byte, []byte) {
		next, value := apply(state[:min(len(state), 8)], in)
		kept += size
		return append(next, make([]byte, size-len(next))...), value
	}
	if got := p.linearise(); got != unsure {
		t.Errorf("answer %v, want unsure", got)
	}
	if most := 2 * maxSteps * stepBytes; kept == 0 || kept > most {
		t.Errorf("%d bytes of states, %d at most were wanted", kept, most)
	}
}
