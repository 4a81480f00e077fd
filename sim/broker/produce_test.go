package broker

import (
	"testing"

	"weir/protocol"
)

func TestSequences(t *testing.T) {
	h := newHarness(5)
	h.b.CreateTopic("out", 1)
	pair, _ := h.b.InitProducerID("id", 10*protocol.Minute)
	put := func(first int32, n int) (protocol.Offset, Code) {
		return h.b.produce("id", pair, "out", 0, first, h.b.arena.from(make([]KV, n)))
	}
	for _, c := range []struct {
		first  int32
		n      int
		offset protocol.Offset
		code   Code
	}{
		{0, 3, 0, None}, {3, 1, 3, None}, {4, 2, 4, None}, {3, 1, 3, None}, {0, 3, 0, None}, // duplicates
		{7, 1, 0, OutOfOrderSequence}, {3, 2, 0, OutOfOrderSequence},
		{6, 1, 6, None}, {7, 1, 7, None}, {8, 1, 8, None},
		{0, 3, 0, OutOfOrderSequence}, {3, 1, 3, None}, // the last five are known, the sixth is not
	} {
		if offset, code := put(c.first, c.n); code != c.code || code == None && offset != c.offset {
			t.Fatalf("records %d to %d: offset %d %v, want %d %v", c.first, int(c.first)+c.n, offset, code, c.offset, c.code)
		}
	}
	if _, _, end := h.b.Offsets("out", 0); end != 9 {
		t.Fatalf("end at %d, want 9", end)
	}
	h.b.EndTxn("id", pair, 5, true)
	h.Sleep(protocol.Second)
	pair.Epoch++
	if _, code := put(9, 1); code != OutOfOrderSequence {
		t.Fatalf("a new epoch that does not begin at zero: %v", code)
	}
	if offset, code := put(0, 1); code != None || offset != 10 {
		t.Fatalf("a new epoch: %d %v", offset, code)
	}
}

func TestDedupIsNotForEver(t *testing.T) {
	h := newHarness(4)
	h.b.opts.DedupExpiry = protocol.Minute
	h.b.CreateTopic("out", 1)
	pair, _ := h.b.InitProducerID("id", 10*protocol.Minute)
	put := func() protocol.Offset {
		h.b.AddPartition("id", pair, "out", 0)
		offset, code := h.b.produce("id", pair, "out", 0, 0, h.b.arena.from([]KV{{}}))
		if code != None {
			t.Fatal(code)
		}
		return offset
	}
	first := put()
	h.Sleep(2 * protocol.Minute)
	if put() != first {
		t.Fatal("forgotten while its transaction is open")
	}
	h.b.EndTxn("id", pair, 4, true)
	h.Sleep(protocol.Second)
	if put() == first {
		t.Fatal("remembered for longer than was asked for")
	}
}

func TestProduceToNoTopic(t *testing.T) {
	h := newHarness(5)
	h.b.CreateTopic("out", 1)
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	for _, c := range []struct {
		topic string
		p     protocol.Partition
	}{{"no", 0}, {"out", 1}, {"out", -1}} {
		if _, code := h.b.produce("id", pair, c.topic, c.p, 0, h.b.arena.from([]KV{{}})); code != UnknownTopicOrPartition {
			t.Errorf("%s/%d: %v", c.topic, c.p, code)
		}
	}
}

// TestRegisteredWithoutRecords: a registration is an act of its own. The transaction that it begins can be ended, leaves a
// marker, and shows nothing.
func TestRegisteredWithoutRecords(t *testing.T) {
	h := newHarness(4)
	h.b.CreateTopic("out", 1)
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	if code := h.b.AddPartition("id", pair, "out", 0); code != None {
		t.Fatal(code)
	}
	if code := h.b.EndTxn("id", pair, 4, true); code != None {
		t.Fatal(code)
	}
	h.Sleep(protocol.Second)
	if _, stable, end := h.b.Offsets("out", 0); stable != 1 || end != 1 || len(h.visible(0)) != 0 {
		t.Fatalf("stable at %d of %d, visible %v", stable, end, h.visible(0))
	}
	if code := h.b.AddPartition("id", pair, "no", 0); code != UnknownTopicOrPartition {
		t.Fatal(code)
	}
}
