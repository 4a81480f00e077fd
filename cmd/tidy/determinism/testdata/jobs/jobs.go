// Package jobs breaks each rule for jobs at the comments that say so.
package jobs

import (
	"maps"
	"math/rand"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"weir"
)

var (
	total  int
	counts = map[string]int{}
	hits   atomic.Int64
	shared = new(atomic.Int64)
	words  = regexp.MustCompile(`\w+`)
	epoch  = time.Now() // not in a job
)

func Job() *weir.Job {
	j := weir.New("jobs")
	seen := map[string]int64{}
	var last string
	lines := weir.From(j, "lines", weir.Topic("lines", codec{}))
	stamped := weir.Map(lines, "stamp", func(l string) string {
		return time.Now().String() + l // want clock
	})
	drawn := weir.Filter(stamped, "sample", func(l string) bool {
		return rand.Intn(2) == 0 && words.MatchString(l) // want random
	})
	split := weir.FlatMap(drawn, "split", func(l string, emit func(string)) {
		set := map[string]bool{}
		for _, w := range strings.Fields(l) {
			set[w] = true
		}
		for w := range set { // want maprange
			emit(w)
		}
		for _, w := range slices.Sorted(maps.Keys(set)) {
			emit(w)
		}
		for w := range maps.Keys(set) { // want maprange
			emit(w)
		}
		n, copied, list := 0, map[string]bool{}, []string(nil)
		for w, in := range set {
			n += len(w)
			copied[w] = in
			list = append(list, w)
		}
		sort.Strings(list)
		unsorted := []string(nil)
		for w := range set { // want maprange
			unsorted = append(unsorted, w)
		}
		emit(strings.Join(append(list, unsorted...), " "))
	})
	async := weir.Map(split, "async", func(l string) string {
		c := make(chan string, 1)
		go func() { c <- l }() // want go
		return <-c             // want go
	})
	counted := weir.Map(async, "count", count)
	remembered := weir.Map(counted, "remember", func(l string) string {
		last = l // want captured
		own := map[string]int{}
		own[l]++
		return last + helper(l)
	})
	k := weir.KeyBy(remembered, func(l string) string { return l }, weir.String{}, weir.String{})
	sum := weir.Aggregate(k, "sum", weir.Agg[string, int64, int64]{
		Add: func(n *int64, w string) {
			seen[w]++ // want captured
			*n = seen[w]
		},
		Out:   func(n int64) int64 { return n },
		Codec: weir.Int64{},
	})
	handle := weir.NewValueState("handle", weir.Int64{})
	m := &meter{}
	byKey := weir.KeyBy(weir.Map(sum, "meter", m.count), func(n int64) int64 { return n }, weir.Int64{}, weir.Int64{})
	calls := 0
	emitted := func(c *weir.Context[int64, int64], n int64) error {
		calls++ // want captured
		//weir:allow captured a cache of what is the same anywhere
		last = "x"
		handle.Set(n)
		c.Emit(n)
		return nil
	}
	out := weir.Process(byKey, "process", emitted, handle)
	weir.To(out, "out", weir.SinkTopic("out", weir.Int64{}.Append, func(dst []byte, n int64) ([]byte, error) {
		delete(seen, "x") // want captured
		return dst, nil
	}))
	return j
}

// meter counts beside the state.
type meter struct{ n int64 }

func (m *meter) count(v weir.KV[string, int64]) int64 {
	m.n++ // want captured
	return m.n
}

func count(l string) string {
	total++       // want pkgvar
	counts[l] = 1 // want pkgvar
	hits.Add(1)   // want pkgvar
	shared.Add(1) // want pkgvar
	return l
}

func helper(l string) string {
	return l + below()
}

func below() string {
	return time.Since(epoch).String() // want clock
}

// codec is called for records too.
type codec struct{ weir.String }

func (codec) Decode(b []byte) (string, error) {
	counts["decoded"]++ // want pkgvar
	return string(b), nil
}

//weir:allow clock nothing is here // want allow
func notAJob() time.Time {
	total++
	return time.Now()
}
