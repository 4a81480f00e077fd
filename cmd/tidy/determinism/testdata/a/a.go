// Package a breaks every rule of the analyzer and uses every way to be forgiven.
package a

import (
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2" // want random
	"reflect"
	"slices"
	"sync"
	"time"
)

type named map[string]int

type mapLike interface{ interface{ ~map[string]int } }

type number interface{ ~int | float }

type float interface{ ~float32 | ~float64 }

var sentinel = errors.New("a") // want pkgvar

var _ error = sentinel

var (
	_, counter = 1, 2 // want pkgvar
)

const exact, typed = 1.5 * 2 / 3, float64(3)

func goroutines(in chan int) { // want chan
	go println() // want go
	select {     // want select
	case <-in: // want chan
	default:
	}
	in <- 1             // want chan
	for v := range in { // want chan
		_ = v
	}
	<-context.Background().Done() // want chan
}

func ranges(m map[string]int, n named, p *[3]int) {
	for k := range m { // want maprange
		_ = k
	}
	for range n { // want maprange
	}
	for i := range p {
		_ = i
	}
	for k := range maps.Keys(m) { // want maprange
		_ = k
	}
	all := maps.All[named]             // want maprange
	_ = maps.Collect(all(n))           // want maprange
	_ = slices.Collect(maps.Values(m)) // want maprange
	_ = reflect.ValueOf(m).MapKeys()   // want maprange
	new(sync.Map).Range(nil)           // want maprange
	maps.Copy(m, n)
	clear(m)
}

func generic[M ~map[string]int, L mapLike, S ~[]int](m M, l L, s S) {
	for range m { // want maprange
	}
	for range l { // want maprange
	}
	for range s {
	}
}

func clocks() time.Duration {
	now := time.Now // want clock
	_ = now
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // want clock
	defer cancel()
	_ = ctx
	time.Sleep(time.Second) // want clock
	return 3 * time.Second
}

func draws() int { return rand.IntN(6) }

func floats[N number, F float, I ~int](x float64, n N, f F, i I) bool {
	x += 2       // want float
	x++          // want float
	y := x*x + 1 // want float
	_ = n + n    // want float
	_ = f / 2    // want float
	_ = i + 1
	_ = math.Sqrt(y) // want float
	_ = math.Float64bits(math.Float64frombits(1))
	_ = int(x) // want float
	_ = float64(i)
	_ = int(exact*2) + int(typed)
	_ = complex(x, y) * 1i // want float
	x = exact * 2
	return x < y
}

func forgiven(m map[string]int) (keys []string) {
	//tidy:allow maprange the keys are sorted below
	for k := range m {
		keys = append(keys, k)
	}
	go println() //tidy:allow go fixture of a comment at the end of a line
	go println() // want go
	func() {
	}() //tidy:allow go nothing to allow here, want allow
	go println() // want go
	//tidy:allow go two rules on one line
	//tidy:allow clock need two comments
	go time.Sleep(0)
	/* want allow */ //tidy:allow clock the wrong rule
	go println()     // want go
	/* want allow */ //tidy:allow maprange
	for range m {    // want maprange
	}
	slices.Sort(keys)
	return keys
}

// as long as both are one group.
//
//tidy:allow pkgvar the comment may stand above a doc comment
var forgivenVar int

/* want allow */ //tidy:allow maprange nothing here ranges
func unforgiven() {
	//tidy:allowed is another word
}
