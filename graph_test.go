package weir_test

import (
	"strings"
	"testing"

	"weir"
)

func TestMistakes(t *testing.T) {
	var other weir.Stream[string]
	lineJob(func(s weir.Stream[string]) { other = s })()
	var noMap func(string) string
	cases := []struct {
		name  string
		build func(weir.Stream[string])
		want  string
	}{
		{"no sink", func(s weir.Stream[string]) {}, `From "lines": nothing uses its stream`},
		{"no sink", func(s weir.Stream[string]) {}, "it has no sink"},
		{"dangling", func(s weir.Stream[string]) { toOut(s); weir.Map(s, "loose", identity) }, `Map "loose": nothing uses its stream: end it in a sink with To, or remove it`},
		{"dangling union", func(s weir.Stream[string]) { toOut(s); weir.Union(s, s) }, `Union after From "lines": nothing uses its stream`},
		{"dangling aggregate", func(s weir.Stream[string]) {
			toOut(s)
			count(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "count")
		}, `Aggregate "count": nothing uses its stream`},
		{"never aggregated", func(s weir.Stream[string]) {
			toOut(s)
			weir.KeyBy(s, identity, weir.String{}, weir.String{})
		}, `KeyBy after From "lines": nothing uses the keyed stream`},
		{"duplicate", func(s weir.Stream[string]) { toOut(weir.Map(s, "out", identity)) }, `To "out": the id is taken by Map "out"`},
		{"empty id", func(s weir.Stream[string]) { toOut(weir.Map(s, "", identity)) }, `Map "" after From "lines": an id must not be empty`},
		{"slash", func(s weir.Stream[string]) { toOut(weir.Map(s, "a/b", identity)) }, `Map "a/b": an id must not be empty and has no slash`},
		{"nil filter", func(s weir.Stream[string]) { toOut(weir.Filter(s, "f", nil)) }, `Filter "f": the function is missing`},
		{"nil map", func(s weir.Stream[string]) { toOut(weir.Map(s, "f", noMap)) }, `Map "f": the function is missing`},
		{"nil maperr", func(s weir.Stream[string]) { toOut(weir.MapErr[string, string](s, "f", nil)) }, `MapErr "f": the function is missing`},
		{"nil flatmap", func(s weir.Stream[string]) { toOut(weir.FlatMap[string, string](s, "f", nil)) }, `FlatMap "f": the function is missing`},
		{"nil key", func(s weir.Stream[string]) {
			toCounts(count(weir.KeyBy[string](s, nil, weir.String{}, weir.String{}), "count"))
		}, `KeyBy after From "lines": the key function is missing`},
		{"nil key codec", func(s weir.Stream[string]) {
			toCounts(count(weir.KeyBy(s, identity, nil, weir.String{}), "count"))
		}, "the codec of keys is missing"},
		{"nil record codec", func(s weir.Stream[string]) {
			toCounts(count(weir.KeyBy(s, identity, weir.String{}, nil), "count"))
		}, "the codec of records is missing"},
		{"empty agg", func(s weir.Stream[string]) {
			k := weir.KeyBy(s, identity, weir.String{}, weir.String{})
			toCounts(weir.Aggregate(k, "count", weir.Agg[string, int64, int64]{}))
		}, `Aggregate "count": Add is missing`},
		{"nil sum", func(s weir.Stream[string]) {
			toCounts(weir.Aggregate(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "sum", weir.Sum[string](nil)))
		}, `Aggregate "sum": Add is missing`},
		{"empty sink", func(s weir.Stream[string]) { weir.To(s, "out", weir.Sink[string]{}) }, `To "out": the name of the topic is missing`},
		{"nil sink codec", func(s weir.Stream[string]) {
			toCounts2 := weir.KeyedTopic[string, int64]("out", weir.String{}, nil)
			weir.To(count(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "count"), "out", toCounts2)
		}, `To "out": what encodes the value is missing`},
		{"other job", func(s weir.Stream[string]) { toOut(weir.Union(s, other)) }, `Union after From "lines" takes a stream of job "test", From "lines", and one of job "test": a stream stays in its job`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := weir.Graph(lineJob(c.build))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestFactoryMistakes(t *testing.T) {
	good := lineJob(toOut)
	same := good()
	calls := 0
	cases := []struct {
		name    string
		factory func() *weir.Job
		want    string
	}{
		{"nil factory", nil, "factory is nil"},
		{"nil job", func() *weir.Job { return nil }, "returned nil"},
		{"same job", func() *weir.Job { return same }, "same job twice"},
		{"two jobs", func() *weir.Job {
			calls++
			return lineJob(func(s weir.Stream[string]) {
				if calls%2 == 0 {
					s = weir.Map(s, "more", identity)
					toCounts(count(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "count"))
					return
				}
				toOut(s)
			})()
		}, "two different jobs"},
		{"job name", func() *weir.Job {
			j := weir.New("a b")
			toOut(weir.From(j, "lines", weir.Topic("lines", weir.String{})))
			return j
		}, `job "a b": the name`},
		{"empty source", func() *weir.Job {
			j := weir.New("test")
			toOut(weir.From(j, "lines", weir.Source[string]{}))
			return j
		}, `From "lines": the name of the topic is missing`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := weir.Graph(c.factory)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// A factory that changes its mind later fails the task, with words.
func TestFactoryChangesLater(t *testing.T) {
	other := false
	g, err := weir.Graph(func() *weir.Job {
		if other {
			return lineJob(func(s weir.Stream[string]) {
				toCounts(count(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "count"))
			})()
		}
		return lineJob(toOut)()
	})
	if err != nil {
		t.Fatal(err)
	}
	other = true
	if err := g.Stages[0].Code().Process(input([]string{"x"}), nil, &collector{}); err == nil || !strings.Contains(err.Error(), "another job than before") {
		t.Errorf("got %v", err)
	}
}

func TestZeroStreamPanics(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "zero Stream") {
			t.Errorf("recovered %v", r)
		}
	}()
	weir.Map(weir.Stream[string]{}, "x", identity)
}
