package checker

import (
	"cmp"
	"fmt"
	"slices"
)

// maxUnjudged bounds the reasons that are kept.
const maxUnjudged = 8

// Check judges a history by everything the Spec defines. It reads h and spec only, and calls the Spec's functions from
// the calling goroutine, or from one that ends before Check does. Time and memory are linear in the history, but for
// keys of folds that need a search; those are bounded.
func Check(h *History, spec Spec) Verdict {
	j := &judge{h: h, spec: &spec}
	if j.accept() && j.sortInputs() && j.readLogs() {
		j.judgeEffects()
		for i := range spec.Folds {
			j.judgeFold(&spec.Folds[i])
		}
	}
	return j.verdict()
}

// judge is one run of Check.
type judge struct {
	h    *History
	spec *Spec
	// order holds all inputs, partition by partition, each in offset order. part is the partition of each input.
	// Invariant: order is a permutation of the indexes of h.Inputs; order[firsts[p]:firsts[p+1]] is partition p.
	order  []int32
	part   []int32
	firsts []int32
	// logs are the output partitions in order of first appearance.
	logs []outLog

	tally    [kinds]int
	failures []Failure
	unjudged []string
	scope    Scope
}

// accept refuses a Spec that defines nothing, or half of something.
func (j *judge) accept() bool {
	s := j.spec
	if (s.Expect == nil) != (s.Observe == nil) {
		return j.unknown("the Spec has only one of Expect and Observe: give both")
	}
	if s.Expect == nil && len(s.Folds) == 0 {
		return j.unknown("the Spec defines nothing to check: give Expect and Observe, or Folds")
	}
	for i := range s.Folds {
		if s.Folds[i].Key == nil || s.Folds[i].Apply == nil {
			return j.unknown(fmt.Sprintf("fold %d of the Spec lacks Key or Apply", i))
		}
	}
	return true
}

// sortInputs fills order, part and firsts. Appends usually come in offset order, so sorting is rarely needed.
func (j *judge) sortInputs() bool {
	n := len(j.h.Inputs)
	j.part, j.order = make([]int32, n), make([]int32, n)
	j.countFates()
	next := j.countPartitions()
	for i, p := range j.part {
		j.order[next[p]] = int32(i)
		next[p]++
	}
	for p := range len(j.firsts) - 1 {
		if !j.sortPartition(j.order[j.firsts[p]:j.firsts[p+1]]) {
			return false
		}
	}
	return true
}

// countPartitions numbers the input partitions, and returns where each begins in order.
func (j *judge) countPartitions() []int32 {
	numbers := make(map[place]int32)
	var counts []int32
	for i := range j.h.Inputs {
		in := &j.h.Inputs[i]
		p, ok := numbers[place{in.Topic, in.Partition}]
		if !ok {
			p = int32(len(counts))
			numbers[place{in.Topic, in.Partition}], counts = p, append(counts, 0)
		}
		j.part[i] = p
		counts[p]++
	}
	j.firsts = sums(counts)
	return slices.Clone(j.firsts)
}

// countFates fills the scope's inputs and aborted.
func (j *judge) countFates() {
	for i := range j.h.Inputs {
		if j.h.Inputs[i].Fate == Aborted {
			j.scope.Aborted++
		}
	}
	j.scope.Inputs = len(j.h.Inputs) - j.scope.Aborted
}

// sums returns where each of the groups of the given sizes begins when they are laid end to end, and the end.
func sums(sizes []int32) []int32 {
	firsts := make([]int32, len(sizes)+1)
	for i, n := range sizes {
		firsts[i+1] = firsts[i] + n
	}
	return firsts
}

func (j *judge) sortPartition(ids []int32) bool {
	byOffset := func(a, b int32) int { return cmp.Compare(j.h.Inputs[a].Offset, j.h.Inputs[b].Offset) }
	if !slices.IsSortedFunc(ids, byOffset) {
		slices.SortFunc(ids, byOffset)
	}
	for i := 1; i < len(ids); i++ {
		if byOffset(ids[i-1], ids[i]) == 0 {
			in := &j.h.Inputs[ids[i]]
			return j.unknown(fmt.Sprintf("the history has two inputs at %s/%d offset %d", in.Topic, in.Partition, in.Offset))
		}
	}
	return true
}

// unknown notes something that cannot be judged, and returns false.
func (j *judge) unknown(why string) bool {
	if len(j.unjudged) < maxUnjudged {
		j.unjudged = append(j.unjudged, why)
	} else if len(j.unjudged) == maxUnjudged {
		j.unjudged = append(j.unjudged, "and more")
	}
	return false
}

// count notes a failure, and tells whether its evidence is still wanted. Evidence is made only then: its cost must not
// grow with the number of failures.
func (j *judge) count(k Kind) bool {
	j.tally[k]++
	return j.tally[k] <= maxPerKind
}

func (j *judge) report(f Failure) { j.failures = append(j.failures, f) }

func (j *judge) verdict() Verdict {
	v := Verdict{Result: Pass, Failures: j.failures, Unjudged: j.unjudged, Scope: j.scope}
	for k, n := range j.tally {
		if n > 0 {
			v.Tally = append(v.Tally, Tally{Kind(k), n})
		}
	}
	if len(v.Tally) > 0 {
		v.Result = Fail
	} else if len(v.Unjudged) > 0 {
		v.Result = Unknown
	}
	return v
}

// causes points to inputs.
func (j *judge) causes(ids ...int32) []Cause {
	out := make([]Cause, 0, len(ids))
	for _, id := range ids {
		in := &j.h.Inputs[id]
		out = append(out, Cause{in.Topic, in.Partition, in.Offset, in.At})
	}
	return out
}

// sighting is what fetch f showed at an offset.
func (j *judge) sighting(f int32, offset int64, absent bool) Sighting {
	x := &j.h.Fetches[f]
	return Sighting{x.Reader, x.Topic, x.Partition, offset, absent, x.Call, x.Return}
}
