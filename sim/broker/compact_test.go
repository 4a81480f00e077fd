package broker

import (
	"testing"

	"weir/protocol"
)

// TestCompaction: a tombstone takes the committed records of its key with it, and nothing else; offsets stay.
func TestCompaction(t *testing.T) {
	h := newHarness(5)
	h.b.opts.CompactDelay = func() protocol.Duration { return protocol.Second }
	h.b.CreateTopic("ledger", 1)
	kv := func(key, value string) []KV { return []KV{{Key: []byte(key), Value: []byte(value)}} }
	h.b.Feed("ledger", 0, kv("a", "1"))
	h.b.Feed("ledger", 0, kv("b", "2"))
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	h.b.produce("id", pair, "ledger", 0, 0, h.b.arena.from(kv("a", "3"))) // open: above the last stable offset
	stone := h.b.Feed("ledger", 0, []KV{{Key: []byte("a")}})
	h.b.compactLater(h.b.must("ledger", 0), []byte("a"), stone)
	view := h.b.must("ledger", 0).view(0)
	h.Sleep(2 * protocol.Second)
	h.b.EndTxn("id", pair, 5, true)
	h.Sleep(protocol.Second)

	got, next := h.b.ReadCommitted("ledger", 0, 0, 10)
	want := []protocol.Offset{1, 2, 3}
	if len(got) != len(want) || next != 5 {
		t.Fatalf("%d records, next %d; want offsets %v, next 5", len(got), next, want)
	}
	for i, r := range got {
		if r.Offset != want[i] {
			t.Errorf("record %d is at offset %d, want %d", i, r.Offset, want[i])
		}
	}
	seen := 0
	view.read(10, func(protocol.Offset, []byte, []byte) { seen++ })
	if seen != 2 {
		t.Errorf("a view of before sees %d records below its last stable offset, want 2", seen)
	}
}
