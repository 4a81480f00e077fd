package devicetest

import (
	"testing"

	"weir/protocol"
)

// zombieProduce: below version 5 of EndTxn the writer's pair stays the id's present one, and what it writes after
// another client's end opens a transaction, which a fence ends.
func zombieProduce(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"})
	w.commit(node(2))
	appears(t, h, out, 0, "x")
	for p := range protocol.Partition(2) {
		if o := w.tryProduce(p, KV{"y", "2"}).Outcome; o == protocol.OK && w.Version >= 5 {
			t.Fatalf("produce to partition %d after the end: OK", p)
		}
	}
	if got := visible(h, out, 0); len(got) != 1 {
		t.Fatalf("visible: %v", got)
	}
	w.fence(node(2))
	settle(t, h, out, 0, "x")
	settle(t, h, out, 1)
}

// endAfterZombie: what a zombie has tried does not change the answer to its end.
func endAfterZombie(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"})
	w.commit(node(2))
	appears(t, h, out, 0, "x")
	zombie := w.tryProduce(0, KV{"y", "2"}).Outcome == protocol.OK
	w.commit(node(2)) // below version 5 that is the end of what the zombie has opened
	want := []string{"x"}
	if zombie && w.Version < 5 {
		want = append(want, "y")
	}
	settle(t, h, out, 0, want...)
}

// endLate: a request that was on its way while the id changed hands is an end of nothing.
func endLate(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	old := openWriter(t, h, node(1), "a", out)
	old.produce(0, KV{"x", "1"})
	old.flush()
	old.commit(node(1))
	next := openWriter(t, h, node(2), "a", out)
	next.produce(0, KV{"y", "2"})
	next.flush()
	for _, commit := range []bool{true, false} {
		expect(t, "late end", old.end(node(1), commit), protocol.Ask)
	}
	if got := visible(h, out, 0); len(got) != 1 {
		t.Fatalf("visible: %v", got)
	}
	next.commit(node(2))
	settle(t, h, out, 0, "x", "y")
}

// fenceOnce: also if nobody asks again after CONCURRENT_TRANSACTIONS.
func fenceOnce(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(0, KV{"x", "1"})
	w.flush()
	first := do[protocol.Fenced](t, h, node(2), protocol.Fence{Op: 4, ID: w.id}).Outcome
	if first != protocol.Retry && first != protocol.OK {
		t.Fatalf("fence: outcome %v", first)
	}
	expect(t, "late commit", w.end(node(1), true), protocol.Ask)
	expect(t, "ledger", readLedger(t, h, out, 0, at).Outcome, protocol.NotFound)
	settle(t, h, out, 0)
}

func stuckReleased(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(0, KV{"dead", "1"})
	h.Crash(1)
	h.Feed(out, 0, KV{"alive", "2"})
	if r := survey(t, h, out).Ranges[0]; r.End != at {
		t.Fatalf("stable up to %d, want %d, where the open transaction begins", r.End, at)
	}
	if got := visible(h, out, 0); got != nil {
		t.Fatalf("visible behind an open transaction: %v", got)
	}
	w.fence(node(2))
	settle(t, h, out, 0, "alive")
}

// markerByHand: OK says that the coordinator has decided, not that anything is there.
func markerByHand(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(0, KV{"x", "1"})
	w.flush()
	h.AbortByHand(out, 0, w.Producer)
	expect(t, "commit", w.end(node(2), true), protocol.OK)
	expect(t, "ledger", readLedger(t, h, out, 0, at).Outcome, protocol.NotFound)
	settle(t, h, out, 0)
}
