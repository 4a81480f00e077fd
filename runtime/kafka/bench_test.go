package kafka

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"weir/protocol"
	"weir/protocol/batch"
)

func quiet(b *testing.B) *world {
	w := newWorld(b, kfake.NumBrokers(1))
	d, err := New(Options{Brokers: w.cluster.ListenAddrs(), Pool: w.pool, Now: w.now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(d.Close)
	w.dev = d
	return w
}

func fill(w *world, n, size int) *batch.Batch {
	b, value := w.pool.Get(), make([]byte, size)
	for i := range n {
		b.Append(fmt.Appendf(nil, "key-%d", i), value, batch.Record{})
	}
	return b
}

// BenchmarkProduce writes batches of 512 records of 100 bytes in one transaction, 8 batches in flight, then flushes and
// commits; the fake broker runs in the same process, so its time is in the figure.
func BenchmarkProduce(b *testing.B) {
	const records, flight = 512, 8
	w := quiet(b)
	o := w.open(w.dev, "bench")
	answers := make(chan protocol.Produced, flight)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N + flight {
		if i >= flight {
			if p := <-answers; p.Outcome != protocol.OK {
				b.Fatalf("%+v", p)
			}
		}
		if i < b.N {
			ef := protocol.Produce{ID: "bench", Seq: uint64(i), Topic: "out", Partition: protocol.Partition(i % 2), Batch: fill(w, records, 100)}
			w.dev.Perform(protocol.Address{}, ef, func(ev protocol.Event) { answers <- ev.(protocol.Produced) })
		} else if i < flight {
			answers <- protocol.Produced{Outcome: protocol.OK}
		}
		if i >= b.N && i-b.N >= min(flight, b.N)-1 {
			break
		}
	}
	if out := w.flush(w.dev, "bench", time.Minute).Outcome; out != protocol.OK {
		b.Fatal(out)
	}
	w.end(w.dev, o, true)
	b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkFetch reads them back, 512 a Fetch.
func BenchmarkFetch(b *testing.B) {
	const records = 512
	w := quiet(b)
	o := w.open(w.dev, "bench")
	for range 400 {
		<-w.start(w.dev, protocol.Produce{ID: "bench", Topic: "out", Batch: fill(w, records, 100)})
	}
	w.flush(w.dev, "bench", time.Minute)
	w.end(w.dev, o, true)
	s := w.survey("out")
	b.ReportAllocs()
	b.ResetTimer()
	n, at := 0, protocol.Offset(0)
	for range b.N {
		f := w.do(w.dev, protocol.Fetch{Topic: "out", TopicID: s.TopicID, From: at, Max: records}).(protocol.Fetched)
		if f.Outcome != protocol.OK {
			b.Fatalf("%+v", f)
		}
		n += f.Batch.Len()
		w.pool.Put(f.Batch)
		if at = f.Next; at >= s.Ranges[0].End {
			at = 0
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkTransaction is the whole path of a checkpoint in the sink: open, produce, flush, end, read back.
func BenchmarkTransaction(b *testing.B) {
	w := quiet(b)
	topic := w.survey("ledger").TopicID
	for i := range b.N {
		id := fmt.Sprint("bench-", i)
		o := w.open(w.dev, id)
		w.start(w.dev, protocol.Produce{ID: o.ID, Topic: "out", Batch: fill(w, 100, 100)})
		p := (<-w.produce(w.dev, id, "ledger", 0, "proof")).(protocol.Produced)
		w.flush(w.dev, id, time.Minute)
		w.end(w.dev, o, true)
		if l := w.do(w.dev, protocol.ReadLedger{Topic: "ledger", TopicID: topic, Offset: p.Offset}).(protocol.LedgerRead); l.Outcome != protocol.OK {
			b.Fatalf("%+v", l)
		}
	}
}
