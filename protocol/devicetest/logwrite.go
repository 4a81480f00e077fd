package devicetest

import (
	"slices"
	"testing"

	"weir/protocol"
)

func txnHidden(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"}, KV{"y", "2"})
	w.flush()
	if got := visible(h, out, 0); got != nil {
		t.Fatalf("visible before the end: %v", got)
	}
	if r := survey(t, h, out).Ranges[0]; r.End != 0 {
		t.Fatalf("stable up to %d before the end", r.End)
	}
	w.commit(node(1))
	appears(t, h, out, 0, "x", "y")
	settle(t, h, out, 0, "x", "y")
}

func txnAborts(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"})
	w.flush()
	expect(t, "abort", w.end(node(1), false), protocol.OK)
	settle(t, h, out, 0)
}

func txnOrdered(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	var pending []func() protocol.Event
	var want []string
	for i := range 30 {
		kvs := numbered(10*i, 1+i%3)
		pending = append(pending, w.start(protocol.Partition(i%2), kvs...))
		for _, kv := range kvs {
			if i%2 == 0 {
				want = append(want, kv.Key)
			}
		}
	}
	next := []protocol.Offset{0, 0}
	for i, p := range pending {
		ev := wait[protocol.Produced](t, p)
		expect(t, "produce", ev.Outcome, protocol.OK)
		if ev.Seq != uint64(i+1) || ev.Offset != next[ev.Partition] {
			t.Fatalf("produce %d: %+v, want offset %d", i+1, ev, next[ev.Partition])
		}
		next[ev.Partition] += protocol.Offset(1 + i%3)
	}
	w.flush()
	w.commit(node(1))
	appears(t, h, out, 0, want...)
}

func txnStable(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	h.Feed(out, 0, KV{"before", ""})
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(0, KV{"x", "1"})
	h.Feed(out, 0, KV{"after", ""})
	if r := survey(t, h, out).Ranges[0]; r.End != at {
		t.Fatalf("stable up to %d, want %d, where the open transaction begins", r.End, at)
	}
	appears(t, h, out, 0, "before")
	got := fetch(t, h, out, 0, 0, 10)
	if got.Next != at || got.Batch == nil || got.Batch.Len() != 1 {
		t.Fatalf("fetch beside an open transaction: %+v", got)
	}
	w.flush()
	w.commit(node(1))
	appears(t, h, out, 0, "before", "x", "after")
}

func partitionsTogether(t *testing.T, h LogHarness) {
	out, ledger := topic(h, "out"), topic(h, "ledger")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"})
	w.produce(1, KV{"y", "2"})
	w.topic = ledger
	at := w.produce(1, KV{"proof", "p"})
	w.flush()
	w.commit(node(1))
	appears(t, h, out, 0, "x")
	appears(t, h, out, 1, "y")
	expect(t, "ledger", readLedger(t, h, ledger, 1, at).Outcome, protocol.OK)
}

func endRepeats(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"})
	w.flush()
	for range 3 {
		w.commit(node(2))
	}
	settle(t, h, out, 0, "x")
	a := openWriter(t, h, node(1), "b", out)
	a.produce(1, KV{"y", "1"})
	a.flush()
	for range 3 {
		expect(t, "abort", a.end(node(2), false), protocol.OK)
	}
	settle(t, h, out, 1)
}

func endOnce(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"})
	w.flush()
	w.commit(node(2))
	expect(t, "abort after the commit", w.end(node(2), false), protocol.Ask)
	settle(t, h, out, 0, "x")
	a := openWriter(t, h, node(1), "b", out)
	a.produce(1, KV{"y", "1"})
	a.flush()
	expect(t, "abort", a.end(node(2), false), protocol.OK)
	expect(t, "commit after the abort", a.end(node(2), true), protocol.Ask)
	settle(t, h, out, 1)
}

func endForeign(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.id += "-never"
	expect(t, "commit of an unknown id", w.end(node(2), true), protocol.Ask)
	other := openWriter(t, h, node(1), "b", out)
	other.Producer.ID += 1 << 40
	expect(t, "commit by an unknown producer", other.end(node(2), true), protocol.Ask)
}

