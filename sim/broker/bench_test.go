package broker

import (
	"testing"

	"weir/protocol"
	"weir/protocol/batch"
)

// BenchmarkRound is one transaction of eight batches of 64 records, and the fetch of what it wrote, wire included.
func BenchmarkRound(b *testing.B) {
	h := newHarness(5)
	id := h.b.CreateTopic("out", 1)
	at := protocol.Offset(0)
	key := []byte("key-0123456789")
	calls := 0
	b.ReportAllocs()
	for b.Loop() {
		slot := h.open(b, "id")
		for seq := range uint64(8) {
			data := h.pool.Get()
			for range 64 {
				data.Append(key, key, batch.Record{})
			}
			h.Start(one, protocol.Produce{ID: "id", Seq: seq, Topic: "out", Batch: data})()
		}
		h.flush(protocol.Minute)()
		h.end(slot, true)
		h.Sleep(protocol.Second)
		for range 2 {
			got := h.Start(one, protocol.Fetch{Op: 1, Topic: "out", TopicID: id, From: at, Max: 1024})().(protocol.Fetched)
			at = got.Next
			if got.Batch != nil {
				h.pool.Put(got.Batch)
			}
		}
		calls += 13
		h.b.RaiseStart("out", 0, at)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(calls), "ns/effect")
}
