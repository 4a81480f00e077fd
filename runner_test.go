package weir_test

import (
	"bytes"
	"fmt"
	"testing"

	"weir"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/task"
)

// table is keyed state that allocates for new keys only. What Get returned is checked and scribbled at the next call.
type table struct {
	values    map[string]*[]byte
	lent, was []byte
}

func newTable() *table { return &table{values: map[string]*[]byte{}} }

func (t *table) Get(key []byte) ([]byte, bool) {
	t.forget()
	v, ok := t.values[string(key)]
	if !ok {
		return nil, false
	}
	t.lent, t.was = append(t.lent[:0], *v...), append(t.was[:0], *v...)
	return t.lent, true
}

func (t *table) forget() {
	if !bytes.Equal(t.lent, t.was) {
		panic("what the state lent was written to")
	}
	for i := range t.lent {
		t.lent[i] = 0xDB
	}
	t.lent, t.was = t.lent[:0], t.was[:0]
}

func (t *table) Put(key, value []byte) {
	v, ok := t.values[string(key)]
	if !ok {
		v = new([]byte)
		t.values[string(key)] = v
	}
	*v = append((*v)[:0], value...)
	t.forget()
}

func (t *table) Delete(key []byte)    { delete(t.values, string(key)) }
func (t *table) Freeze() state.Frozen { return nil }
func (t *table) Restore([]byte) error { return nil }
func (t *table) Err() error           { return nil }

// collector is an emitter with a batch per edge.
type collector struct{ edges []*batch.Batch }

func (c *collector) Emit(edge int, key, value []byte, r batch.Record) {
	for len(c.edges) <= edge {
		c.edges = append(c.edges, &batch.Batch{})
	}
	c.edges[edge].Append(key, value, r)
}

func (c *collector) reset() {
	for _, b := range c.edges {
		b.Reset()
	}
}

// runGraph runs a job with one task per stage over in, the values of its topics, and returns the records of its sinks.
func runGraph(factory func() *weir.Job, in map[string][]string) (map[string]*batch.Batch, error) {
	g, err := weir.Graph(factory)
	if err != nil {
		return nil, err
	}
	waiting := make([][]*batch.Batch, len(g.Stages))
	outputs := map[string]*batch.Batch{}
	for i, s := range g.Stages {
		switch s.Kind {
		case job.SourceStage:
			waiting[i] = []*batch.Batch{input(in[s.Topic])}
		case job.SinkStage:
			outputs[s.Topic] = gather(outputs[s.Topic], waiting[i])
			continue
		}
		out := &collector{}
		if err := runStage(s, waiting[i], out); err != nil {
			return nil, err
		}
		deliver(g, i, out, waiting)
	}
	return outputs, nil
}

func input(values []string) *batch.Batch {
	b := &batch.Batch{}
	for i, v := range values {
		b.Append(nil, []byte(v), batch.Record{Partition: 7, Offset: int64(100 + i)})
	}
	return b
}

func gather(to *batch.Batch, from []*batch.Batch) *batch.Batch {
	if to == nil {
		to = &batch.Batch{}
	}
	for _, b := range from {
		for i := range b.Len() {
			to.Append(b.Key(i), b.Value(i), b.Record(i))
		}
	}
	return to
}

func runStage(s job.Stage, in []*batch.Batch, out *collector) error {
	var st state.Keyed
	if s.Keyed {
		st = newTable()
	}
	code := s.Code()
	for _, b := range in {
		if err := code.Process(b, st, out); err != nil {
			return err
		}
		b.Scribble()
	}
	return nil
}

// deliver hands what stage i emitted to the stages at the other ends of its edges.
func deliver(g *job.Graph, i int, out *collector, waiting [][]*batch.Batch) {
	n := 0
	for _, e := range g.Edges {
		if e.From != i {
			continue
		}
		if n < len(out.edges) {
			waiting[e.To] = append(waiting[e.To], out.edges[n])
		}
		n++
	}
}

// texts are the records of a batch as key=value.
func texts(b *batch.Batch) []string {
	var out []string
	for i := range b.Len() {
		out = append(out, fmt.Sprintf("%s=%s", b.Key(i), b.Value(i)))
	}
	return out
}

// sourceOf is the code of the job's first stage.
func sourceOf(t testing.TB, factory func() *weir.Job) task.Code {
	t.Helper()
	g, err := weir.Graph(factory)
	if err != nil {
		t.Fatal(err)
	}
	return g.Stages[0].Code()
}