func commitByAnother(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(0, KV{"x", "1"})
	w.flush()
	h.Crash(1)
	w.commit(node(2))
	expect(t, "ledger", readLedger(t, h, out, 0, at).Outcome, protocol.OK)
	settle(t, h, out, 0, "x")
	early := openWriter(t, h, node(3), "b", out) // its process dies before the flush is asked for
	early.produce(1, KV{"y", "1"})
	h.Crash(3)
	early.commit(node(2))
	settle(t, h, out, 1, "y")
}

func fenceAborts(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(0, KV{"x", "1"})
	w.flush()
	w.fence(node(2))
	expect(t, "late commit", w.end(node(1), true), protocol.Ask)
	expect(t, "ledger", readLedger(t, h, out, 0, at).Outcome, protocol.NotFound)
	expect(t, "late commit, again", w.end(node(1), true), protocol.Ask)
	settle(t, h, out, 0)
}

func fenceRefuses(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"})
	w.fence(node(2))
	for p := range protocol.Partition(2) {
		if o := w.tryProduce(p, KV{"y", "2"}).Outcome; o == protocol.OK {
			t.Fatalf("produce to partition %d after a fence: OK", p)
		}
	}
	expect(t, "flush", w.tryFlush(), protocol.Unknown)
	expect(t, "late commit", w.end(node(1), true), protocol.Ask)
	settle(t, h, out, 0)
	settle(t, h, out, 1)
}

func fenceFresh(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := &writer{t: t, h: h, id: protocol.TransactionalID(h.Prefix() + "fresh"), topic: out}
	w.fence(node(2))
	w.fence(node(3))
	next := openWriter(t, h, node(1), "fresh", out)
	next.produce(0, KV{"x", "1"})
	next.flush()
	next.commit(node(1))
	settle(t, h, out, 0, "x")
}

func fenceKeeps(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(0, KV{"x", "1"})
	w.flush()
	w.commit(node(2))
	w.fence(node(2))
	expect(t, "commit repeated after the fence", w.end(node(2), true), protocol.Ask)
	expect(t, "ledger", readLedger(t, h, out, 0, at).Outcome, protocol.OK)
	settle(t, h, out, 0, "x")
}

func openAborts(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(0, KV{"x", "1"})
	w.flush()
	next := openWriter(t, h, node(2), "a", out)
	// Opened OK: every earlier transaction has ended and its markers are there, so nothing is held up now.
	if r := survey(t, h, out).Ranges[0]; r.End != 2 {
		t.Fatalf("stable up to %d right after the open, want 2", r.End)
	}
	expect(t, "late commit", w.end(node(1), true), protocol.Ask)
	expect(t, "ledger", readLedger(t, h, out, 0, at).Outcome, protocol.NotFound)
	next.produce(0, KV{"y", "2"})
	next.flush()
	next.commit(node(2))
	settle(t, h, out, 0, "y")
}

func openTwice(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	pairs := []protocol.Producer{}
	want := []string{}
	for i := range 5 {
		w := openWriter(t, h, node(1+i%2), "a", out)
		if slices.Contains(pairs, w.Producer) {
			t.Fatalf("open %d: the pair %+v was given before", i, w.Producer)
		}
		pairs = append(pairs, w.Producer)
		kv := numbered(i, 1)[0]
		w.produce(0, kv)
		w.flush()
		if i != 2 {
			w.commit(node(1))
			want = append(want, kv.Key)
		}
	}
	settle(t, h, out, 0, want...)
}

func openUnknownTopic(t *testing.T, h LogHarness) {
	w := &writer{t: t, h: h, id: protocol.TransactionalID(h.Prefix() + "a"), topic: h.Prefix() + "never"}
	if o := do[protocol.Opened](t, h, node(1), w.open(protocol.Minute)).Outcome; o != protocol.Denied && o != protocol.Unknown {
		t.Fatalf("open: outcome %v, want denied or unknown", o)
	}
}

