package checker

import (
	"fmt"
	"slices"
	"strings"
)

// maxUnsure bounds the inputs of one key whose fate is not known: each doubles the work.
const maxUnsure = 4

// folding is one Fold over the history.
type folding struct {
	*judge
	f     *Fold
	names map[string]int32
	arena strings.Builder
	// Invariant: ins[ends of key k-1 : end of key k] are key k's inputs, not aborted, by partition and then offset;
	// outs likewise are its outputs by offset.
	ins     []int32
	outs    []out
	insAt   []int32
	outsAt  []int32
	scratch tree
	aborted map[string][]int32 // by key; nil until asked for
	trials  int                // work done in trying stories for failures, in inputs folded
}

// out is one output of a key.
type out struct {
	value      []byte
	seen       int64
	log, entry int32
}

// judgeFold checks one fold, key by key.
func (j *judge) judgeFold(f *Fold) {
	g := &folding{judge: j, f: f, names: make(map[string]int32)}
	g.groupInputs()
	g.groupOutputs()
	keys := len(g.insAt) - 1
	j.scope.Keys += keys
	j.scope.Values += len(g.outs)
	for k := range keys {
		g.judgeKey(g.ins[g.insAt[k]:g.insAt[k+1]], g.outs[g.outsAt[k]:g.outsAt[k+1]])
	}
}

// groupInputs sorts the inputs by key, keeping their order within a key.
func (g *folding) groupInputs() {
	of := make([]int32, len(g.order))
	var sizes []int32
	for k, i := range g.order {
		of[k] = -1
		if in := &g.h.Inputs[i]; in.Fate != Aborted {
			if key, ok := g.f.Key(in); ok {
				of[k] = g.number(key, &sizes)
				sizes[of[k]]++
			}
		}
	}
	g.insAt = sums(sizes)
	g.ins = scatter(g.order, of, g.insAt)
}

// number finds or makes the number of a key.
func (g *folding) number(key []byte, sizes *[]int32) int32 {
	n, ok := g.names[string(key)]
	if !ok {
		n = int32(len(*sizes))
		from := g.arena.Len()
		g.arena.Write(key)
		g.names[g.arena.String()[from:]], *sizes = n, append(*sizes, 0)
	}
	return n
}

// scatter puts each item into its group, in order; items of group -1 are left out.
func scatter[T any](items []T, of, at []int32) []T {
	next := append([]int32(nil), at...)
	sorted := make([]T, at[len(at)-1])
	for i, n := range of {
		if n >= 0 {
			sorted[next[n]] = items[i]
			next[n]++
		}
	}
	return sorted
}

// groupOutputs sorts the outputs by key, in offset order.
func (g *folding) groupOutputs() {
	n := g.countRecords()
	all, of, sizes := make([]out, 0, n), make([]int32, 0, n), make([]int32, len(g.insAt)-1)
	for log := range g.logs {
		l := &g.logs[log]
		if l.topic != g.f.Topic {
			continue
		}
		for n := range l.entries {
			e := &l.entries[n]
			key, value, ok := g.read(g.record(*e))
			if !ok || e.gone {
				continue
			}
			k, ok := g.names[string(key)]
			if !ok {
				g.stranger(e, key)
				continue
			}
			all = append(all, out{value, e.seen, int32(log), int32(n)})
			of = append(of, k)
			sizes[k]++
		}
	}
	g.outsAt = sums(sizes)
	g.outs = scatter(all, of, g.outsAt)
}

// countRecords counts the records of the fold's topic.
func (g *folding) countRecords() (n int) {
	for i := range g.logs {
		if g.logs[i].topic == g.f.Topic {
			n += len(g.logs[i].entries)
		}
	}
	return n
}

func (g *folding) read(r *Record) (key, value []byte, ok bool) {
	if g.f.Observe == nil {
		return r.Key, r.Value, true
	}
	return g.f.Observe(r)
}

// stranger reports a value of a key that no input has, or only aborted ones.
func (g *folding) stranger(e *entry, key []byte) {
	kind, text := Phantom, fmt.Sprintf("topic %s has a value for key %q, which no input has", g.f.Topic, key)
	ids := g.abortedOf(string(key))
	if len(ids) > 0 {
		kind, text = AbortedRead, fmt.Sprintf("topic %s has a value for key %q, which only aborted inputs have", g.f.Topic, key)
	}
	if g.count(kind) {
		g.report(Failure{Kind: kind, Text: text, Key: string(key), Inputs: g.causes(ids...), Seen: []Sighting{g.sighting(e.fetch, e.offset, false)}})
	}
}

// abortedOf finds a key's aborted inputs. Only failures need them.
func (g *folding) abortedOf(key string) []int32 {
	if g.aborted == nil {
		g.aborted = make(map[string][]int32)
		for _, i := range g.order {
			if in := &g.h.Inputs[i]; in.Fate == Aborted {
				if k, ok := g.f.Key(in); ok {
					g.aborted[string(k)] = append(g.aborted[string(k)], i)
				}
			}
		}
	}
	return g.aborted[key]
}

