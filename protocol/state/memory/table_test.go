package memory_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"weir/protocol/state"
	"weir/protocol/state/memory"
	"weir/protocol/statetest"
)

func open(g state.Groups, total int) state.Keyed { return memory.New(g, total) }

func TestConformance(t *testing.T) { statetest.Run(t, open) }

func all() *memory.Table { return memory.New(state.Groups{From: 0, To: 128}, 128) }

func keys(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "user-%08d", i)
	}
	return out
}

// increment is a read-modify-write of a counter.
func increment(t *memory.Table, key, scratch []byte) {
	n := uint64(0)
	if v, ok := t.Get(key); ok {
		n = binary.LittleEndian.Uint64(v)
	}
	t.Put(key, binary.LittleEndian.AppendUint64(scratch[:0], n+1))
}

func filled(ks [][]byte) *memory.Table {
	t, scratch := all(), make([]byte, 0, 8)
	for _, k := range ks {
		increment(t, k, scratch)
	}
	return t
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	ks, scratch := keys(1000), make([]byte, 0, 8)
	table := filled(ks)
	i := 0
	if n := testing.AllocsPerRun(5000, func() { increment(table, ks[i%1000], scratch); i++ }); n != 0 {
		t.Errorf("%v allocations per read-modify-write of a dirty key", n)
	}
	if n := testing.AllocsPerRun(5000, func() { table.Delete(ks[i%1000]); table.Put(ks[i%1000], scratch[:8]); i++ }); n != 0 {
		t.Errorf("%v allocations per delete and put of a dirty key", n)
	}
	if n := testing.AllocsPerRun(5000, func() { table.Get(ks[i*7%1000]); i++ }); n != 0 {
		t.Errorf("%v allocations per get", n)
	}
}

func TestFreezeAllocatesTheSameWhateverTheSize(t *testing.T) {
	for _, n := range []int{0, 10, 100_000} {
		table := filled(keys(n))
		if a := testing.AllocsPerRun(100, func() { table.Freeze() }); a > 1 {
			t.Errorf("%v allocations per freeze with %d keys", a, n)
		}
	}
}

// TestDeadKeysAreBuried deletes as much as it inserts for many freezes, half of it twice: memory must not grow with what
// is gone.
func TestDeadKeysAreBuried(t *testing.T) {
	table := all()
	at4 := 0
	key := func(i int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(i)) }
	for i := range 40_000 {
		table.Put(key(i), key(i))
		if i%2 == 0 {
			table.Delete(key(i))
			table.Put(key(i), key(i))
		}
		if i >= 100 {
			table.Delete(key(i - 100))
		}
		if i%20 == 0 {
			table.Freeze()
		}
		if i == 4_000 {
			at4 = memory.Footprint(table)
		}
	}
	if end := memory.Footprint(table); end > at4 {
		t.Errorf("the table's memory grew from %d to %d bytes at 100 live keys", at4, end)
	}
	if table.Len() != 100 || table.Size() != 1600 {
		t.Errorf("%d keys of %d bytes are live, want 100 of 1600", table.Len(), table.Size())
	}
}

// TestDeadKeyDirtyAgain: a key that died before a freeze and again after it keeps its place in the delta until the next,
// though its grave is old.
func TestDeadKeyDirtyAgain(t *testing.T) {
	table, ks := all(), keys(10)
	for _, k := range ks {
		table.Delete(k)
	}
	table.Freeze()
	table.Put(ks[9], nil)
	table.Delete(ks[9])
	for _, k := range ks {
		table.Put(k, k)
	}
	if f := table.Freeze(); f.Len() != 10 || f.Size() != 2*10*len(ks[0]) {
		t.Errorf("the delta of 10 keys has %d entries of %d bytes", f.Len(), f.Size())
	}
}

func BenchmarkReadModifyWrite(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		for _, draw := range []struct {
			name string
			next func() uint64
		}{
			{"uniform", func() uint64 { return rand.Uint64N(uint64(n)) }},
			{"zipf", rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(n-1)).Uint64},
		} {
			b.Run(fmt.Sprintf("%s/%d", draw.name, n), func(b *testing.B) { benchmarkRMW(b, n, draw.next) })
		}
	}
}

func benchmarkRMW(b *testing.B, n int, next func() uint64) {
	ks, scratch := keys(n), make([]byte, 0, 8)
	rand.Shuffle(n, func(i, j int) { ks[i], ks[j] = ks[j], ks[i] })
	table := filled(ks)
	picks := make([][]byte, 1<<20)
	for i := range picks {
		picks[i] = ks[next()]
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if i%(1<<18) == 0 {
			table.Freeze()
		}
		increment(table, picks[i&(1<<20-1)], scratch)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "M/s")
}

func BenchmarkFreeze(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			table := filled(keys(n))
			for b.Loop() {
				table.Freeze()
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := filled(keys(n)).Freeze()
			var dst []byte
			for b.Loop() {
				dst = f.Encode(dst[:0])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
			b.ReportMetric(float64(len(dst))/float64(f.Size()), "run/delta")
		})
	}
}

func BenchmarkRestore(b *testing.B) {
	const n = 1_000_000
	body := filled(keys(n)).Freeze().Encode(nil)
	for b.Loop() {
		if err := all().Restore(body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
}

// BenchmarkSmall makes a table, changes 10 keys and freezes: what the simulator does thousands of times per second.
func BenchmarkSmall(b *testing.B) {
	ks, scratch := keys(10), make([]byte, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		table := all()
		for _, k := range ks {
			increment(table, k, scratch)
		}
		table.Freeze()
	}
}
