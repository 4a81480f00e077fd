package broker

import (
	"slices"
	"testing"

	"weir/protocol"
)

func (h *harness) fetch(id protocol.TopicID, p protocol.Partition, from protocol.Offset) protocol.Fetched {
	return h.Start(one, protocol.Fetch{Op: 9, Topic: "out", TopicID: id, Partition: p, From: from, Max: 10})().(protocol.Fetched)
}

// A leader that was out of sync cuts the log. Who had read on is told that its offset is out of range, and is not set back
// in silence; a decided transaction's ledger record is not found again, whatever comes at its offset later; the writer's next
// batch has a gap before it.
func TestK3LeaderCutsTheLog(t *testing.T) {
	h := newHarness(5)
	id := h.b.CreateTopic("out", 1)
	o := h.open(t, "id")
	for i, key := range []string{"a", "b", "c", "d"} {
		if ev := h.put(uint64(i), 0, key)().(protocol.Produced); ev.Outcome != protocol.OK || ev.Offset != protocol.Offset(i) {
			t.Fatalf("%+v", ev)
		}
	}
	if flushed := h.flush(protocol.Minute)().(protocol.Flushed); flushed.Outcome != protocol.OK || h.end(o, true) != protocol.OK {
		t.Fatal("the transaction did not commit")
	}
	h.Sleep(protocol.Second)
	read := func(offset protocol.Offset) protocol.LedgerRead {
		return h.Start(one, protocol.ReadLedger{Op: 4, Topic: "out", TopicID: id, Offset: offset})().(protocol.LedgerRead)
	}
	if before := read(3); before.Outcome != protocol.OK || h.fetch(id, 0, 5).Outcome != protocol.OK {
		t.Fatalf("before the election: %+v", before)
	}
	h.b.CutEnd("out", 0, 2)
	if _, code := h.b.produce("id", o.Producer, "out", 0, 4, h.b.arena.from([]KV{{}})); code == None {
		t.Error("a batch behind the cut is appended as if nothing were missing")
	}
	steps := []protocol.Outcome{h.fetch(id, 0, 5).Outcome, read(3).Outcome}
	h.b.Feed("out", 0, make([]KV, 1))
	steps = append(steps, read(3).Outcome)
	h.b.Feed("out", 0, make([]KV, 3))
	after := read(3)
	if steps = append(steps, h.fetch(id, 0, 5).Outcome); !slices.Equal(steps, []protocol.Outcome{protocol.OutOfRange, protocol.Unknown, protocol.Unknown, protocol.OK}) {
		t.Errorf("fetch at 5, ledger at 3, ledger at 3 behind one record, fetch at 5 behind four: %v", steps)
	}
	if after.Outcome != protocol.OK || len(after.Value) != 0 || !slices.Equal(h.visible(0)[:2], []string{"a", "b"}) {
		t.Errorf("another record at the ledger's offset: %+v; visible %q", after, h.visible(0))
	}
}

// What is cut away can be written again under its numbers: the partition has forgotten it.
func TestCutForgetsItsWriters(t *testing.T) {
	h := newHarness(5)
	h.b.CreateTopic("out", 1)
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	for first := range int32(4) {
		if _, code := h.b.produce("id", pair, "out", 0, first, h.b.arena.from([]KV{{}})); code != None {
			t.Fatal(code)
		}
	}
	h.b.CutEnd("out", 0, 2)
	for _, c := range []struct {
		first int32
		base  protocol.Offset
		want  Code
	}{{3, 0, OutOfOrderSequence}, {1, 1, None}, {2, 2, None}, {3, 3, None}} {
		if base, code := h.b.produce("id", pair, "out", 0, c.first, h.b.arena.from([]KV{{}})); code != c.want || base != c.base {
			t.Errorf("batch %d: at %d, %v; want at %d, %v", c.first, base, code, c.base, c.want)
		}
	}
	h.b.CutEnd("out", 0, 0)
	if start, stable, end := h.b.Offsets("out", 0); start != 0 || stable != 0 || end != 0 {
		t.Errorf("after a cut to nothing: %d, %d, %d", start, stable, end)
	}
}

