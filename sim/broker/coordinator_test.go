package broker

import (
	"testing"

	"weir/protocol"
)

func TestUnknownIDs(t *testing.T) {
	b := newHarness(4).b
	pair, _ := b.InitProducerID("id", protocol.Minute)
	other := protocol.Producer{ID: pair.ID + 1, Epoch: pair.Epoch}
	for _, c := range []struct {
		name string
		got  Code
		want Code
	}{
		{"no such id", b.EndTxn("no", pair, 4, true), InvalidProducerIDMapping},
		{"another producer id", b.EndTxn("id", other, 4, true), InvalidProducerIDMapping},
		{"a version that is not there", b.EndTxn("id", pair, 5, true), UnsupportedVersion},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if _, code := b.InitProducerID("id", 16*protocol.Minute); code != InvalidTxnTimeout {
		t.Errorf("timeout above the maximum: %v", code)
	}
	if got := ended(UnsupportedVersion); got != protocol.Unknown {
		t.Errorf("a connection closed on a version is %v", got)
	}
}

// Every partition gets its marker at its own time; until then the end is decided and not visible.
func TestPartitionsBecomeVisibleApart(t *testing.T) {
	h := newHarness(5)
	delays := []protocol.Duration{0: 10 * protocol.Millisecond, 1: 90 * protocol.Millisecond}
	h.b.opts.MarkerDelay = func() protocol.Duration { d := delays[0]; delays = delays[1:]; return d }
	h.b.CreateTopic("out", 2)
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	for p := range protocol.Partition(2) {
		h.b.produce("id", pair, "out", p, 0, h.b.arena.from([]KV{{}}))
	}
	if code := h.b.EndTxn("id", pair, 5, true); code != None {
		t.Fatal(code)
	}
	count := func(p protocol.Partition) int { r, _ := h.b.ReadCommitted("out", p, 0, 10); return len(r) }
	for _, c := range []struct {
		sleep     protocol.Duration
		zero, one int
		state     State
	}{{0, 0, 0, PrepareCommit}, {50, 1, 0, PrepareCommit}, {50, 1, 1, CompleteCommit}} {
		h.Sleep(c.sleep * protocol.Millisecond)
		got, _ := h.b.Txn("id")
		if count(0) != c.zero || count(1) != c.one || got.State != c.state {
			t.Fatalf("after %d ms more: %d and %d visible, %v", c.sleep, count(0), count(1), got.State)
		}
	}
}

// A partition that the transaction before wrote to, and this one does not, gets no marker.
func TestMarkersGoWhereTheTransactionWas(t *testing.T) {
	h := newHarness(4)
	h.b.CreateTopic("out", 2)
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	for p := range protocol.Partition(2) {
		h.b.AddPartition("id", pair, "out", p)
		h.b.produce("id", pair, "out", p, 0, h.b.arena.from([]KV{{}}))
		h.b.EndTxn("id", pair, 4, true)
		h.Sleep(protocol.Second)
	}
	for p := range protocol.Partition(2) {
		if _, stable, end := h.b.Offsets("out", p); stable != 2 || end != 2 {
			t.Errorf("partition %d: stable at %d of %d, want a record and a marker", p, stable, end)
		}
	}
}

// Transactions of different timeouts end each within its timeout and one interval, and the clock comes to rest.
func TestTimeouts(t *testing.T) {
	h := newHarness(5)
	h.b.CreateTopic("out", 1)
	timeouts := []protocol.Duration{300, 20, 65, 40, 20}
	began := h.Now()
	for i, seconds := range timeouts {
		id := protocol.TransactionalID('a' + rune(i))
		pair, _ := h.b.InitProducerID(id, seconds*protocol.Second)
		h.b.produce(id, pair, "out", 0, 0, h.b.arena.from([]KV{{}}))
	}
	for second := range protocol.Duration(400) {
		h.until(began.Add(second * protocol.Second))
		for i, x := range h.b.Txns() {
			if late := second > timeouts[i]+11; late != (x.State == CompleteAbort) && (late || second < timeouts[i]) {
				t.Fatalf("after %d s: %q with timeout %d s is %v", second, x.ID, timeouts[i], x.State)
			}
		}
	}
	if len(h.queue) != 0 {
		t.Fatalf("%d timers left when nothing is open", len(h.queue))
	}
}