// judgeKey checks the values of one key.
func (g *folding) judgeKey(ins []int32, outs []out) {
	p := &puzzle{folding: g, ins: ins, outs: outs, all: g.h.Complete && g.f.Emit != EmitSome}
	if slices.ContainsFunc(outs, func(o out) bool { return o.log != outs[0].log }) {
		g.unknown(p.about() + " has values in two partitions: their order cannot be told")
		return
	}
	switch p.solve() {
	case no:
		p.explain()
	case unsure:
		g.unknown(p.about() + " needs a longer search than allowed: use fewer inputs per key, say more with Fold.Order, or resolve unsure inputs")
	}
}

// answer tells whether some order of the inputs explains the outputs.
type answer uint8

const (
	no answer = iota
	yes
	unsure
)

// puzzle asks for an order of one key's inputs that explains its outputs.
type puzzle struct {
	*folding
	ins    []int32
	outs   []out
	all    bool      // the outputs must show every input
	queues [][]int32 // the inputs that count, each queue in its order
	budget int       // steps left for searching, over all attempts
}

// key is the key of the puzzle.
func (p *puzzle) key() string {
	key, _ := p.f.Key(&p.h.Inputs[p.ins[0]])
	return string(key)
}

// about names the key for people.
func (p *puzzle) about() string {
	return fmt.Sprintf("topic %s, key %q, with %d inputs,", p.f.Topic, p.key(), len(p.ins))
}

// solve tries every assumption about unsure inputs; most keys have none.
func (p *puzzle) solve() answer {
	p.budget = maxSteps
	doubtful := p.doubtful()
	if doubtful > maxUnsure {
		return unsure
	}
	best := no
	for leaveOut := 1<<doubtful - 1; leaveOut >= 0; leaveOut-- { // ends with all of them taken as committed
		p.line(leaveOut)
		a := p.attempt()
		if a == yes {
			return yes
		}
		best = max(best, a)
	}
	return best
}

// doubtful counts the unsure inputs.
func (p *puzzle) doubtful() (n int) {
	for _, i := range p.ins {
		if p.h.Inputs[i].Fate == Unsure {
			n++
		}
	}
	return n
}

// line puts the inputs into queues, one per input partition, without the unsure ones whose bit is set. If all inputs
// are alike, it does not matter which partition they come from: one queue by time.
func (p *puzzle) line(leaveOut int) {
	p.queues = p.queues[:0]
	from, kept := 0, p.without(leaveOut)
	for i := 1; i <= len(kept); i++ {
		if i == len(kept) || p.part[kept[i]] != p.part[kept[from]] {
			p.queues = append(p.queues, kept[from:i:i])
			from = i
		}
	}
	if p.f.Order == Alike && len(p.queues) > 1 {
		p.queues = append(p.queues[:0], p.byTime())
	}
}

// without returns the inputs but for the unsure ones whose bit is set.
func (p *puzzle) without(leaveOut int) []int32 {
	if leaveOut == 0 {
		return p.ins
	}
	kept := make([]int32, 0, len(p.ins))
	for _, i := range p.ins {
		out := 0
		if p.h.Inputs[i].Fate == Unsure {
			out, leaveOut = leaveOut&1, leaveOut>>1
		}
		if out == 0 {
			kept = append(kept, i)
		}
	}
	return kept
}

// byTime merges the queues into the most natural order: by time of append, keeping each queue's order.
func (p *puzzle) byTime() []int32 {
	if len(p.queues) == 1 {
		return p.queues[0]
	}
	merged := make([]int32, 0, len(p.ins))
	heads := make([]int, len(p.queues))
	for {
		first := -1
		for q := range heads {
			if heads[q] < len(p.queues[q]) && (first < 0 || p.at(q, heads[q]) < p.at(first, heads[first])) {
				first = q
			}
		}
		if first < 0 {
			return merged
		}
		merged = append(merged, p.queues[first][heads[first]])
		heads[first]++
	}
}

// at is when an input of a queue was appended.
func (p *puzzle) at(queue, n int) int64 { return p.h.Inputs[p.queues[queue][n]].At }

// size is the number of inputs that count.
func (p *puzzle) size() int {
	n := 0
	for _, q := range p.queues {
		n += len(q)
	}
	return n
}

// attempt solves the puzzle for one assumption about unsure inputs, by the cheapest way that is certain.
func (p *puzzle) attempt() answer {
	if p.f.Emit == EmitEach {
		a := p.follow()
		if a != unsure {
			return a
		}
		return p.linearise()
	}
	if len(p.outs) == 0 && p.all && p.size() > 0 {
		return no
	}
	if a := p.quick(); a != unsure {
		return a
	}
	return p.linearise()
}
