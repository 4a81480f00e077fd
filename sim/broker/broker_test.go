package broker

import (
	"testing"

	"weir/protocol"
)

func TestRaiseStart(t *testing.T) {
	h := newHarness(5)
	h.b.CreateTopic("out", 1)
	h.b.Feed("out", 0, make([]KV, 4))
	h.b.Feed("out", 0, make([]KV, 4))
	end := h.b.FeedOpen("out", 0, make([]KV, 4))
	for _, c := range []struct{ to, start, stable protocol.Offset }{{3, 3, 8}, {1, 3, 8}, {6, 6, 8}, {9, 9, 9}, {100, 12, 12}} {
		h.b.RaiseStart("out", 0, c.to)
		if start, stable, end := h.b.Offsets("out", 0); start != c.start || stable != c.stable || end != 12 {
			t.Fatalf("raised to %d: start %d, stable %d of %d", c.to, start, stable, end)
		}
	}
	end(true)
	h.b.Feed("out", 0, make([]KV, 1))
	if got, next := h.b.ReadCommitted("out", 0, 0, 10); len(got) != 1 || got[0].Offset != 13 || next != 14 {
		t.Fatalf("read %v, next %d", got, next)
	}
}

func TestLedgerIsNotToldEarly(t *testing.T) {
	h := newHarness(5)
	id := h.b.CreateTopic("out", 1)
	h.b.FeedOpen("out", 0, make([]KV, 1))
	for offset, want := range []protocol.Outcome{protocol.Unknown, protocol.Unknown} {
		if _, o := h.b.ledger("out", id, 0, protocol.Offset(offset)); o != want {
			t.Errorf("offset %d: %v", offset, o)
		}
	}
	h.b.RaiseStart("out", 0, 1)
	if _, o := h.b.ledger("out", id, 0, 0); o != protocol.NotFound {
		t.Errorf("below the start: %v", o)
	}
}

func TestFirstOffsets(t *testing.T) {
	h := newHarness(5)
	h.b.opts.FirstOffsets = 1 << 40
	h.b.CreateTopic("out", 1)
	if at := h.b.Feed("out", 0, make([]KV, 1)); at != 1<<40 {
		t.Fatalf("first record at %d", at)
	}
	h.b.GrowTopic("out", 3)
	if _, ranges, _ := h.b.survey("out"); len(ranges) != 3 || ranges[0].End != 1<<40+1 || ranges[2].Start != 1<<40 {
		t.Fatalf("ranges: %v", ranges)
	}
}
