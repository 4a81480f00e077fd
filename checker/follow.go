package checker

import "bytes"

// followWidth and nearWidth bound how many different orders are followed at once, with outputs each or now and then.
const (
	followWidth = 2048
	nearWidth   = 512
	nearNodes   = 4096 // from one output to the next
)

// tree holds the orders that explain the outputs so far: layer j has the nodes after j inputs.
// Invariant: node n has gone heads[n*k:(n+1)*k] deep into the k queues.
type tree struct {
	nodes  []node
	heads  []int32
	layers []int // where each layer begins
	width  int   // how many nodes a layer may have
	cut    bool  // a layer had more than width nodes: others are missing
}

// node is the state of the fold after one input more than its parent.
type node struct {
	state, value  []byte
	parent, input int32
}

// follow solves a puzzle with one output per input. The outputs say what each step leads to, so that mostly one order
// is left at any time: the work is linear. It leaves the tree for explain.
func (p *puzzle) follow() answer {
	t := &p.scratch
	t.reset(len(p.queues), followWidth)
	for i := range p.outs {
		if t.grow(p, true, p.outs[i].value, p.outs[i].seen); t.last() == t.end() {
			if t.cut && len(p.outs) <= p.size() && !(p.all && len(p.outs) < p.size()) {
				return unsure
			}
			return no
		}
	}
	if p.all && len(p.outs) < p.size() {
		return no
	}
	return yes
}

func (t *tree) reset(queues, width int) {
	t.nodes = append(t.nodes[:0], node{parent: -1, input: -1})
	t.heads = append(t.heads[:0], make([]int32, queues)...)
	t.layers = append(t.layers[:0], 0)
	t.width, t.cut = width, false
}

// last is where the last layer begins, end where it ends.
func (t *tree) last() int { return t.layers[len(t.layers)-1] }
func (t *tree) end() int  { return len(t.nodes) }

// grow adds the layer of all states that are one input further, where that input had been appended by the deadline. With
// only, the states must have that value.
func (t *tree) grow(p *puzzle, only bool, want []byte, deadline int64) {
	from, to := t.last(), t.end()
	t.layers = append(t.layers, to)
	for n := from; n < to; n++ {
		for q := range p.queues {
			head := int(t.heads[n*len(p.queues)+q])
			if head == len(p.queues[q]) || p.at(q, head) > deadline {
				continue
			}
			i := p.queues[q][head]
			state, value := p.f.Apply(t.nodes[n].state, &p.h.Inputs[i])
			if !only || bytes.Equal(value, want) {
				t.add(node{state, value, int32(n), i}, q, len(p.queues))
			}
		}
	}
}

// add adds a node to the last layer, unless an equal one is there.
func (t *tree) add(x node, q, k int) {
	n, base := len(t.nodes), int(x.parent)*k
	t.nodes = append(t.nodes, x)
	t.heads = append(t.heads, t.heads[base:base+k]...)
	t.heads[n*k+q]++
	for other := t.last(); other < n; other++ {
		if t.equal(other, n, k) {
			t.drop(n, k)
			return
		}
	}
	if n-t.last() >= t.width {
		t.cut = true
		t.drop(n, k)
	}
}

func (t *tree) drop(n, k int) { t.nodes, t.heads = t.nodes[:n], t.heads[:n*k] }

func (t *tree) equal(a, b, k int) bool {
	for q := range k {
		if t.heads[a*k+q] != t.heads[b*k+q] {
			return false
		}
	}
	return bytes.Equal(t.nodes[a].state, t.nodes[b].state)
}

// path returns the inputs that lead to node n, first to last.
func (t *tree) path(n int) []int32 {
	var inputs []int32
	for i := int32(n); t.nodes[i].parent >= 0; i = t.nodes[i].parent {
		inputs = append(inputs, t.nodes[i].input)
	}
	for a, b := 0, len(inputs)-1; a < b; a, b = a+1, b-1 {
		inputs[a], inputs[b] = inputs[b], inputs[a]
	}
	return inputs
}
