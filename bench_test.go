package weir_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"weir"
	"weir/protocol/batch"
	"weir/protocol/state"
	"weir/protocol/task"
)

// hits has records of 16 bytes: a key, a number. Its source stage filters, maps and keys them by one of 1,000 keys; its
// keyed stage sums.
func hits() *weir.Job {
	j := weir.New("hits")
	raw := weir.From(j, "raw", weir.Topic("raw", weir.Bytes{}))
	some := weir.Filter(raw, "some", func(b []byte) bool { return b[15]&7 != 0 })
	hit := weir.Map(some, "hit", func(b []byte) weir.KV[int64, int64] {
		return weir.KV[int64, int64]{Key: int64(binary.BigEndian.Uint64(b)), Value: int64(binary.BigEndian.Uint64(b[8:]))}
	})
	keyed := weir.KeyBy(hit, func(h weir.KV[int64, int64]) int64 { return h.Key }, weir.Int64{}, hitCodec{})
	sums := weir.Aggregate(keyed, "sum", weir.Sum(func(h weir.KV[int64, int64]) int64 { return h.Value }))
	weir.To(sums, "out", weir.KeyedTopic("out", weir.Int64{}, weir.Int64{}))
	return j
}

// hitCodec carries the value only: the key travels as the record's key.
type hitCodec struct{ weir.Int64 }

func (c hitCodec) Append(dst []byte, h weir.KV[int64, int64]) ([]byte, error) {
	return c.Int64.Append(dst, h.Value)
}

func (c hitCodec) Decode(b []byte) (h weir.KV[int64, int64], err error) {
	h.Value, err = c.Int64.Decode(b)
	return h, err
}

func hitBatch() *batch.Batch {
	b := &batch.Batch{}
	for i := range 512 {
		v := binary.BigEndian.AppendUint64(nil, uint64(i*7919%1000))
		b.Append(nil, binary.BigEndian.AppendUint64(v, uint64(i)), batch.Record{Offset: int64(i)})
	}
	return b
}

// stageCodes is the code of the stages of a job in which a sink follows two stages.
func stageCodes(t testing.TB, factory func() *weir.Job) (source, operator task.Code) {
	t.Helper()
	g, err := weir.Graph(factory)
	if err != nil {
		t.Fatal(err)
	}
	return g.Stages[0].Code(), g.Stages[1].Code()
}

func must(t testing.TB, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func TestAllocations(t *testing.T) {
	in, mid, out := hitBatch(), &collector{}, &collector{}
	source, sum := stageCodes(t, hits)
	st := newTable()
	pass := func() {
		mid.reset()
		out.reset()
		must(t, source.Process(in, nil, mid))
		must(t, sum.Process(mid.edges[0], st, out))
	}
	pass()
	if n := testing.AllocsPerRun(100, pass); n != 0 {
		t.Errorf("bytes and int64: %v allocations for %d records, want 0", n, in.Len())
	}
}

// Strings cost one allocation for each decode, and none where they are interned.
func TestStringAllocations(t *testing.T) {
	in, mid, out := &batch.Batch{}, &collector{}, &collector{}
	for i := range 64 {
		in.Append(nil, fmt.Append(nil, "key ", i), batch.Record{})
	}
	for _, c := range []struct {
		name  string
		codec func() weir.Codec[string]
		want  float64
	}{
		{"String", func() weir.Codec[string] { return weir.String{} }, 64 * 3},
		{"Interned", weir.Interned, 0},
	} {
		source, counts := stageCodes(t, func() *weir.Job {
			j := weir.New("test")
			s := weir.From(j, "in", weir.Topic("in", c.codec()))
			counts := weir.Aggregate(weir.KeyBy(s, identity, c.codec(), c.codec()), "count", weir.Count[string]())
			weir.To(counts, "out", weir.KeyedTopic("out", c.codec(), weir.Int64{}))
			return j
		})
		st := newTable()
		pass := func() {
			mid.reset()
			out.reset()
			must(t, source.Process(in, nil, mid))
			must(t, counts.Process(mid.edges[0], st, out))
		}
		pass()
		if n := testing.AllocsPerRun(20, pass); n != c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, n, c.want)
		}
	}
}

