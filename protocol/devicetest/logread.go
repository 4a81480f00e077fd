package devicetest

import (
	"slices"
	"testing"

	"weir/protocol"
)

func surveyAnswers(t *testing.T, h LogHarness) {
	a, b := topic(h, "a"), topic(h, "b")
	h.Feed(a, 1, numbered(0, 3)...)
	got := survey(t, h, a)
	expect(t, "survey", got.Outcome, protocol.OK)
	if want := []protocol.Range{{Start: 0, End: 0}, {Start: 0, End: 3}}; !slices.Equal(got.Ranges, want) {
		t.Fatalf("survey: %v, want %v", got.Ranges, want)
	}
	if other := survey(t, h, b).TopicID; other == got.TopicID || got.TopicID == (protocol.TopicID{}) {
		t.Fatalf("survey: topic ids %v and %v", got.TopicID, other)
	}
	h.Trim(a, 1, 2)
	if r := survey(t, h, a).Ranges[1]; r != (protocol.Range{Start: 2, End: 3}) {
		t.Fatalf("survey after a trim to 2: %v", r)
	}
}

func surveyMisses(t *testing.T, h LogHarness) {
	expect(t, "survey", survey(t, h, h.Prefix()+"never").Outcome, protocol.NotFound)
}

func fetchReads(t *testing.T, h LogHarness) {
	in := topic(h, "in")
	h.Feed(in, 0, numbered(0, 10)...)
	h.Feed(in, 1, numbered(50, 1)...)
	h.Feed(in, 0, numbered(10, 7)...)
	want := h.ReadCommitted(in, 0)
	if len(want) != 17 {
		t.Fatalf("%d records fed, 17 wanted", len(want))
	}
	for _, from := range []protocol.Offset{0, 1, 9, 10, 11, 16} {
		for _, limit := range []int{1, 3, 100} {
			if got := fetchAll(t, h, in, 0, from, 17, limit); !slices.Equal(got, want[from:]) {
				t.Fatalf("fetch from %d by %d: %v, want %v", from, limit, got, want[from:])
			}
		}
	}
}

func fetchPassesGaps(t *testing.T, h LogHarness) {
	in := topic(h, "in")
	h.Feed(in, 0, numbered(0, 2)...)
	h.FeedAborted(in, 0, numbered(2, 3)...)
	h.Feed(in, 0, numbered(5, 2)...)
	h.FeedAborted(in, 0, numbered(7, 4)...) // the end of the log has nothing to read, and must be reached
	want := h.ReadCommitted(in, 0)
	end := survey(t, h, in).Ranges[0].End
	if len(want) != 4 || end != 13 {
		t.Fatalf("%d visible records up to %d, want 4 up to 13", len(want), end)
	}
	for _, limit := range []int{1, 2, 100} {
		if got := fetchAll(t, h, in, 0, 0, end, limit); !slices.Equal(got, want) {
			t.Fatalf("fetch by %d: %v, want %v", limit, got, want)
		}
	}
	if got := fetchAll(t, h, in, 0, 3, end, 100); !slices.Equal(got, want[2:]) {
		t.Fatalf("fetch from within what is aborted: %v, want %v", got, want[2:])
	}
}

func fetchIdles(t *testing.T, h LogHarness) {
	in := topic(h, "in")
	h.Feed(in, 0, numbered(0, 2)...)
	got := fetch(t, h, in, 0, 2, 10)
	expect(t, "fetch at the end", got.Outcome, protocol.OK)
	if got.Next != 2 || got.Batch != nil && got.Batch.Len() > 0 {
		t.Fatalf("fetch at the end: %+v", got)
	}
}

func fetchWaits(t *testing.T, h LogHarness) {
	in := topic(h, "in")
	pending := h.Start(node(7), fetchOf(t, h, in, 0, 0, 10))
	h.Feed(in, 0, numbered(0, 1)...)
	next := wait[protocol.Fetched](t, pending).Next
	if got := fetchAll(t, h, in, 0, next, 1, 10); len(got) != 1-int(next) {
		t.Fatalf("fetch after %d: %v", next, got)
	}
}

func fetchOutOfRange(t *testing.T, h LogHarness) {
	in := topic(h, "in")
	h.Feed(in, 0, numbered(0, 8)...)
	h.Trim(in, 0, 5)
	for _, from := range []protocol.Offset{0, 4, 9, 1000} {
		expect(t, "fetch", fetch(t, h, in, 0, from, 10).Outcome, protocol.OutOfRange)
	}
	if got := fetchAll(t, h, in, 0, 5, 8, 10); len(got) != 3 || got[0].Key != "key-5" {
		t.Fatalf("fetch from the new start: %v", got)
	}
}

func fetchForeign(t *testing.T, h LogHarness) {
	in := topic(h, "in")
	h.Feed(in, 0, numbered(0, 3)...)
	old := fetchOf(t, h, in, 0, 0, 10)
	topic(h, "in")
	h.Feed(in, 0, numbered(100, 3)...)
	got := do[protocol.Fetched](t, h, node(7), old)
	expect(t, "fetch by the old id", got.Outcome, protocol.NotFound)
	expect(t, "fetch by the new id", fetch(t, h, in, 0, 0, 10).Outcome, protocol.OK)
	old.Topic = h.Prefix() + "never"
	expect(t, "fetch from no topic", do[protocol.Fetched](t, h, node(7), old).Outcome, protocol.NotFound)
}

func ledgerJudges(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	w := openWriter(t, h, node(1), "a", out)
	at := w.produce(1, KV{"task 1", "proof"})
	ef := protocol.ReadLedger{Op: 6, Topic: out, TopicID: survey(t, h, out).TopicID, Partition: 1, Offset: at}
	expect(t, "ledger while open", do[protocol.LedgerRead](t, h, node(8), ef).Outcome, protocol.Unknown)
	w.flush()
	expect(t, "ledger when flushed", do[protocol.LedgerRead](t, h, node(8), ef).Outcome, protocol.Unknown)
	w.commit(node(2))
	got := readLedger(t, h, out, 1, at)
	expect(t, "ledger after the commit", got.Outcome, protocol.OK)
	if string(got.Value) != "proof" {
		t.Fatalf("ledger: value %q", got.Value)
	}
	lost := openWriter(t, h, node(1), "b", out)
	gone := lost.produce(1, KV{"task 1", "never"})
	lost.flush()
	lost.fence(node(2))
	h.Feed(out, 1, KV{"later", "another"}) // must not be taken for what is not there
	expect(t, "ledger after an abort", readLedger(t, h, out, 1, gone).Outcome, protocol.NotFound)
	expect(t, "ledger at a control record", readLedger(t, h, out, 1, at+1).Outcome, protocol.NotFound)
	expect(t, "ledger of what is present, again", readLedger(t, h, out, 1, at).Outcome, protocol.OK)
}

func ledgerForeign(t *testing.T, h LogHarness) {
	out := topic(h, "out")
	h.Feed(out, 0, numbered(0, 1)...)
	ef := protocol.ReadLedger{Op: 6, Topic: out, TopicID: survey(t, h, out).TopicID, Partition: 0, Offset: 0}
	expect(t, "ledger", do[protocol.LedgerRead](t, h, node(8), ef).Outcome, protocol.OK)
	topic(h, "out")
	h.Feed(out, 0, numbered(0, 1)...)
	expect(t, "ledger of a topic made anew", do[protocol.LedgerRead](t, h, node(8), ef).Outcome, protocol.Corrupt)
}
