package checker

import (
	"bytes"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

const (
	// maxOps bounds inputs plus outputs of a key that is searched.
	maxOps = 200
	// maxSteps bounds the steps of the search for one key, each of which keeps a state. One of stepBytes counts twice, of
	// twice as many three times, and so on: the search is bounded in memory too.
	maxSteps  = 200_000
	stepBytes = 64
)

// applyOp says that the input at a place of a queue was folded.
type applyOp struct{ queue, pos, input int32 }

// readOp says that output n showed the fold's value.
type readOp int

// moment is the state of the sequential job: what has been folded, the result, and how many outputs have been shown.
type moment struct {
	heads        []int32
	folded, read int // how many inputs, how many outputs
	state, value []byte
}

// linearise asks porcupine for an order of the inputs that explains the outputs, in which each input partition keeps its
// order. An output shows the fold at some moment before it is first fetched, and after the outputs at lower offsets. An
// input takes effect at some moment after its append, and before the first output that shows it; which one that is
// follows only from the order, so its operation stays open, and the outputs bound it. (Effects the same input has at
// another sink bound nothing: with unaligned checkpoints it may still be on its way to the fold.)
func (p *puzzle) linearise() answer {
	if p.size()+len(p.outs) > maxOps || p.budget <= 0 {
		return unsure
	}
	p.scope.Searches++
	model := porcupine.Model{
		Init:  func() any { return &moment{heads: make([]int32, len(p.queues))} },
		Step:  p.step,
		Equal: func(a, b any) bool { return a.(*moment).equal(b.(*moment)) },
		Hash:  func(s any) uint64 { return s.(*moment).hash() },
	}
	switch ok := porcupine.CheckOperations(model, p.operations()); {
	case ok:
		return yes
	case p.budget <= 0:
		return unsure
	}
	return no
}

// operations lists the reads first: the search tries what comes first, and a read that fits is never wrong.
func (p *puzzle) operations() []porcupine.Operation {
	ops := make([]porcupine.Operation, 0, p.size()+len(p.outs))
	for n := range p.outs {
		ops = append(ops, porcupine.Operation{Input: readOp(n), Call: math.MinInt64, Return: p.outs[n].seen})
	}
	for q := range p.queues {
		for n, i := range p.queues[q] {
			op := applyOp{int32(q), int32(n), i}
			ops = append(ops, porcupine.Operation{Input: op, Call: p.at(q, n), Return: math.MaxInt64})
		}
	}
	return ops
}

// step is porcupine's Step. When the budget is used up it refuses everything, which ends the search at once; the answer
// is then not taken for a no.
func (p *puzzle) step(state, input, _ any) (bool, any) {
	if p.budget--; p.budget <= 0 {
		return false, nil
	}
	m := state.(*moment)
	if n, ok := input.(readOp); ok {
		return p.readStep(m, int(n))
	}
	return p.applyStep(m, input.(applyOp))
}

// readStep shows output n, if it is the next and fits.
func (p *puzzle) readStep(m *moment, n int) (bool, any) {
	if m.read != n || m.folded == 0 || !bytes.Equal(m.value, p.outs[n].value) || p.f.Emit == EmitEach && m.folded != n+1 {
		return false, nil
	}
	next := *m
	next.read++
	return true, &next
}

// applyStep folds an input, if it is the next of its queue and an output that fits is not waiting to be shown.
func (p *puzzle) applyStep(m *moment, op applyOp) (bool, any) {
	if m.heads[op.queue] != op.pos || p.waiting(m) {
		return false, nil
	}
	next := &moment{heads: slices.Clone(m.heads), folded: m.folded + 1, read: m.read}
	next.heads[op.queue]++
	next.state, next.value = p.f.Apply(m.state, &p.h.Inputs[op.input])
	p.budget -= (len(next.state) + len(next.value)) / stepBytes
	if p.all && next.folded == p.size() && !bytes.Equal(next.value, p.outs[len(p.outs)-1].value) {
		return false, nil
	}
	if p.f.Emit == EmitEach && m.folded < len(p.outs) && !bytes.Equal(next.value, p.outs[m.folded].value) {
		return false, nil
	}
	return true, next
}

// waiting tells whether the next output must be shown before anything else is folded.
func (p *puzzle) waiting(m *moment) bool {
	switch {
	case m.read == len(p.outs) || m.folded == 0:
		return false
	case p.f.Emit == EmitEach:
		return m.read < m.folded
	}
	return bytes.Equal(m.value, p.outs[m.read].value)
}

func (m *moment) equal(o *moment) bool {
	return m.read == o.read && slices.Equal(m.heads, o.heads) && bytes.Equal(m.state, o.state) && bytes.Equal(m.value, o.value)
}

// hash leaves out heads and read: porcupine hashes which operations are done.
func (m *moment) hash() uint64 {
	return fnv1a(fnv1a(14695981039346656037, m.state), m.value)
}

// fnv1a continues an FNV-1a hash; hash/fnv would allocate.
func fnv1a(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
