package weir_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/task"
)

var errBoom = errors.New("boom")

func appendNothing(dst []byte, _ string) ([]byte, error) { return dst, nil }

// lineJob is a job with one source of lines, to which build adds the rest.
func lineJob(build func(lines weir.Stream[string])) func() *weir.Job {
	return func() *weir.Job {
		j := weir.New("test")
		build(weir.From(j, "lines", weir.Topic("lines", weir.String{})))
		return j
	}
}

func toOut(s weir.Stream[string]) {
	weir.To(s, "out", weir.SinkTopic("out", appendNothing, weir.String{}.Append))
}

// brittle is a codec that fails on, or panics at, one text.
type brittle struct {
	weir.String
	encode, decode string
}

func (c brittle) Append(dst []byte, v string) ([]byte, error) {
	if v == c.encode {
		return dst, errBoom
	}
	return append(dst, v...), nil
}

func (c brittle) Decode(b []byte) (string, error) {
	if string(b) == c.decode {
		return "", errBoom
	}
	return string(b), nil
}

func boomAt(bad string) func(string) {
	return func(s string) {
		if s == bad {
			panic(errBoom)
		}
	}
}

func identity(s string) string { return s }

func count(k weir.Keyed[string, string], id string) weir.Stream[weir.KV[string, int64]] {
	return weir.Aggregate(k, id, weir.Count[string]())
}

func toCounts(s weir.Stream[weir.KV[string, int64]]) {
	weir.To(s, "out", weir.KeyedTopic("out", weir.String{}, weir.Int64{}))
}

// failureCase is a job one of whose operators fails at the record "bad", and what its error says.
type failureCase struct {
	operator, text string
	build          func(weir.Stream[string])
}

func statelessFailures(bad string) []failureCase {
	boom := boomAt(bad)
	return []failureCase{
		{"keep", "panic at code_test.go:", func(s weir.Stream[string]) {
			toOut(weir.Filter(s, "keep", func(v string) bool { boom(v); return true }))
		}},
		{"map", "panic at code_test.go:", func(s weir.Stream[string]) {
			toOut(weir.Map(s, "map", func(v string) string { boom(v); return v }))
		}},
		{"maperr", "boom", func(s weir.Stream[string]) {
			toOut(weir.MapErr(s, "maperr", func(v string) (string, error) {
				if v == bad {
					return "", errBoom
				}
				return v, nil
			}))
		}},
		{"after", "panic at code_test.go:", func(s weir.Stream[string]) {
			f := weir.FlatMap(s, "after", func(v string, emit func(string)) { emit(v); boom(v) })
			toOut(weir.Map(f, "below", identity))
		}},
		{"second", "panic at code_test.go:", func(s weir.Stream[string]) {
			toOut(weir.Map(s, "first", identity))
			weir.To(weir.Map(s, "second", func(v string) string { boom(v); return v }), "out2", weir.SinkTopic("out2", appendNothing, weir.String{}.Append))
		}},
		{"united", "panic at code_test.go:", func(s weir.Stream[string]) {
			toOut(weir.Map(weir.Union(s, weir.Map(s, "other", identity)), "united", func(v string) string { boom(v); return v }))
		}},
		{"out", "encode key: boom", func(s weir.Stream[string]) {
			weir.To(s, "out", weir.SinkTopic("out", brittle{encode: bad}.Append, weir.String{}.Append))
		}},
		{"out", "encode value: boom", func(s weir.Stream[string]) {
			weir.To(s, "out", weir.SinkTopic("out", weir.String{}.Append, brittle{encode: bad}.Append))
		}},
	}
}

