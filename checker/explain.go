package checker

import (
	"bytes"
	"fmt"
)

// maxJump bounds how many states are looked at for a value that skips outputs.
const maxJump = 1024

// maxTrials bounds the work of explaining sparse outputs, in inputs folded, for all keys of a fold.
const maxTrials = 1 << 22

// explain reports why a key's outputs fit no order of its inputs. It only runs on failure: that there is one is
// certain, its kind is the simplest story that fits.
func (p *puzzle) explain() {
	if p.f.Emit != EmitEach {
		p.explainSparse()
		return
	}
	t := &p.scratch
	if t.last() < t.end() {
		p.explainShort()
		return
	}
	t.layers = t.layers[:len(t.layers)-1]
	s := &story{puzzle: p, tree: t, n: t.last(), bad: len(t.layers) - 1, used: t.path(t.last())}
	for _, try := range []func(*story) bool{(*story).jumped, (*story).overtaken, (*story).early, (*story).aborted, (*story).repeated, (*story).applied, (*story).fellBack} {
		if try(s) {
			return
		}
	}
	s.tell(Phantom, fmt.Sprintf("value %q follows from no input", s.value()))
}

// explainShort reports the inputs that a drained run left without a value.
func (p *puzzle) explainShort() {
	t := &p.scratch
	used := t.path(t.last())
	k := len(p.queues)
	for q := range p.queues {
		if head := int(t.heads[t.last()*k+q]); head < len(p.queues[q]) {
			p.failed(Lost, len(p.outs)-1, fmt.Sprintf("%d values for %d inputs, though the run was drained; one that is missing", len(used), p.size()), p.queues[q][head])
			return
		}
	}
}

// failed reports a failure of the key, with the output n that shows it (none if negative).
func (p *puzzle) failed(k Kind, n int, text string, inputs ...int32) {
	if !p.count(k) {
		return
	}
	f := Failure{Kind: k, Key: p.key(), Text: fmt.Sprintf("topic %s, key %q: %s", p.f.Topic, p.key(), text), Inputs: p.causes(inputs...)}
	for i := max(0, n-1); i <= n; i++ {
		e := &p.logs[p.outs[i].log].entries[p.outs[i].entry]
		f.Seen = append(f.Seen, p.sighting(e.fetch, e.offset, false))
	}
	p.report(f)
}

// story looks for what went wrong at the first output that no order explains.
type story struct {
	*puzzle
	tree *tree
	n    int     // a node of the last layer: the state before
	bad  int     // the output
	used []int32 // the inputs that lead to n
}

func (s *story) value() []byte { return s.outs[s.bad].value }

// tell reports the failure; the text continues "after 3 values that fit, ...".
func (s *story) tell(k Kind, text string, inputs ...int32) bool {
	s.failed(k, s.bad, fmt.Sprintf("after %d values that fit, %s", s.bad, text), inputs...)
	return true
}

// gives tells whether folding an input into node n gives the bad value.
func (s *story) gives(n int, input int32) bool {
	_, v := s.f.Apply(s.tree.nodes[n].state, &s.h.Inputs[input])
	return bytes.Equal(v, s.value())
}

// jumped: the value is right, but further on; those between are missing or come later.
func (s *story) jumped() bool {
	t := s.tree
	layers, nodes := len(t.layers), len(t.nodes)
	defer func() { t.layers = t.layers[:layers]; t.drop(nodes, len(s.queues)) }()
	for t.last() < t.end() && t.end()-nodes < maxJump {
		t.grow(s.puzzle, false, nil, s.outs[s.bad].seen)
		for n := t.last(); n < t.end(); n++ {
			if bytes.Equal(t.nodes[n].value, s.value()) {
				return s.skipped(n, nodes)
			}
		}
	}
	return false
}

