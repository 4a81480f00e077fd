package checker

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// world makes histories of an imaginary job: inputs in several partitions, some of them aborted, handled in a random
// order that keeps each partition's own, committed in batches, written to logs with gaps, and read by several readers.
type world struct {
	shape
	rng      *rand.Rand
	now      int64
	inputs   []Input
	handled  []emission // committed inputs in the order the job handles them
	visible  []int64    // by batch
	topics   []string
	emits    map[string][]emission // by topic; plants change these
	logs     []testLog
	fetches  []Fetch
	complete bool
}

type shape struct {
	seed                                     uint64
	inParts, outParts, keys, inputs, readers int
	batch                                    int  // inputs per batch, about
	aborts                                   bool // one input in eight is aborted
	prompt                                   bool // batches are even, and readers get each record soon
	stopEarly                                bool // an undrained run
	topics                                   []string
}

// emission is one input's turn at a topic.
type emission struct {
	input, batch         int
	mute, twice, corrupt bool
}

type testLog struct {
	place
	recs []testRec
}

type testRec struct {
	Record
	visible int64
	input   int
}

// Topic peek has the hash chain too, but only the last value of each batch.
var (
	allTopics   = []string{"copy", "audit", "count", "sum", "chain", "peek"}
	denseTopics = allTopics[:5]
)

func newWorld(s shape) *world {
	w := &world{shape: s, rng: rand.New(rand.NewPCG(s.seed, 1)), topics: s.topics, emits: map[string][]emission{}}
	if w.topics == nil {
		w.topics = allTopics
	}
	w.run()
	for _, t := range w.topics {
		w.emits[t] = slices.Clone(w.handled)
	}
	return w
}

func (w *world) tick() int64 { w.now += 1 + w.rng.Int64N(5); return w.now }

// run appends all inputs, and handles them in batches as they come.
func (w *world) run() {
	offsets := make([]int64, w.inParts)
	queues := make([][]int, w.inParts)
	handle := func() {
		for p, q := range queues {
			for len(q) > 0 && (w.prompt || w.rng.IntN(4) > 0 || len(w.inputs) == w.shape.inputs) {
				q = w.handleOne(q)
			}
			queues[p] = q
		}
	}
	for i := range w.shape.inputs {
		p := w.rng.IntN(w.inParts)
		offsets[p] += 1 + w.rng.Int64N(2)
		k := w.rng.IntN(w.keys)
		in := Input{Topic: "in", Partition: int32(p), Offset: offsets[p], At: w.tick(), Key: fmt.Appendf(nil, "k%d", k), Value: fmt.Appendf(nil, "%d-%d", p, offsets[p])}
		if w.aborts && w.rng.IntN(8) == 0 {
			in.Fate = Aborted
		}
		w.inputs = append(w.inputs, in)
		queues[p] = append(queues[p], len(w.inputs)-1)
		if w.prompt && i%w.batch == 0 || !w.prompt && w.rng.IntN(w.batch) == 0 {
			handle()
			w.shuffleBatch(queues)
			w.visible = append(w.visible, w.tick())
		}
	}
	handle()
	w.visible = append(w.visible, w.tick())
}

func (w *world) handleOne(q []int) []int {
	if w.inputs[q[0]].Fate == Committed {
		w.handled = append(w.handled, emission{input: q[0], batch: len(w.visible)})
	}
	return q[1:]
}

// shuffleBatch interleaves the partitions within the newest batch.
func (w *world) shuffleBatch([][]int) {
	from := len(w.handled)
	for from > 0 && w.handled[from-1].batch == len(w.visible) {
		from--
	}
	b := w.handled[from:]
	for range 2 * len(b) {
		i := w.rng.IntN(max(1, len(b)-1))
		if i+1 < len(b) && w.inputs[b[i].input].Partition != w.inputs[b[i+1].input].Partition {
			b[i], b[i+1] = b[i+1], b[i]
		}
	}
}

// foldOf computes the folds of the world; the checker is given the same functions.
func foldOf(topic string, state []byte, in *Input) []byte {
	n := 0
	if len(state) > 0 {
		n, _ = strconv.Atoi(string(state))
	}
	switch topic {
	case "count":
		return strconv.AppendInt(nil, int64(n+1), 10)
	case "sum":
		return strconv.AppendInt(nil, int64(n)+in.Offset%4, 10)
	}
	h := fnv.New64a()
	h.Write(state)
	h.Write(in.Value)
	return h.Sum(nil)
}

// write makes the logs from the emissions.
func (w *world) write() {
	for _, t := range w.topics {
		for p := range w.outParts {
			w.logs = append(w.logs, testLog{place: place{t, int32(p)}})
		}
		logs := w.logs[len(w.logs)-w.outParts:]
		states := map[string][]byte{}
		for i, e := range w.emits[t] {
			w.writeOne(t, logs, states, e, w.endOfBatch(t, i))
		}
	}
	for i := range w.logs {
		w.number(&w.logs[i])
	}
}

