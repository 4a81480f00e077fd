package checker

import (
	"bytes"
	"fmt"
	"slices"
)

// quick tries what takes linear time, or nearly.
func (p *puzzle) quick() answer {
	q := p.byTime()
	switch {
	case p.replay(q):
		return yes
	case len(p.queues) <= 1 || p.f.Order == OrderFree && !p.lastIs(p.after(nil, q)):
		return no
	case p.near():
		return yes
	}
	return unsure
}

// replay folds the inputs in one order, and tells whether that explains outputs which come now and then. Each output is
// matched as early as it fits: that is never a mistake, as it may be taken then, before any later one.
func (p *puzzle) replay(q []int32) bool {
	var state, value []byte
	var newest int64
	shown := 0
	for n, i := range q {
		in := &p.h.Inputs[i]
		if n == 0 || in.At > newest {
			newest = in.At
		}
		state, value = p.f.Apply(state, in)
		for shown < len(p.outs) && newest <= p.outs[shown].seen && bytes.Equal(value, p.outs[shown].value) {
			shown++
		}
	}
	return shown == len(p.outs) && p.lastIs(value)
}

// lastIs tells whether the last output shows the value after all inputs, if it must.
func (p *puzzle) lastIs(value []byte) bool {
	if m := len(p.outs); p.all && m > 0 {
		return bytes.Equal(value, p.outs[m-1].value)
	}
	return !p.all || p.size() == 0
}

// after is the value after some inputs more.
func (p *puzzle) after(state []byte, q []int32) (value []byte) {
	for _, i := range q {
		state, value = p.f.Apply(state, &p.h.Inputs[i])
	}
	return value
}

// near looks for an order that explains outputs which come now and then, following each to the nearest depth at which it
// fits. It finds one if few inputs lie between two outputs and the values say much; a false says nothing.
func (p *puzzle) near() bool {
	t := &p.scratch
	t.reset(len(p.queues), nearWidth)
	for i := range p.outs {
		if !t.reach(p, &p.outs[i]) {
			p.trials += len(t.nodes)
			return false
		}
	}
	return p.restFits(t)
}

// restFits tells whether the last output still shows everything when what is left has been folded.
func (p *puzzle) restFits(t *tree) bool {
	if !p.all {
		return true
	}
	rest := *p
	n, k := t.last(), len(p.queues)
	rest.queues = make([][]int32, k)
	for q := range k {
		rest.queues[q] = p.queues[q][t.heads[n*k+q]:]
	}
	left := rest.byTime()
	return len(left) == 0 || p.lastIs(p.after(t.nodes[n].state, left))
}

// reach grows the tree to the nearest layer that has the output's value, and keeps only the nodes that have it.
func (t *tree) reach(p *puzzle, o *out) bool {
	for base := t.end(); !t.keep(o.value, len(p.queues)); {
		t.grow(p, false, nil, o.seen)
		if t.last() == t.end() || t.end()-base > nearNodes {
			return false
		}
	}
	return true
}

// keep drops the nodes of the last layer that lack the value, unless all do. The root has no value.
func (t *tree) keep(value []byte, k int) bool {
	kept := t.last()
	for n := kept; n < t.end(); n++ {
		if x := t.nodes[n]; x.parent >= 0 && bytes.Equal(x.value, value) {
			t.nodes[kept] = x
			copy(t.heads[kept*k:(kept+1)*k], t.heads[n*k:])
			kept++
		}
	}
	if kept == t.last() {
		return false
	}
	t.drop(kept, k)
	return true
}

// explainSparse names the failure of a fold whose outputs come now and then: it changes one thing about the history and
// asks whether that would explain it.
func (p *puzzle) explainSparse() {
	if len(p.outs) == 0 {
		p.failed(Lost, -1, "no value at all, though the run was drained", p.ins[0])
		return
	}
	if p.withoutEnd() || p.changeInputs() || p.swapOutputs() {
		return
	}
	p.failed(Phantom, len(p.outs)-1, fmt.Sprintf("%d values fit no order of the %d inputs", len(p.outs), p.size()))
}

// fits tells whether a changed history is explained, as far as that is quickly found out.
func (p *puzzle) fits() bool {
	p.trials += p.size()
	return p.trials <= maxTrials && p.quick() == yes
}

// withoutEnd: all values fit, but the last one does not show everything.
func (p *puzzle) withoutEnd() bool {
	q := *p
	q.all = false
	if !p.all || !q.fits() {
		return false
	}
	last := len(p.outs) - 1
	p.failed(Lost, last, fmt.Sprintf("the last value %q of a drained run does not show all %d inputs, such as the last one", p.outs[last].value, p.size()), p.ins[len(p.ins)-1])
	return true
}

// changeInputs: the values would fit if an input were missing, an aborted one were committed, one were there twice, or
// two neighbours of one partition were swapped.
func (p *puzzle) changeInputs() bool {
	return p.tryEach(Lost, "the values fit if this input is left out", dropInput) ||
		p.tryAborted() ||
		p.tryEach(Doubled, "the values fit if this input is folded twice", doubleInput) ||
		p.tryEach(Reordered, "the values fit if this input is folded after the next one of its partition", swapInput)
}

// tryEach changes the queue of each input in turn.
func (p *puzzle) tryEach(k Kind, text string, change func(queue []int32, at int) ([]int32, bool)) bool {
	for n, queue := range p.queues {
		for at, i := range queue {
			changed, ok := change(queue, at)
			if !ok {
				continue
			}
			q := *p
			q.queues = slices.Clone(p.queues)
			if q.queues[n] = changed; q.fits() {
				p.failed(k, len(p.outs)-1, text, i)
				return true
			}
		}
	}
	return false
}

func dropInput(queue []int32, at int) ([]int32, bool) {
	return slices.Concat(queue[:at], queue[at+1:]), true
}

func doubleInput(queue []int32, at int) ([]int32, bool) {
	return slices.Concat(queue[:at+1], queue[at:]), true
}

func swapInput(queue []int32, at int) ([]int32, bool) {
	if at+1 == len(queue) {
		return nil, false
	}
	changed := slices.Clone(queue)
	changed[at], changed[at+1] = changed[at+1], changed[at]
	return changed, true
}

// tryAborted takes the aborted inputs of the key for committed, one at a time.
func (p *puzzle) tryAborted() bool {
	for _, i := range p.abortedOf(p.key()) {
		q := *p
		q.ins, q.queues = p.insertInput(i), nil
		if q.line(0); q.fits() {
			p.failed(AbortedRead, len(p.outs)-1, "the values fit if this aborted input is folded too", i)
			return true
		}
	}
	return false
}

// insertInput returns the key's inputs with one more, at its place in the order.
func (p *puzzle) insertInput(i int32) []int32 {
	place := slices.IndexFunc(p.ins, func(o int32) bool {
		if p.part[o] != p.part[i] {
			return p.part[o] > p.part[i]
		}
		return p.h.Inputs[o].Offset > p.h.Inputs[i].Offset
	})
	if place < 0 {
		place = len(p.ins)
	}
	return slices.Insert(slices.Clone(p.ins), place, i)
}

// swapOutputs: the values would fit if two neighbours were swapped.
func (p *puzzle) swapOutputs() bool {
	for n := 1; n < len(p.outs); n++ {
		q := *p
		q.outs = slices.Clone(p.outs)
		q.outs[n-1].value, q.outs[n].value = q.outs[n].value, q.outs[n-1].value
		if q.fits() {
			p.failed(Reordered, n, "the values fit if these two are swapped")
			return true
		}
	}
	return false
}
