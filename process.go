package weir

import (
	"fmt"
	"strings"

	"weir/protocol/batch"
)

// Context is what the function of [Process] has of the record in work. It is valid until the function returns.
type Context[K comparable, U any] struct {
	key  K
	emit func(U)
}

// Key is the record's key, to which all state is scoped.
func (c *Context[K, U]) Key() K { return c.key }

// Emit passes on a record: any number of times, also none.
func (c *Context[K, U]) Emit(u U) { c.emit(u) }

// Process calls f for each record, with state of its key: what f needs beyond what [Aggregate] does. handles declares the
// state: [NewValueState], [NewMapState] and [NewListState] make them, in the job's factory. An error fails the job, like
// those of [MapErr]; id names the state, together with the names of the handles.
//
// All handles of a key are one value in state, so that they change together: a record reads it once, whole, when f first
// looks at it, and writes it once, whole, if f changed anything. A key should hold kilobytes, not megabytes. There are no
// timers.
func Process[K comparable, T, U any](k Keyed[K, T], id string, f func(c *Context[K, U], v T) error, handles ...Handle) Stream[U] {
	n := Stream[T]{k.n}.then("Process", id)
	n.keyed = true
	n.must(f != nil, "the function")
	s := declare(n, handles)
	n.root = func(c *chain) func(*batch.Batch) {
		s.c = c
		ctx := &Context[K, U]{}
		down := join[U](c, n)
		ctx.emit = func(u U) {
			s.c.must(s.open, "Context %q is used outside of its function", id)
			down(u)
			c.at = n.index
		}
		return func(in *batch.Batch) {
			for i := range in.Len() {
				c.begin(n.index, i, in)
				var err error
				ctx.key, err = k.kc.Decode(in.Key(i))
				c.fail("decode key", err)
				v, err := k.vc.Decode(in.Value(i))
				c.fail("decode record", err)
				s.enter(in.Key(i))
				c.fail("", f(ctx, v))
				s.leave()
			}
		}
	}
	return Stream[U]{n}
}

// declare gives a node its handles, and finds what is wrong with them.
func declare(n *node, handles []Handle) *scope {
	s := &scope{}
	for _, h := range handles {
		if h == nil {
			n.must(false, "a state handle")
			continue
		}
		p := h.part()
		switch {
		case p.name == "" || strings.ContainsAny(p.name, "/ \t\n"):
			n.job.errorf("%s: the state handle %q: its name must not be empty and has no slash or space, because it names state", n, p.name)
		case !p.coded:
			n.job.errorf("%s: the state handle %q: the codec is missing", n, p.name)
		case p.in != nil:
			n.job.errorf("%s: the state handle %q is declared before: each belongs to one operator of one job; make it in the factory", n, p.name)
		case s.find([]byte(p.name)) != nil:
			n.job.errorf("%s: the name of the state handle %q is taken by another one", n, p.name)
		}
		p.in = s
		s.parts = append(s.parts, p)
	}
	return s
}

// must panics in the way that fails the job.
func (c *chain) must(ok bool, format string, args ...any) {
	if !ok {
		raise("", fmt.Errorf(format, args...))
	}
}