// endOfBatch tells whether a key's emission is the last of its key in its batch.
func (w *world) endOfBatch(t string, i int) bool {
	all := w.emits[t]
	for _, o := range all[i+1:] {
		if o.batch > all[i].batch {
			return true
		}
		if bytes.Equal(w.inputs[o.input].Key, w.inputs[all[i].input].Key) {
			return false
		}
	}
	return true
}

func (w *world) writeOne(t string, logs []testLog, states map[string][]byte, e emission, last bool) {
	in := &w.inputs[e.input]
	value := in.Value
	if t != "copy" && t != "audit" {
		value = foldOf(t, states[string(in.Key)], in)
		states[string(in.Key)] = value
	}
	if t == "peek" && !last || e.mute {
		return
	}
	if e.corrupt {
		value = append([]byte("9999"), value...)
	}
	h := fnv.New32a()
	h.Write(in.Key)
	l := &logs[h.Sum32()%uint32(len(logs))]
	r := testRec{Record: Record{Key: in.Key, Value: value}, visible: w.visible[e.batch], input: e.input}
	l.recs = append(l.recs, r)
	if e.twice {
		l.recs = append(l.recs, r)
	}
}

// number gives offsets, with gaps for markers and aborted records, and makes visibility grow with the offset.
func (w *world) number(l *testLog) {
	var off, seen int64
	lag := w.rng.Int64N(20)
	if w.prompt {
		lag = 0
	}
	for i := range l.recs {
		r := &l.recs[i]
		if w.rng.IntN(3) == 0 {
			off += 1 + w.rng.Int64N(3)
		}
		r.Offset = off
		off++
		seen = max(seen, r.visible+lag)
		r.visible = seen
	}
}

// read lets every reader read every log.
func (w *world) read() {
	for n := range w.readers {
		for i := range w.logs {
			w.readLog(fmt.Sprintf("r%d", n), &w.logs[i])
		}
	}
	slices.SortStableFunc(w.fetches, func(a, b Fetch) int { return int(a.Return - b.Return) })
}

func (w *world) readLog(reader string, l *testLog) {
	clock, from := w.rng.Int64N(50), int64(0)
	if w.prompt {
		clock = 0
	}
	fetch := func(recs []testRec) {
		f := Fetch{Reader: reader, Topic: l.topic, Partition: l.partition, Call: clock, From: from}
		for _, r := range recs {
			f.Records = append(f.Records, r.Record)
			clock = max(clock, r.visible)
		}
		clock += 1 + w.rng.Int64N(9)
		f.Return = clock
		w.fetches = append(w.fetches, f)
	}
	for i := 0; i < len(l.recs); {
		if w.stopEarly && w.rng.IntN(20) == 0 {
			return
		}
		n := min(len(l.recs)-i, w.rng.IntN(6))
		if w.prompt {
			n = 1
		}
		fetch(l.recs[i : i+n])
		if i += n; n > 0 {
			from = l.recs[i-1].Offset + 1
		}
		if i < len(l.recs) && w.rng.IntN(2) == 0 {
			from = l.recs[i].Offset // the client has gone past the gap
		}
	}
	if w.rng.IntN(2) == 0 && !w.stopEarly {
		clock += 1_000_000
		fetch(nil)
	}
}

// history runs the rest of the world.
func (w *world) history() *History {
	w.write()
	w.read()
	ins := slices.Clone(w.inputs)
	w.rng.Shuffle(len(ins), func(i, k int) { ins[i], ins[k] = ins[k], ins[i] })
	return &History{Inputs: ins, Fetches: w.fetches, Complete: !w.stopEarly}
}

// spec is what the world's job should do.
func (w *world) spec() Spec {
	s := Spec{Observe: func(topic string, r *Record) ([]byte, bool) { return r.Value, topic == "copy" || topic == "audit" }}
	s.Expect = func(in *Input, out []Effect) []Effect {
		for _, t := range w.topics {
			if t == "copy" || t == "audit" {
				out = append(out, Effect{Topic: t, ID: in.Value, Key: in.Key})
			}
		}
		return out
	}
	for _, t := range w.topics {
		if t == "copy" || t == "audit" {
			continue
		}
		f := Fold{Topic: t, Key: func(in *Input) ([]byte, bool) { return in.Key, true }}
		f.Apply = func(state []byte, in *Input) (next, value []byte) { s := foldOf(t, state, in); return s, s }
		switch t {
		case "count":
			f.Order = Alike
		case "sum":
			f.Order = OrderFree
		case "peek":
			f.Emit = EmitLast
		}
		s.Folds = append(s.Folds, f)
	}
	return s
}

// kindsOf lists the kinds of failure in a verdict.
func kindsOf(v Verdict) string {
	var names []string
	for _, t := range v.Tally {
		names = append(names, t.Kind.String())
	}
	return strings.Join(names, ",")
}
