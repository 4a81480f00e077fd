package weir

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/state"
	"weir/protocol/task"
)

// chain is the code of one task: the operators of a stage, fused.
type chain struct {
	nodes   []*node
	targets []int       // stages at the other end of the outgoing edges
	made    map[int]any // what enter returned, by node: a node reached by two ways is made once
	run     func(*batch.Batch)

	out   task.Emitter
	state state.Keyed
	// Invariant: at is the node whose function is called, index the record in work.
	at, index int
	origin    batch.Record // of the record in work
	key       []byte       // scratch, overwritten by each emit
	value     []byte
}

// newChain wires the stage that begins at root. All type assertions happen here.
func newChain(root *node, targets []int) *chain {
	c := &chain{nodes: root.job.nodes, targets: targets, made: map[int]any{}}
	c.run = root.root(c)
	return c
}

// enter is the func(T) of a user of a stream.
func (c *chain) enter(n *node) any {
	if f, ok := c.made[n.index]; ok {
		return f
	}
	f := n.enter(c)
	c.made[n.index] = f
	return f
}

// join is one function for all users of n's stream.
func join[T any](c *chain, n *node) func(T) {
	var downs []func(T)
	for _, u := range n.users {
		downs = append(downs, c.enter(u).(func(T)))
	}
	if len(downs) == 1 {
		return downs[0]
	}
	return func(v T) {
		for _, down := range downs {
			down(v)
		}
	}
}

// edges are the numbers of the outgoing edges that lead to the stages of nodes.
func (c *chain) edges(nodes ...*node) []int {
	var out []int
	for _, n := range nodes {
		out = append(out, slices.Index(c.targets, n.stage))
	}
	return out
}

// Process implements task.Code.
func (c *chain) Process(in *batch.Batch, st state.Keyed, out task.Emitter) (err error) {
	defer func() {
		r := recover()
		if b, ours := r.(protocol.Broken); ours {
			panic(b) // a bug of weir's, not of the job's
		}
		if r != nil {
			err = &task.CodeError{Operator: c.operator(), Record: c.index, Err: cause(r)}
		}
	}()
	c.state, c.out = st, out
	c.run(in)
	return nil
}

// begin takes up record i of a batch.
func (c *chain) begin(at, i int, in *batch.Batch) {
	c.at, c.index, c.origin = at, i, in.Record(i)
}

// emit sends key and value on, as the record in work's effect.
func (c *chain) emit(edges []int) {
	r := batch.Record{Hash: state.Hash(c.key), Partition: c.origin.Partition, Offset: c.origin.Offset}
	for _, e := range edges {
		c.out.Emit(e, c.key, c.value, r)
	}
}

// failure is what fail panics with: an error is as rare as a panic and takes the same way.
type failure struct{ error }

func (c *chain) fail(doing string, err error) {
	if err != nil {
		raise(doing, err)
	}
}

func raise(doing string, err error) {
	if doing != "" {
		err = fmt.Errorf("%s: %w", doing, err)
	}
	panic(failure{err})
}

// operator is the id under which failures of the present node are told.
func (c *chain) operator() string { return c.nodes[c.at].id }

// cause is the error for what was recovered.
func cause(r any) error {
	switch r := r.(type) {
	case failure:
		return r.error
	case error:
		return fmt.Errorf("panic at %s: %w", panicked(), r)
	}
	return fmt.Errorf("panic at %s: %v", panicked(), r)
}

// panicked is the file and line that a deferred function recovers from: the first frame below the runtime's own.
func panicked() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	inside := false
	for f, more := frames.Next(); more; f, more = frames.Next() {
		if strings.HasPrefix(f.Function, "runtime.") {
			inside = inside || f.Function == "runtime.gopanic"
		} else if inside {
			return fmt.Sprintf("%s:%d", path.Base(f.File), f.Line)
		}
	}
	return "an unknown place"
}

// sourceCode begins a stage at a source.
func sourceCode[T any](n *node, src Source[T]) func(*chain) func(*batch.Batch) {
	return func(c *chain) func(*batch.Batch) {
		down := join[T](c, n)
		return func(in *batch.Batch) {
			for i := range in.Len() {
				c.begin(n.index, i, in)
				v, err := src.codec.Decode(in.Value(i))
				c.fail("decode value", err)
				down(v)
			}
		}
	}
}