func produceDead(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := &writer{t: t, h: h, from: node(1), id: protocol.TransactionalID(h.Prefix() + "never"), topic: out}
	expect(t, "produce", w.tryProduce(0, KV{"x", "1"}).Outcome, protocol.Unknown)
	expect(t, "flush", w.tryFlush(), protocol.Unknown)
	settle(t, h, out, 0)
}

func flushCloses(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	first, second := w.start(0, KV{"x", "1"}), w.start(0, KV{"y", "2"})
	w.flush() // while the two are on their way
	expect(t, "first", wait[protocol.Produced](t, first).Outcome, protocol.OK)
	expect(t, "second", wait[protocol.Produced](t, second).Outcome, protocol.OK)
	expect(t, "produce after the flush", w.tryProduce(0, KV{"z", "3"}).Outcome, protocol.Unknown)
	expect(t, "flush again", w.tryFlush(), protocol.Unknown)
	w.commit(node(1))
	settle(t, h, out, 0, "x", "y")
}

func flushEmpty(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.flush()
	expect(t, "commit of nothing", w.end(node(1), true), protocol.Ask)
	settle(t, h, out, 0)
}

func eraseAppends(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	w.produce(0, KV{"x", "1"})
	w.flush()
	w.commit(node(1))
	ev := do[protocol.Erased](t, h, node(5), protocol.Erase{Op: 9, Topic: out, Partition: 0, Key: []byte("x")})
	expect(t, "erase", ev.Outcome, protocol.OK)
	settle(t, h, out, 0, "x", "x")
	ev = do[protocol.Erased](t, h, node(5), protocol.Erase{Op: 10, Topic: h.Prefix() + "none", Key: []byte("x")})
	if ev.Outcome == protocol.OK {
		t.Fatal("erase in a topic that is not there: OK")
	}
}

func listOpen(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	list := func(prefix string) []protocol.TransactionalID {
		ev := do[protocol.TxnsListed](t, h, node(5), protocol.ListTxns{Op: 8, Prefix: h.Prefix() + prefix})
		expect(t, "list", ev.Outcome, protocol.OK)
		return slices.Sorted(slices.Values(ev.Open))
	}
	a, b, other := openWriter(t, h, node(1), "job/a", out), openWriter(t, h, node(1), "job/b", out), openWriter(t, h, node(1), "jobs/a", out)
	if got := list("job/"); len(got) != 0 {
		t.Fatalf("open before any record: %v", got)
	}
	for _, w := range []*writer{a, b, other} {
		w.produce(0, KV{"x", "1"})
		w.flush()
	}
	if got := list("job/"); !slices.Equal(got, []protocol.TransactionalID{a.id, b.id}) {
		t.Fatalf("open: %v, want %q and %q", got, a.id, b.id)
	}
	a.commit(node(2))
	b.fence(node(2))
	if got := list("job/"); len(got) != 0 {
		t.Fatalf("open after both ended: %v", got)
	}
	if got := list(""); !slices.Equal(got, []protocol.TransactionalID{other.id}) {
		t.Fatalf("open: %v, want %q", got, other.id)
	}
	other.fence(node(2)) // leaves a shared cluster without a transaction that holds up readers
}

func timeoutAborts(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := &writer{t: t, h: h, from: node(1), id: protocol.TransactionalID(h.Prefix() + "late"), topic: out}
	w.Opened = do[protocol.Opened](t, h, w.from, w.open(2*protocol.Second))
	expect(t, "open", w.Outcome, protocol.OK)
	at := w.produce(0, KV{"x", "1"})
	w.flush()
	h.Sleep(2*protocol.Second + 12*protocol.Second) // the cluster looks every 10 s
	expect(t, "ledger", readLedger(t, h, out, 0, at).Outcome, protocol.NotFound)
	expect(t, "late commit", w.end(node(1), true), protocol.Ask)
	settle(t, h, out, 0)
}
