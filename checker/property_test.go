package checker

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawShape(t *rapid.T) shape {
	return shape{
		seed:     rapid.Uint64().Draw(t, "seed"),
		inParts:  rapid.IntRange(1, 3).Draw(t, "inParts"),
		outParts: rapid.IntRange(1, 3).Draw(t, "outParts"),
		keys:     rapid.IntRange(1, 6).Draw(t, "keys"),
		inputs:   rapid.IntRange(0, 60).Draw(t, "inputs"),
		readers:  rapid.IntRange(1, 4).Draw(t, "readers"),
		batch:    rapid.IntRange(1, 12).Draw(t, "batch"),
		aborts:   rapid.Bool().Draw(t, "aborts"),
	}
}

// TestCleanHistoriesPass: whatever the interleaving, batches, gaps and readers, an honest run passes.
func TestCleanHistoriesPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawShape(t)
		s.stopEarly = rapid.Bool().Draw(t, "stopEarly")
		if rapid.Bool().Draw(t, "searchable") {
			s = searchable(s)
		} else {
			s.topics = denseTopics
		}
		w := newWorld(s)
		if v := Check(w.history(), w.spec()); v.Result != Pass {
			t.Fatalf("%v", v)
		}
	})
}

// plant is one anomaly; at tells whether emission i of the topic can carry it, and does it.
type plant struct {
	name  string
	topic string
	want  Kind
	do    func(w *world, topic string, i int) bool
}

var plants = []plant{
	{"effect lost everywhere", "copy", Lost, func(w *world, t string, i int) bool {
		w.emits["audit"] = slices.Delete(w.emits["audit"], i, i+1)
		return remove(w, t, i)
	}},
	{"effect lost in one of two sinks", "audit", Torn, remove},
	{"effect written twice at once", "copy", Doubled, twice},
	{"effect written again later", "audit", Doubled, again},
	{"two effects of a key swapped", "copy", Reordered, swap},
	{"effect of an aborted input", "copy", AbortedRead, foldAborted},
	{"effect of nothing", "copy", Phantom, corrupt},
	{"count skips an output", "count", Lost, muteInside},
	{"count has no last output", "count", Lost, muteLast},
	{"count written twice", "count", Doubled, twice},
	{"count includes an input twice", "count", Doubled, again},
	{"count misses an input", "count", Lost, remove},
	{"count is wrong", "count", Phantom, corrupt},
	{"chain skips an output", "chain", Lost, muteInside},
	{"chain written twice", "chain", Doubled, twice},
	{"chain includes an input twice", "chain", Doubled, again},
	{"chain misses an input", "chain", Lost, remove},
	{"chain takes two inputs of a partition in the wrong order", "chain", Reordered, swap},
	{"chain includes an aborted input", "chain", AbortedRead, foldAborted},
	{"chain is wrong", "chain", Phantom, corrupt},
	{"sum is wrong", "sum", Phantom, corrupt},
	{"peek misses an input", "peek", Lost, remove},
	{"peek includes an input twice", "peek", Doubled, twiceInFold},
	{"peek takes two inputs of a partition in the wrong order", "peek", Reordered, swapInBatch},
	{"peek includes an aborted input", "peek", AbortedRead, foldAborted},
	{"peek is wrong", "peek", Phantom, corruptLast},
	{"peek does not show the last input", "peek", Lost, muteLast},
}

func remove(w *world, t string, i int) bool {
	w.emits[t] = slices.Delete(w.emits[t], i, i+1)
	return true
}

func twice(w *world, t string, i int) bool { w.emits[t][i].twice = true; return true }

func corrupt(w *world, t string, i int) bool {
	if t == "copy" { // a phantom besides the right one
		e := w.emits[t][i]
		e.corrupt = true
		w.emits[t] = slices.Insert(w.emits[t], i, e)
		return true
	}
	w.emits[t][i].corrupt = true
	return true
}

func corruptLast(w *world, t string, i int) bool {
	w.emits[t][i].corrupt = true
	return w.endOfBatch(t, i)
}

// again writes the emission once more at the end.
func again(w *world, t string, i int) bool {
	if w.hasAborted(i, t) && t == "count" {
		return false // an aborted input of the key is an equally good story
	}
	e := w.emits[t][i]
	e.batch = len(w.visible) - 1
	w.emits[t] = append(w.emits[t], e)
	return true
}

func twiceInFold(w *world, t string, i int) bool {
	w.emits[t] = slices.Insert(w.emits[t], i, w.emits[t][i])
	return true
}

func (w *world) key(t string, i int) []byte { return w.inputs[w.emits[t][i].input].Key }

func (w *world) hasAborted(i int, t string) bool {
	return slices.ContainsFunc(w.inputs, func(in Input) bool { return in.Fate == Aborted && bytes.Equal(in.Key, w.key(t, i)) })
}

// nextOfKey finds the next emission of the same key.
func (w *world) nextOfKey(t string, i int) int {
	for n := i + 1; n < len(w.emits[t]); n++ {
		if bytes.Equal(w.key(t, i), w.key(t, n)) {
			return n
		}
	}
	return -1
}