func keyedFailures(bad string) []failureCase {
	boom := boomAt(bad)
	agg := weir.Agg[string, string, string]{Add: func(a *string, v string) { *a = v }, Out: identity, Codec: weir.String{}}
	return []failureCase{
		{"count", "panic at code_test.go:", func(s weir.Stream[string]) {
			toCounts(count(weir.KeyBy(s, func(v string) string { boom(v); return v }, weir.String{}, weir.String{}), "count"))
		}},
		{"count", "encode key: boom", func(s weir.Stream[string]) {
			toCounts(count(weir.KeyBy(s, identity, brittle{encode: bad}, weir.String{}), "count"))
		}},
		{"count", "encode record: boom", func(s weir.Stream[string]) {
			toCounts(count(weir.KeyBy(s, identity, weir.String{}, brittle{encode: bad}), "count"))
		}},
		{"count", "decode key: boom", func(s weir.Stream[string]) {
			toCounts(count(weir.KeyBy(s, identity, brittle{decode: bad}, weir.String{}), "count"))
		}},
		{"count", "decode record: boom", func(s weir.Stream[string]) {
			toCounts(count(weir.KeyBy(s, identity, weir.String{}, brittle{decode: bad}), "count"))
		}},
		{"agg", "panic at code_test.go:", func(s weir.Stream[string]) {
			a := agg
			a.Add = func(acc *string, v string) { boom(v); *acc = v }
			toText(weir.Aggregate(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "agg", a))
		}},
		{"agg", "panic at code_test.go:", func(s weir.Stream[string]) {
			a := agg
			a.Out = func(acc string) string { boom(acc); return acc }
			toText(weir.Aggregate(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "agg", a))
		}},
		{"agg", "encode accumulator: boom", func(s weir.Stream[string]) {
			a := agg
			a.Codec = brittle{encode: bad}
			toText(weir.Aggregate(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "agg", a))
		}},
		{"agg", "decode accumulator: boom", func(s weir.Stream[string]) {
			a := agg
			a.Codec = brittle{decode: "last"}
			toText(weir.Aggregate(weir.KeyBy(s, func(v string) string { return v[:1] }, weir.String{}, weir.String{}), "agg", a))
		}},
	}
}

// Every failure, wherever it arises, bears the operator's id and the record's index.
func TestFailureNamesOperatorAndRecord(t *testing.T) {
	for i, c := range append(statelessFailures("bad"), keyedFailures("bad")...) {
		t.Run(fmt.Sprint(i, " ", c.operator, " ", c.text), func(t *testing.T) {
			_, err := runGraph(lineJob(c.build), map[string][]string{"lines": {"good", "last", "bad", "never"}})
			if c.text == "decode accumulator: boom" {
				_, err = runGraph(lineJob(c.build), map[string][]string{"lines": {"good", "last", "line", "never"}})
			}
			var ce *task.CodeError
			if !errors.As(err, &ce) || ce.Operator != c.operator || ce.Record != 2 || !errors.Is(err, errBoom) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %#v (%v), want operator %q, record 2, text %q", ce, err, c.operator, c.text)
			}
		})
	}
}

func toText(s weir.Stream[weir.KV[string, string]]) {
	weir.To(s, "out", weir.KeyedTopic("out", weir.String{}, weir.String{}))
}

