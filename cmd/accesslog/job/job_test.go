package job

import (
	"bytes"
	"fmt"
	"testing"

	"weir"
	"weir/protocol/batch"
	"weir/protocol/state"
)

// tableState is keyed state that cannot be frozen.
type tableState map[string][]byte

func (t tableState) Get(key []byte) ([]byte, bool) { v, ok := t[string(key)]; return v, ok }
func (t tableState) Put(key, value []byte)         { t[string(key)] = append(t[string(key)][:0:0], value...) }
func (t tableState) Delete(key []byte)             { delete(t, string(key)) }
func (t tableState) Freeze() state.Frozen          { return nil }
func (t tableState) Restore([]byte) error          { return nil }
func (t tableState) Err() error                    { return nil }

// keep is an emitter for stages with one edge.
type keep struct{ batch.Batch }

func (k *keep) Emit(_ int, key, value []byte, r batch.Record) { k.Append(key, value, r) }

// run is the job's output for lines, by one task per stage.
func run(t testing.TB, lines [][]byte) *batch.Batch {
	t.Helper()
	g, err := weir.Graph(Job)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Stages) != 3 || g.Stages[0].Topic != Input || g.Stages[2].Topic != Output {
		t.Fatalf("stages: %+v", g.Stages)
	}
	in, mid, out := &batch.Batch{}, &keep{}, &keep{}
	for i, l := range lines {
		in.Append(nil, l, batch.Record{Offset: int64(i)})
	}
	if err := g.Stages[0].Code().Process(in, nil, mid); err != nil {
		t.Fatal(err)
	}
	if err := g.Stages[1].Code().Process(&mid.Batch, tableState{}, out); err != nil {
		t.Fatal(err)
	}
	return &out.Batch
}

// The output for the real file is what its lines say by the definition.
func TestJobOnRealLines(t *testing.T) {
	lines, s := realLines(t), newSlow()
	out := run(t, lines)
	if out.Len() != len(lines) {
		t.Fatalf("%d records for %d lines", out.Len(), len(lines))
	}
	want := map[string]Stats{}
	for i, line := range lines {
		path, status, sent, ok := s.parse(line)
		key := path + " " + status
		if !ok {
			key = Malformed
		}
		st := Stats{want[key].Count + 1, want[key].Bytes + sent}
		want[key] = st
		value := fmt.Sprintf(`{"count":%d,"bytes":%d}`, st.Count, st.Bytes)
		if string(out.Key(i)) != key || string(out.Value(i)) != value {
			t.Fatalf("line %d: got %s=%s, want %s=%s", i+1, out.Key(i), out.Value(i), key, value)
		}
		if got, err := (StatsText{}).Decode(out.Value(i)); got != st || err != nil {
			t.Fatalf("decoded %+v, %v, want %+v", got, err, st)
		}
	}
	if got := want["/favicon.ico 200"]; got.Count < 100 || want[Malformed] != (Stats{Count: 1}) {
		t.Errorf("/favicon.ico 200: %+v, malformed: %+v", got, want[Malformed])
	}
}

// Lines may be overwritten once they have been processed, and nothing is left of them.
func TestJobKeepsNoAlias(t *testing.T) {
	line := realLines(t)[0]
	parse := newParser()
	h := parse(line)
	key := string(bytes.Clone([]byte(h.key)))
	for i := range line {
		line[i] = 0xDB
	}
	if h.key != key {
		t.Errorf("the key became %q", h.key)
	}
}

func TestStateRefusesDamage(t *testing.T) {
	if _, err := (statsState{}).Decode([]byte("short")); err == nil {
		t.Error("decoded 5 bytes")
	}
}

func TestJobAllocations(t *testing.T) {
	g, err := weir.Graph(Job)
	if err != nil {
		t.Fatal(err)
	}
	in, out := &batch.Batch{}, &keep{}
	for _, l := range realLines(t)[:64] {
		in.Append(nil, l, batch.Record{})
	}
	code := g.Stages[0].Code()
	pass := func() {
		out.Reset()
		if err := code.Process(in, nil, out); err != nil {
			t.Fatal(err)
		}
	}
	pass()
	if n := testing.AllocsPerRun(20, pass); n != 0 {
		t.Errorf("%v allocations for %d lines", n, in.Len())
	}
}

func BenchmarkParse(b *testing.B) {
	lines := realLines(b)
	size := 0
	for _, l := range lines {
		size += len(l)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, l := range lines {
			parse(l)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(lines)), "ns/line")
}