// swap exchanges an emission with the next of its key, if they come from one partition.
func swap(w *world, t string, i int) bool {
	n := w.nextOfKey(t, i)
	e := w.emits[t]
	if n < 0 || w.inputs[e[i].input].Partition != w.inputs[e[n].input].Partition {
		return false
	}
	e[i].input, e[n].input = e[n].input, e[i].input
	e[i].batch = e[n].batch // no effect before its cause
	return true
}

// swapInBatch does so when both are in one batch, so that a sparse output hides which came first.
func swapInBatch(w *world, t string, i int) bool {
	n := w.nextOfKey(t, i)
	return n >= 0 && w.emits[t][i].batch == w.emits[t][n].batch && swap(w, t, i)
}

func muteInside(w *world, t string, i int) bool {
	w.emits[t][i].mute = true
	return w.nextOfKey(t, i) >= 0
}

func muteLast(w *world, t string, i int) bool {
	for n := i; n >= 0; n = w.nextOfKey(t, n) {
		i = n
	}
	w.emits[t][i].mute = true
	return true
}

// foldAborted lets the first aborted input of the same key take part, at its place in its partition.
func foldAborted(w *world, t string, i int) bool {
	aborted := slices.IndexFunc(w.inputs, func(in Input) bool { return in.Fate == Aborted && bytes.Equal(in.Key, w.key(t, i)) })
	if aborted < 0 {
		return false
	}
	at := slices.IndexFunc(w.emits[t], func(e emission) bool {
		in, ab := w.inputs[e.input], w.inputs[aborted]
		return in.Partition == ab.Partition && in.Offset > ab.Offset
	})
	if at >= 0 {
		w.emits[t] = slices.Insert(w.emits[t], at, emission{input: aborted, batch: w.emits[t][at].batch})
	}
	return at >= 0
}

// searchable makes a world whose sparse hash chain can be searched: not too many inputs between two outputs.
func searchable(s shape) shape {
	s.inParts, s.batch, s.inputs, s.prompt = min(s.inParts, 2), min(s.batch, 5), min(s.inputs, 40), true
	return s
}

// TestPlantedAnomaliesAreFound: each anomaly, put anywhere in an honest run, fails as its own kind and as no other.
func TestPlantedAnomaliesAreFound(t *testing.T) {
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			planted, open := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				s := drawShape(t)
				s.aborts = s.aborts || p.want == AbortedRead
				s.inputs += 10
				if p.topic == "peek" {
					s = searchable(s)
				} else {
					s.topics = denseTopics
				}
				w := newWorld(s)
				if n := len(w.emits[p.topic]); n == 0 || !p.do(w, p.topic, rapid.IntRange(0, n-1).Draw(t, "at")) {
					return
				}
				planted++
				v := Check(w.history(), w.spec())
				if v.Result == Unknown && p.topic == "peek" {
					open++ // too many orders to refute them all
				} else if v.Result != Fail || kindsOf(v) != p.want.String() {
					t.Fatalf("want %v alone, got %v", p.want, v)
				}
			})
			if planted < 5 || open > planted/4 {
				t.Fatalf("planted %d times, not judged %d times", planted, open)
			}
			t.Logf("planted %d times, not judged %d times", planted, open)
		})
	}
}

// TestAbortedReadsAreFound: one reader, before all others, gets a record at an offset where the others get none.
func TestAbortedReadsAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawShape(t)
		s.inputs, s.readers, s.topics = s.inputs+10, max(2, s.readers), []string{"copy", "count"}
		w := newWorld(s)
		h := w.history()
		f := rapid.IntRange(0, len(h.Fetches)-1).Draw(t, "fetch")
		x := &h.Fetches[f]
		if len(x.Records) == 0 || x.Records[0].Offset == x.From {
			return // no gap to put it in
		}
		for _, o := range h.Fetches {
			if o.Topic == x.Topic && o.Partition == x.Partition && o.Return < x.Call {
				return
			}
		}
		ghost := x.Records[0] // tried once, aborted, tried again
		ghost.Offset = x.From
		x.Records = slices.Insert(slices.Clone(x.Records), 0, ghost)
		if v := Check(h, w.spec()); kindsOf(v) != "aborted read" || v.Count(AbortedRead) != 1 {
			t.Fatal(v)
		}
	})
}

// TestDamageNeverPasses: several anomalies at once are still no pass, whatever they are taken for.
func TestDamageNeverPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawShape(t)
		s.inputs, s.aborts = s.inputs+10, true
		w := newWorld(searchable(s))
		done := map[string]bool{} // one per topic: two might undo each other
		for range rapid.IntRange(2, 4).Draw(t, "plants") {
			p := rapid.SampledFrom(plants[1:]).Draw(t, "plant")
			if n := len(w.emits[p.topic]); n > 0 && !done[p.topic] {
				done[p.topic] = p.do(w, p.topic, rapid.IntRange(0, n-1).Draw(t, "at"))
			}
		}
		v := Check(w.history(), w.spec())
		for topic, planted := range done {
			if planted && v.Result == Pass {
				t.Fatalf("an anomaly in %s, and a pass", topic)
			}
		}
	})
}
