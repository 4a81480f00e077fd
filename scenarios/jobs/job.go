package jobs

import "weir"

// Job is a job with what a scenario must know to run it.
type Job struct {
	Name        string
	Factory     func() *weir.Job
	Inputs      []string // topics
	Outputs     []string // topics
	Partitions  int      // of each topic, as the job is meant
	Parallelism int      // as the job is meant
}

// All is every job, in the order of the package's documentation.
func All() []Job {
	return []Job{Linear(), FanIn(), Shuffle(), TwoSinks(), Bounded(), ChainFirst(), ChainSecond(), HashChain(), Recent()}
}

// Named is the job of a name.
func Named(name string) (Job, bool) {
	for _, j := range All() {
		if j.Name == name {
			return j, true
		}
	}
	return Job{}, false
}

// Linear copies a topic and drops the ids that end in 7.
func Linear() Job {
	return Job{"linear", linear, []string{"linear-in"}, []string{"linear-out"}, 2, 1}
}

// FanIn counts the keys of two topics together.
func FanIn() Job {
	return Job{"fanin", fanIn, []string{"fanin-a", "fanin-b"}, []string{"fanin-out"}, 2, 2}
}

// Shuffle counts keys.
func Shuffle() Job {
	return Job{"shuffle", shuffle, []string{"shuffle-in"}, []string{"shuffle-out"}, 3, 3}
}

// TwoSinks copies a topic to two.
func TwoSinks() Job {
	return Job{"twosinks", twoSinks, []string{"twosinks-in"}, []string{"twosinks-a", "twosinks-b"}, 2, 2}
}

// Bounded counts the keys of what a topic holds at the start, and finishes.
func Bounded() Job {
	return Job{"bounded", bounded, []string{"bounded-in"}, []string{"bounded-out"}, 2, 2}
}

// ChainFirst copies a topic for ChainSecond.
func ChainFirst() Job {
	return Job{"chainfirst", chainFirst, []string{"chain-in"}, []string{"chain-mid"}, 2, 1}
}

// ChainSecond counts the keys of what ChainFirst has written.
func ChainSecond() Job {
	return Job{"chainsecond", chainSecond, []string{"chain-mid"}, []string{"chain-out"}, 2, 2}
}

// HashChain chains the hashes of a key's ids.
func HashChain() Job {
	return Job{"hashchain", hashChain, []string{"hashchain-in"}, []string{"hashchain-out"}, 2, 2}
}

func linear() *weir.Job {
	j := weir.New("linear")
	ids := weir.From(j, "in", weir.Topic("linear-in", weir.String{}))
	kept := weir.Filter(ids, "drop-7", func(id string) bool { return id == "" || id[len(id)-1] != '7' })
	weir.To(kept, "out", copies("linear-out"))
	return j
}

func fanIn() *weir.Job {
	j := weir.New("fanin")
	a := weir.From(j, "a", weir.Topic("fanin-a", weir.String{}))
	b := weir.From(j, "b", weir.Topic("fanin-b", weir.String{}))
	countTo(weir.Union(a, b), "fanin-out")
	return j
}

func shuffle() *weir.Job {
	j := weir.New("shuffle")
	countTo(weir.From(j, "in", weir.Topic("shuffle-in", weir.String{})), "shuffle-out")
	return j
}

func twoSinks() *weir.Job {
	j := weir.New("twosinks")
	ids := weir.From(j, "in", weir.Topic("twosinks-in", weir.String{}))
	weir.To(ids, "a", copies("twosinks-a"))
	weir.To(ids, "b", copies("twosinks-b"))
	return j
}

func bounded() *weir.Job {
	j := weir.New("bounded")
	countTo(weir.From(j, "in", weir.BoundedTopic("bounded-in", weir.String{})), "bounded-out")
	return j
}

func chainFirst() *weir.Job {
	j := weir.New("chainfirst")
	weir.To(weir.From(j, "in", weir.Topic("chain-in", weir.String{})), "out", copies("chain-mid"))
	return j
}

func chainSecond() *weir.Job {
	j := weir.New("chainsecond")
	countTo(weir.From(j, "in", weir.Topic("chain-mid", copied{})), "chain-out")
	return j
}

func hashChain() *weir.Job {
	j := weir.New("hashchain")
	ids := weir.From(j, "in", weir.Topic("hashchain-in", weir.String{}))
	chain := weir.Aggregate(byKey(ids), "chain", weir.Agg[string, total, total]{
		Add:   func(t *total, id string) { *t = total{chained(t.n, id), id} },
		Out:   func(t total) total { return t },
		Codec: totalState{},
	})
	weir.To(chain, "out", weir.SinkTopic("hashchain-out", totalKey, hashValue))
	return j
}

func byKey(ids weir.Stream[string]) weir.Keyed[string, string] {
	return weir.KeyBy(ids, keyOf, weir.String{}, weir.String{})
}

// countTo ends ids in a topic of their keys' counts.
func countTo(ids weir.Stream[string], topic string) {
	counts := weir.Aggregate(byKey(ids), "count", weir.Agg[string, total, total]{
		Add:   func(t *total, id string) { *t = total{t.n + 1, id} },
		Out:   func(t total) total { return t },
		Codec: totalState{},
	})
	weir.To(counts, "out", weir.SinkTopic(topic, totalKey, countValue))
}

func copies(topic string) weir.Sink[string] {
	return weir.SinkTopic(topic, func(dst []byte, id string) ([]byte, error) { return append(dst, keyOf(id)...), nil }, copied{}.Append)
}
