package weir_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir"
)

func split(line string, emit func(string)) {
	for w := range strings.FieldsSeq(line) {
		emit(w)
	}
}

func wordCount() *weir.Job {
	j := weir.New("wordcount")
	lines := weir.From(j, "lines", weir.Topic("lines", weir.String{}))
	words := weir.FlatMap(lines, "split", split)
	byWord := weir.KeyBy(words, func(w string) string { return w }, weir.Interned(), weir.String{})
	counts := weir.Aggregate(byWord, "count", weir.Count[string]())
	weir.To(counts, "counts", weir.KeyedTopic("counts", weir.String{}, weir.JSON[int64]{}))
	return j
}

func Example() {
	out, err := runGraph(wordCount, map[string][]string{"lines": {"the fox", "the dog"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range texts(out["counts"]) {
		fmt.Println(s)
	}
	// Output:
	// the=1
	// fox=1
	// the=2
	// dog=1
}

// What cannot be parsed goes to a topic of its own, as exactly once as everything else.
func ExampleFlatMap_malformed() {
	type number struct {
		text string
		n    int64
		ok   bool
	}
	factory := func() *weir.Job {
		j := weir.New("sums")
		parsed := weir.Map(weir.From(j, "texts", weir.Topic("texts", weir.String{})), "parse", func(s string) number {
			n, err := strconv.ParseInt(s, 10, 64)
			return number{s, n, err == nil}
		})
		good := weir.FlatMap(parsed, "good", func(v number, emit func(int64)) {
			if v.ok {
				emit(v.n)
			}
		})
		bad := weir.FlatMap(parsed, "bad", func(v number, emit func(string)) {
			if !v.ok {
				emit(v.text)
			}
		})
		parity := weir.KeyBy(good, func(n int64) string { return []string{"even", "odd"}[n&1] }, weir.String{}, weir.Int64{})
		sums := weir.Aggregate(parity, "sum", weir.Sum(func(n int64) int64 { return n }))
		weir.To(sums, "sums", weir.KeyedTopic("sums", weir.String{}, weir.JSON[int64]{}))
		weir.To(bad, "malformed", weir.SinkTopic("malformed", weir.String{}.Append, weir.String{}.Append))
		return j
	}
	out, err := runGraph(factory, map[string][]string{"texts": {"1", "2", "three", "5"}})
	fmt.Println(texts(out["sums"]), texts(out["malformed"]), err)
	// Output: [odd=1 even=2 odd=6] [three=three] <nil>
}

func ExampleUnion() {
	factory := func() *weir.Job {
		j := weir.New("fan-in")
		a := weir.From(j, "a", weir.BoundedTopic("a", weir.String{}))
		b := weir.From(j, "b", weir.BoundedTopic("b", weir.String{}))
		upper := weir.Map(weir.Union(a, b), "upper", strings.ToUpper)
		keyed := weir.KeyBy(upper, func(s string) string { return s[:1] }, weir.String{}, weir.String{})
		weir.To(weir.Aggregate(keyed, "count", weir.Count[string]()), "out", weir.KeyedTopic("out", weir.String{}, weir.JSON[int64]{}))
		return j
	}
	out, err := runGraph(factory, map[string][]string{"a": {"x1", "y1"}, "b": {"x2"}})
	fmt.Println(texts(out["out"]), err)
	// Output: [X=1 Y=1 X=2] <nil>
}

// Sessions: what a user clicked between "begin" and "end" comes out together, once each.
func ExampleProcess() {
	factory := func() *weir.Job {
		j := weir.New("sessions")
		web := weir.From(j, "web", weir.Topic("web", weir.String{}))
		app := weir.From(j, "app", weir.Topic("app", weir.String{}))
		byUser := weir.KeyBy(weir.Union(web, app), func(s string) string { return strings.Fields(s)[0] }, weir.Interned(), weir.String{})
		open := weir.NewValueState("open", weir.Int64{})                // sessions so far, while one is open
		pages := weir.NewListState("pages", weir.String{})              // in order
		times := weir.NewMapState("times", weir.String{}, weir.Int64{}) // by page, over all sessions
		sessions := weir.Process(byUser, "sessions", func(c *weir.Context[string, string], click string) error {
			switch page := strings.Fields(click)[1]; page {
			case "begin":
				n, _ := open.Get()
				open.Set(n + 1)
				pages.Clear()
			case "end":
				n, _ := open.Get()
				c.Emit(fmt.Sprintf("%s %d: %s, home %d times", c.Key(), n, slices.Collect(pages.All()), first(times.Get("home"))))
			default:
				pages.Append(page)
				times.Put(page, first(times.Get(page))+1)
			}
			return nil
		}, open, pages, times)
		weir.To(sessions, "out", weir.SinkTopic("out", weir.String{}.Append, weir.String{}.Append))
		return j
	}
	out, err := runGraph(factory, map[string][]string{
		"web": {"ann begin", "ann home", "bob begin", "ann cart", "ann end"},
		"app": {"ann begin", "ann home", "ann end", "bob end"},
	})
	for i := range out["out"].Len() {
		fmt.Printf("%s\n", out["out"].Value(i))
	}
	fmt.Println(err)
	// Output:
	// ann 1: [home cart], home 1 times
	// ann 2: [home], home 2 times
	// bob 1: [], home 0 times
	// <nil>
}

func first(n int64, _ bool) int64 { return n }

func ExampleGraph_mistakes() {
	_, err := weir.Graph(func() *weir.Job {
		j := weir.New("wordcount")
		lines := weir.From(j, "lines", weir.Topic("lines", weir.String{}))
		full := weir.Filter(lines, "lines", func(l string) bool { return l != "" })
		weir.KeyBy(full, func(l string) string { return l }, weir.String{}, weir.String{})
		return j
	})
	fmt.Println(err)
	// Output:
	// job "wordcount": Filter "lines": the id is taken by From "lines": ids name state and must be unique
	// job "wordcount": KeyBy after Filter "lines": nothing uses the keyed stream: pass it to Aggregate or Process, or remove it
	// job "wordcount": it has no sink: end a stream with To
}
