package checker

import (
	"fmt"
	"testing"
)

// BenchmarkExactlyOnce judges 100,000 output records read by two readers, by ids, with order per key.
func BenchmarkExactlyOnce(b *testing.B) {
	h, spec := bigHistory(100_000, "copy")
	b.ReportAllocs()
	for b.Loop() {
		if v := Check(h, spec); v.Result != Pass {
			b.Fatal(v)
		}
	}
}

// BenchmarkCount judges a running count over 1,000 keys, and BenchmarkChain a hash chain.
func BenchmarkCount(b *testing.B) { benchmarkFold(b, "count") }
func BenchmarkChain(b *testing.B) { benchmarkFold(b, "chain") }
func BenchmarkSum(b *testing.B)   { benchmarkFold(b, "sum") }

func benchmarkFold(b *testing.B, topic string) {
	h, spec := bigHistory(100_000, topic)
	b.ReportAllocs()
	for b.Loop() {
		if v := Check(h, spec); v.Result != Pass {
			b.Fatal(v)
		}
	}
}

func bigHistory(n int, topics ...string) (*History, Spec) {
	w := newWorld(shape{seed: 7, inParts: 4, outParts: 4, keys: 1000, inputs: n, readers: 2, batch: 500, topics: topics})
	return w.history(), w.spec()
}

// BenchmarkSmall judges a whole small history, as a simulator makes thousands of: four topics, 200 inputs, two readers.
func BenchmarkSmall(b *testing.B) {
	w := newWorld(shape{seed: 7, inParts: 2, outParts: 2, keys: 10, inputs: 200, readers: 2, batch: 10, aborts: true, topics: []string{"copy", "audit", "count", "chain"}})
	h, spec := w.history(), w.spec()
	b.ReportAllocs()
	for b.Loop() {
		if v := Check(h, spec); v.Result != Pass {
			b.Fatal(v)
		}
	}
}

// BenchmarkLinear orders one key with 20 operations: 14 inputs in two partitions, 6 values of a hash chain now and then.
func BenchmarkLinear(b *testing.B) {
	p := chainPuzzle(14, 6)
	b.ReportAllocs()
	for b.Loop() {
		if p.solve() != yes {
			b.Fatal("not explained")
		}
	}
}

// BenchmarkPorcupine gives the same to porcupine, which otherwise has only the keys that the quick ways leave open.
func BenchmarkPorcupine(b *testing.B) {
	p := chainPuzzle(14, 6)
	b.ReportAllocs()
	for b.Loop() {
		p.budget = maxSteps
		if p.linearise() != yes {
			b.Fatal("not explained")
		}
	}
	b.ReportMetric(float64(maxSteps-p.budget), "steps/op")
}

// chainPuzzle is one key's sparse hash chain over two partitions, with reads at even distances.
func chainPuzzle(inputs, outs int) *puzzle {
	w := newWorld(shape{seed: 3, inParts: 2, outParts: 1, keys: 1, inputs: inputs, readers: 1, batch: inputs / outs, prompt: true, topics: []string{"peek"}})
	h, spec := w.history(), w.spec()
	j := &judge{h: h, spec: &spec}
	if !j.sortInputs() || !j.readLogs() {
		panic(fmt.Sprint(j.verdict()))
	}
	g := &folding{judge: j, f: &spec.Folds[0], names: make(map[string]int32)}
	g.groupInputs()
	g.groupOutputs()
	p := &puzzle{folding: g, ins: g.ins, outs: g.outs, all: true}
	p.line(0)
	return p
}