func TestSourceDecodeError(t *testing.T) {
	factory := func() *weir.Job {
		j := weir.New("test")
		n := weir.From(j, "numbers", weir.Topic("numbers", weir.Int64{}))
		weir.To(n, "out", weir.SinkTopic("out", weir.Int64{}.Append, weir.Int64{}.Append))
		return j
	}
	out := &collector{}
	err := sourceOf(t, factory).Process(input([]string{"12345678", "short", "12345678"}), nil, out)
	var ce *task.CodeError
	if !errors.As(err, &ce) || ce.Operator != "numbers" || ce.Record != 1 {
		t.Fatalf("got %v, want operator numbers, record 1", err)
	}
	if want := `operator "numbers": decode value: an int64 is 8 bytes long, this is 5`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestRuntimePanic(t *testing.T) {
	code := sourceOf(t, lineJob(func(s weir.Stream[string]) {
		toOut(weir.Map(s, "cut", func(v string) string { return v[3:] }))
	}))
	err := code.Process(input([]string{"long enough", "no"}), nil, &collector{})
	if err == nil || !strings.Contains(err.Error(), `operator "cut": panic at code_test.go:`) || !strings.Contains(err.Error(), "slice bounds out of range") {
		t.Errorf("got %v", err)
	}
	if err := code.Process(input([]string{"again"}), nil, &collector{}); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

// A record keeps the origin of the input record that caused it, and carries the hash of its key.
func TestOriginAndHash(t *testing.T) {
	out := &collector{}
	code := sourceOf(t, lineJob(func(s weir.Stream[string]) {
		words := weir.FlatMap(s, "split", split)
		toCounts(count(weir.KeyBy(words, identity, weir.String{}, weir.String{}), "count"))
	}))
	if err := code.Process(input([]string{"a b", "", "c"}), nil, out); err != nil {
		t.Fatal(err)
	}
	b := out.edges[0]
	if got := texts(b); !slices.Equal(got, []string{"a=a", "b=b", "c=c"}) {
		t.Fatalf("got %q", got)
	}
	for i, offset := range []int64{100, 100, 102} {
		if r := b.Record(i); r.Partition != 7 || r.Offset != offset || r.Hash != state.Hash(b.Key(i)) {
			t.Errorf("record %d: got %+v, want partition 7, offset %d, hash %d", i, r, offset, state.Hash(b.Key(i)))
		}
	}
}

// An accumulator of bytes may be changed in place and grown: what the state lent is not touched.
func TestAccumulatorMayAlias(t *testing.T) {
	factory := func() *weir.Job {
		j := weir.New("test")
		lines := weir.From(j, "lines", weir.Topic("lines", weir.Bytes{}))
		keyed := weir.KeyBy(lines, func(b []byte) string { return string(b[:1]) }, weir.String{}, weir.Bytes{})
		all := weir.Aggregate(keyed, "all", weir.Agg[[]byte, []byte, []byte]{
			Add: func(acc *[]byte, v []byte) {
				for i := range *acc {
					(*acc)[i] ^= 0x20
				}
				*acc = append(*acc, v[1:]...)
			},
			Out:   func(acc []byte) []byte { return acc },
			Codec: weir.Bytes{},
		})
		weir.To(all, "out", weir.KeyedTopic("out", weir.String{}, weir.Bytes{}))
		return j
	}
	out, err := runGraph(factory, map[string][]string{"lines": {"1ab", "2x", "1c", "1d"}})
	if got, want := texts(out["out"]), []string{"1=ab", "2=x", "1=ABc", "1=abCd"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestInitIsPerKey(t *testing.T) {
	build := func(s weir.Stream[string]) {
		a := weir.Count[string]()
		a.Init = func() int64 { return 40 }
		toCounts(weir.Aggregate(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "count", a))
	}
	out, err := runGraph(lineJob(build), map[string][]string{"lines": {"a", "b", "a"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{41, 41, 42} {
		if got, _ := (weir.Int64{}).Decode(out["out"].Value(i)); got != want {
			t.Errorf("record %d: got %d, want %d", i, got, want)
		}
	}
}

// A stream's users each see every record, in the order of their creation; a diamond passes each record twice.
func TestFanOutAndDiamond(t *testing.T) {
	build := func(s weir.Stream[string]) {
		up := weir.Map(s, "up", strings.ToUpper)
		both := weir.Union(s, up)
		keyed := weir.KeyBy(both, identity, weir.String{}, weir.String{})
		weir.To(count(keyed, "one"), "counts", weir.KeyedTopic("counts", weir.String{}, weir.JSON[int64]{}))
		weir.To(weir.Map(count(keyed, "two"), "key", func(v weir.KV[string, int64]) string { return v.Key }), "keys",
			weir.SinkTopic("keys", appendNothing, weir.String{}.Append))
		toOut(both)
	}
	out, err := runGraph(lineJob(build), map[string][]string{"lines": {"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string][]string{
		"out": {"=A", "=a", "=B", "=b"}, "counts": {"A=1", "a=1", "B=1", "b=1"}, "keys": {"=A", "=a", "=B", "=b"},
	} {
		if got := texts(out[topic]); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", topic, got, want)
		}
	}
	g, _ := weir.Graph(lineJob(build))
	want := []job.Edge{{From: 0, To: 1, Kind: job.Shuffle}, {From: 0, To: 3, Kind: job.Shuffle}, {From: 0, To: 5, Kind: job.Forward},
		{From: 1, To: 2, Kind: job.Forward}, {From: 3, To: 4, Kind: job.Forward}}
	if !slices.Equal(g.Edges, want) {
		t.Errorf("edges: got %v, want %v", g.Edges, want)
	}
}

// Nothing that a closure captured is shared by two tasks.
func TestCodeIsMadeAnew(t *testing.T) {
	g, err := weir.Graph(func() *weir.Job {
		n := 0
		return lineJob(func(s weir.Stream[string]) {
			toOut(weir.Map(s, "number", func(v string) string { n++; return fmt.Sprint(v, n) }))
		})()
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out := &collector{}
		if err := g.Stages[0].Code().Process(input([]string{"x", "y"}), nil, out); err != nil {
			t.Fatal(err)
		}
		if got := texts(out.edges[0]); !slices.Equal(got, []string{"=x1", "=y2"}) {
			t.Errorf("got %q", got)
		}
	}
}

// The fused code does what the plain functions do, whatever the batches.
func TestFusedIsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching(`[a-c ]{0,6}`)).Draw(t, "lines")
		var want []string
		counts := map[string]int{}
		for _, l := range lines {
			split(l, func(w string) {
				counts[w]++
				want = append(want, fmt.Sprintf("%s=%d", w, counts[w]))
			})
		}
		out, err := runGraph(wordCount, map[string][]string{"lines": lines})
		if got := texts(out["counts"]); err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	})
}