// A topic grows: a new partition is not there for who asks too early, begins at its start, and what was there stays.
func TestK6TopicGrows(t *testing.T) {
	h := newHarness(5)
	id := h.b.CreateTopic("out", 1)
	h.b.Feed("out", 0, make([]KV, 3))
	survey := func() protocol.Surveyed {
		return h.Start(one, protocol.Survey{Op: 5, Topic: "out"})().(protocol.Surveyed)
	}
	if s := survey(); s.Outcome != protocol.OK || len(s.Ranges) != 1 || h.fetch(id, 1, 0).Outcome != protocol.NotFound {
		t.Fatalf("before it grows: %+v", s)
	}
	h.open(t, "id")
	early := h.put(0, 1, "early") // is sent again until the partition is there
	h.net.Sleep(100 * protocol.Millisecond)
	h.b.GrowTopic("out", 2)
	if ev := early().(protocol.Produced); ev.Outcome != protocol.OK || ev.Offset != 0 {
		t.Errorf("a record for a partition that comes later: %+v", ev)
	}
	s := survey()
	if len(s.Ranges) != 2 || s.TopicID != id || s.Ranges[0] != (protocol.Range{Start: 0, End: 3}) || s.Ranges[1].Start != 0 {
		t.Errorf("when it has grown: %+v", s)
	}
	if got := h.fetch(id, 0, 0); got.Outcome != protocol.OK || got.Next != 3 {
		t.Errorf("the old partition: %+v", got)
	}
	if got := h.fetch(id, 1, 0); got.Outcome != protocol.OK {
		t.Errorf("the new partition: %+v", got)
	}
}

// A coordinator dies while its markers are under way. Its successor ends the transaction; a marker of the dead one that
// comes late does not end the next transaction of the same producer, which at transaction.version 1 has the same epoch.
func TestK20LateMarkerOfADeadCoordinator(t *testing.T) {
	h := newHarness(4)
	h.b.CreateTopic("out", 1)
	delays := []protocol.Duration{5 * protocol.Second, 10 * protocol.Millisecond, 10 * protocol.Millisecond}
	h.b.opts.MarkerDelay = func() protocol.Duration { d := delays[0]; delays = delays[1:]; return d }
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	write := func(first int32) Code {
		if code := h.b.AddPartition("id", pair, "out", 0); code != None {
			return code
		}
		_, code := h.b.produce("id", pair, "out", 0, first, h.b.arena.from([]KV{{Key: []byte{'a' + byte(first)}}}))
		return code
	}
	codes := []Code{write(0), h.b.EndTxn("id", pair, 4, true), write(1)} // the marker takes 5 s
	h.b.Failover()
	codes = append(codes, write(1))
	h.Sleep(100 * protocol.Millisecond) // the successor's is there
	codes = append(codes, write(1))
	h.Sleep(10 * protocol.Second) // the dead one's arrives
	codes = append(codes, write(2))
	if want := []Code{None, None, ConcurrentTransactions, ConcurrentTransactions, None, None}; !slices.Equal(codes, want) {
		t.Errorf("answers %v, want %v", codes, want)
	}
	if _, stable, end := h.b.Offsets("out", 0); stable != 2 || end != 4 || !slices.Equal(h.visible(0), []string{"a"}) {
		t.Errorf("stable at %d of %d, visible %q: the late marker has ended a transaction", stable, end, h.visible(0))
	}
	if code := h.b.EndTxn("id", pair, 4, false); code != None {
		t.Error(code)
	}
	h.Sleep(protocol.Second)
	if !slices.Equal(h.visible(0), []string{"a"}) {
		t.Errorf("visible %q: what was aborted is committed", h.visible(0))
	}
}