func perRecord(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportAllocs()
}

// BenchmarkFused is the code of both stages of hits, without channels and with a trivial table.
func BenchmarkFused(b *testing.B) {
	in, mid, out := hitBatch(), &collector{}, &collector{}
	source, sum := stageCodes(b, hits)
	st := newTable()
	for b.Loop() {
		mid.reset()
		out.reset()
		must(b, source.Process(in, nil, mid))
		must(b, sum.Process(mid.edges[0], st, out))
	}
	perRecord(b, in.Len())
}

// BenchmarkHand is the same work, written by hand.
func BenchmarkHand(b *testing.B) {
	in, mid, out := hitBatch(), &collector{}, &collector{}
	st := newTable()
	for b.Loop() {
		mid.reset()
		out.reset()
		handSource(in, mid)
		handSum(mid.edges[0], st, out)
	}
	perRecord(b, in.Len())
}

func handSource(in *batch.Batch, out task.Emitter) {
	key, value := make([]byte, 0, 8), make([]byte, 0, 8)
	for i := range in.Len() {
		b := in.Value(i)
		if b[15]&7 == 0 {
			continue
		}
		key = binary.BigEndian.AppendUint64(key[:0], binary.BigEndian.Uint64(b))
		value = binary.BigEndian.AppendUint64(value[:0], binary.BigEndian.Uint64(b[8:]))
		r := in.Record(i)
		out.Emit(0, key, value, batch.Record{Hash: state.Hash(key), Partition: r.Partition, Offset: r.Offset})
	}
}

func handSum(in *batch.Batch, st state.Keyed, out task.Emitter) {
	key, value := make([]byte, 0, 8), make([]byte, 0, 8)
	for i := range in.Len() {
		sum := int64(0)
		if old, ok := st.Get(in.Key(i)); ok {
			sum = int64(binary.BigEndian.Uint64(old))
		}
		sum += int64(binary.BigEndian.Uint64(in.Value(i)))
		value = binary.BigEndian.AppendUint64(value[:0], uint64(sum))
		st.Put(in.Key(i), value)
		key = binary.BigEndian.AppendUint64(key[:0], binary.BigEndian.Uint64(in.Key(i)))
		r := in.Record(i)
		out.Emit(0, key, value, batch.Record{Hash: state.Hash(key), Partition: r.Partition, Offset: r.Offset})
	}
}

// BenchmarkFusedSource and BenchmarkHandSource are the first stage alone: there is no table in it.
func BenchmarkFusedSource(b *testing.B) {
	in, mid := hitBatch(), &collector{}
	source, _ := stageCodes(b, hits)
	for b.Loop() {
		mid.reset()
		must(b, source.Process(in, nil, mid))
	}
	perRecord(b, in.Len())
}

func BenchmarkHandSource(b *testing.B) {
	in, mid := hitBatch(), &collector{}
	for b.Loop() {
		mid.reset()
		handSource(in, mid)
	}
	perRecord(b, in.Len())
}

// BenchmarkNewCode is what a spawn costs.
func BenchmarkNewCode(b *testing.B) {
	g, err := weir.Graph(hits)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		g.Stages[0].Code()
	}
}

// The two benchmarks do the same.
func TestHandIsFused(t *testing.T) {
	in, st := hitBatch(), newTable()
	mid, hand, fused := &collector{}, &collector{}, &collector{}
	handSource(in, mid)
	handSum(mid.edges[0], st, hand)
	source, sum := stageCodes(t, hits)
	mid.reset()
	must(t, source.Process(in, nil, mid))
	must(t, sum.Process(mid.edges[0], newTable(), fused))
	a, b := hand.edges[0], fused.edges[0]
	if a.Len() != b.Len() || a.Len() == 0 {
		t.Fatalf("%d records by hand, %d fused", a.Len(), b.Len())
	}
	for i := range a.Len() {
		if !bytes.Equal(a.Key(i), b.Key(i)) || !bytes.Equal(a.Value(i), b.Value(i)) || a.Record(i) != b.Record(i) {
			t.Fatalf("record %d: %x=%x by hand, %x=%x fused", i, a.Key(i), a.Value(i), b.Key(i), b.Value(i))
		}
	}
}