// skipped reports a jump to node n, over nodes made since base.
func (s *story) skipped(n, base int) bool {
	first := n
	for int(s.tree.nodes[first].parent) >= base {
		first = int(s.tree.nodes[first].parent)
	}
	over := s.tree.nodes[first]
	for _, o := range s.outs[s.bad+1:] {
		if bytes.Equal(o.value, over.value) {
			return s.tell(Reordered, fmt.Sprintf("value %q comes before %q, which should be next", s.value(), over.value), over.input)
		}
	}
	return s.tell(Lost, fmt.Sprintf("value %q, which should be next, is missing, and %q follows", over.value, s.value()), over.input)
}

// overtaken: an input was folded before one that is ahead of it in its partition.
func (s *story) overtaken() bool {
	for q, queue := range s.queues {
		head := int(s.tree.heads[s.n*len(s.queues)+q])
		for pos := head + 1; pos < len(queue); pos++ {
			if !s.gives(s.n, queue[pos]) {
				continue
			}
			if s.comesLater(queue[pos], queue[head]) {
				return s.tell(Reordered, "an input was folded before an earlier one of its partition", queue[pos], queue[head])
			}
			return s.tell(Lost, "an input was left out, and a later one of its partition folded", queue[head], queue[pos])
		}
	}
	return false
}

// comesLater tells whether an input that was left out for another seems to be folded in later.
func (s *story) comesLater(taken, left int32) bool {
	if s.all {
		return len(s.outs) >= s.size()
	}
	if s.bad+1 == len(s.outs) {
		return false
	}
	state, _ := s.f.Apply(s.tree.nodes[s.n].state, &s.h.Inputs[taken])
	_, v := s.f.Apply(state, &s.h.Inputs[left])
	return bytes.Equal(v, s.outs[s.bad+1].value)
}

// early: the value shows an input that was appended only after the value had been seen.
func (s *story) early() bool {
	for q, queue := range s.queues {
		head := int(s.tree.heads[s.n*len(s.queues)+q])
		if head < len(queue) && s.gives(s.n, queue[head]) {
			return s.tell(Phantom, fmt.Sprintf("value %q was there before its input was appended", s.value()), queue[head])
		}
	}
	return false
}

// aborted: an aborted input was folded.
func (s *story) aborted() bool {
	for _, i := range s.abortedOf(s.key()) {
		if s.gives(s.n, i) {
			return s.tell(AbortedRead, fmt.Sprintf("value %q includes an aborted input", s.value()), i)
		}
	}
	return false
}

// repeated: the value was there before. If in the end something is missing, the fold fell back; else a value doubled.
func (s *story) repeated() bool {
	path := s.used
	for i := s.bad - 1; i >= 0; i-- {
		if !bytes.Equal(s.outs[i].value, s.value()) {
			continue
		}
		if s.f.Order != OrderMatters && s.all && len(s.outs) <= s.size() {
			return s.tell(Lost, fmt.Sprintf("value %q comes again: the fold fell back, and there are no more values than inputs", s.value()), path[i])
		}
		return s.tell(Doubled, fmt.Sprintf("value %q comes again", s.value()), path[i])
	}
	return false
}

// applied: an input was folded a second time.
func (s *story) applied() bool {
	for i := len(s.used) - 1; i >= 0; i-- {
		if s.gives(s.n, s.used[i]) {
			return s.tell(Doubled, fmt.Sprintf("value %q includes an input twice", s.value()), s.used[i])
		}
	}
	return false
}

// fellBack: the fold went on from an earlier state, without the inputs folded since.
func (s *story) fellBack() bool {
	k := len(s.queues)
	for n, depth := s.n, s.bad; depth > 0; depth-- {
		n = int(s.tree.nodes[n].parent)
		for q, queue := range s.queues {
			if head := int(s.tree.heads[s.n*k+q]); head < len(queue) && s.gives(n, queue[head]) {
				return s.tell(Lost, fmt.Sprintf("value %q continues from the state after %d values, without the inputs folded since", s.value(), depth-1), s.used[depth-1])
			}
		}
	}
	return false
}
