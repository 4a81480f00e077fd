package broker

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/sim/wire"
)

var one = protocol.Address{Node: 1, Task: 1}

// opened is a harness with topic "out" and a slot "id" of process 1, and its pair.
func opened(t testing.TB, version int16) (*harness, protocol.Opened) {
	h := newHarness(version)
	h.b.CreateTopic("out", 3)
	return h, h.open(t, "id")
}

func (h *harness) open(t testing.TB, id protocol.TransactionalID) protocol.Opened {
	t.Helper()
	ev := h.Start(one, protocol.OpenSlot{Op: 1, ID: id, Timeout: 10 * protocol.Minute, Topics: []string{"out"}})().(protocol.Opened)
	if ev.Outcome != protocol.OK {
		t.Fatalf("open: %+v", ev)
	}
	return ev
}

func (h *harness) put(seq uint64, p protocol.Partition, key string) func() protocol.Event {
	b := h.pool.Get()
	b.Append([]byte(key), nil, batch.Record{})
	return h.Start(one, protocol.Produce{ID: "id", Seq: seq, Topic: "out", Partition: p, Batch: b})
}

func (h *harness) flush(after protocol.Duration) func() protocol.Event {
	return h.Start(one, protocol.Flush{Op: 2, ID: "id", Deadline: h.Now().Add(after)})
}

func (h *harness) end(o protocol.Opened, commit bool) protocol.Outcome {
	return h.Start(one, protocol.EndTxn{Op: 3, ID: o.ID, Producer: o.Producer, Version: o.Version, Commit: commit})().(protocol.Ended).Outcome
}

func (h *harness) visible(p protocol.Partition) (keys []string) {
	got, _ := h.b.ReadCommitted("out", p, 0, 1<<20)
	for _, r := range got {
		keys = append(keys, string(r.Key))
	}
	return keys
}

// only gives the requests of one kind a fate, the nth of them, counted from 1; 0: all.
func only(kind string, nth int, f fate) func(wire.Request) fate {
	n := 0
	return func(r wire.Request) fate {
		if r.Kind != kind {
			return fate{}
		}
		if n++; nth != 0 && n != nth {
			return fate{}
		}
		return f
	}
}

// Whatever becomes of the first request, the client sends the batch again until its time is up, and it is there once.
func TestProduceSurvivesTheWire(t *testing.T) {
	for _, c := range []struct {
		name string
		fate fate
	}{
		{"request lost", fate{drop: true}},
		{"reply lost", fate{deaf: true}},
		{"doubled", fate{doubled: 20 * protocol.Second}},
		{"late", fate{delay: 12 * protocol.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, slot := opened(t, 5)
			h.fate = only("Produce", 1, c.fate)
			a, b := h.put(1, 0, "a"), h.put(2, 0, "b")
			if got := h.flush(30 * protocol.Second)().(protocol.Flushed); got.Outcome != protocol.OK {
				t.Fatalf("flushed: %+v", got)
			}
			for i, wait := range []func() protocol.Event{a, b} {
				if got := wait().(protocol.Produced); got.Outcome != protocol.OK || got.Offset != protocol.Offset(i) {
					t.Fatalf("produced: %+v", got)
				}
			}
			if o := h.end(slot, true); o != protocol.OK {
				t.Fatalf("end: %v", o)
			}
			h.Sleep(protocol.Minute)
			if got := h.visible(0); !slices.Equal(got, []string{"a", "b"}) {
				t.Fatalf("visible: %v", got)
			}
		})
	}
}

func TestProduceGivesUp(t *testing.T) {
	h, slot := opened(t, 5)
	h.fate = only("Produce", 0, fate{delay: 2 * protocol.Minute})
	a, b := h.put(1, 0, "a"), h.put(2, 1, "b")
	began := h.Now()
	for _, wait := range []func() protocol.Event{a, b} {
		if got := wait().(protocol.Produced); got.Outcome != protocol.Unknown {
			t.Fatalf("produced: %+v", got)
		}
	}
	if d := h.Now().Sub(began); d != 35*protocol.Second {
		t.Fatalf("gave up after %d ms", d/protocol.Millisecond)
	}
	h.fate = nil
	if got := h.put(3, 0, "c")().(protocol.Produced); got.Outcome != protocol.Unknown {
		t.Fatalf("produced on a dead slot: %+v", got)
	}
	if got := h.flush(protocol.Minute)().(protocol.Flushed); got.Outcome != protocol.Unknown {
		t.Fatalf("flushed a dead slot: %+v", got)
	}
	h.Sleep(3 * protocol.Minute) // what was on the wire lands after all, under the slot's pair: once
	if _, stable, end := h.b.Offsets("out", 0); stable != 0 || end != 1 {
		t.Fatalf("stable at %d of %d", stable, end)
	}
	if o := h.end(slot, true); o != protocol.OK {
		t.Fatalf("end: %v", o)
	}
}

func TestFlushDeadlineKills(t *testing.T) {
	h, _ := opened(t, 5)
	h.fate = only("Produce", 0, fate{deaf: true})
	a := h.put(1, 0, "a")
	began := h.Now()
	if got := h.flush(7 * protocol.Second)().(protocol.Flushed); got.Outcome != protocol.Unknown {
		t.Fatalf("flushed: %+v", got)
	}
	if d := h.Now().Sub(began); d != 7*protocol.Second {
		t.Fatalf("flushed after %d ms", d/protocol.Millisecond)
	}
	if got := a().(protocol.Produced); got.Outcome != protocol.Unknown || got.Seq != 1 {
		t.Fatalf("produced: %+v", got)
	}
}

func TestNothingGoesBehindAFlush(t *testing.T) {
	h, _ := opened(t, 5)
	h.fate = only("Produce", 1, fate{drop: true})
	a := h.put(1, 0, "a")
	flush := h.flush(20 * protocol.Second)
	if got := h.put(2, 0, "b")().(protocol.Produced); got.Outcome != protocol.Unknown {
		t.Fatalf("produced behind a flush: %+v", got)
	}
	if got := h.flush(20 * protocol.Second)().(protocol.Flushed); got.Outcome != protocol.Unknown {
		t.Fatalf("flushed behind a flush: %+v", got)
	}
	if got := a().(protocol.Produced); got.Outcome != protocol.OK {
		t.Fatalf("produced: %+v", got)
	}
	if got := flush().(protocol.Flushed); got.Outcome != protocol.OK {
		t.Fatalf("flushed: %+v", got)
	}
}

// Version 4 lets the writer go on in its epoch once the markers are there; until then its client is told to come again.
func TestProduceComesAgain(t *testing.T) {
	h, slot := opened(t, 4)
	h.put(1, 0, "a")()
	h.b.opts.MarkerDelay = func() protocol.Duration { return protocol.Second }
	if o := h.end(slot, true); o != protocol.OK {
		t.Fatalf("end: %v", o)
	}
	began := h.Now()
	if got := h.put(2, 1, "b")().(protocol.Produced); got.Outcome != protocol.OK || h.Now().Sub(began) < 900*protocol.Millisecond {
		t.Fatalf("produced after %d ms: %+v", h.Now().Sub(began)/protocol.Millisecond, got)
	}
}

func TestOpenSlotUnknown(t *testing.T) {
	h := newHarness(5)
	h.b.CreateTopic("out", 1)
	open := protocol.OpenSlot{Op: 1, ID: "id", Timeout: protocol.Minute, Topics: []string{"out"}}
	h.fate = only("OpenSlot", 0, fate{deaf: true})
	if got := h.Start(one, open)().(protocol.Opened); got.Outcome != protocol.Unknown || got.Producer != (protocol.Producer{}) {
		t.Fatalf("opened: %+v", got)
	}
	h.fate = nil
	if got := h.put(1, 0, "a")().(protocol.Produced); got.Outcome != protocol.Unknown {
		t.Fatalf("produced: %+v", got)
	}
	// Markers that never come: CONCURRENT_TRANSACTIONS until the time is up.
	h.b.opts.MarkerDelay = func() protocol.Duration { return 60 * protocol.Minute }
	slot := h.open(t, "id")
	h.put(1, 0, "a")()
	h.end(slot, true)
	began := h.Now()
	if got := h.Start(one, open)().(protocol.Opened); got.Outcome != protocol.Unknown {
		t.Fatalf("opened: %+v", got)
	}
	if d := h.Now().Sub(began); d < 35*protocol.Second || d > 36*protocol.Second {
		t.Fatalf("gave up after %d ms", d/protocol.Millisecond)
	}
	if got := h.Start(one, protocol.Fence{Op: 2, ID: "id"})().(protocol.Fenced); got.Outcome != protocol.Retry {
		t.Fatalf("fenced: %+v", got)
	}
	open.Timeout = 60 * protocol.Minute
	if got := h.Start(one, open)().(protocol.Opened); got.Outcome != protocol.Denied {
		t.Fatalf("opened with a timeout above the maximum: %+v", got)
	}
}

// A late duplicate of an answered InitProducerID aborts the transaction that came after it: nothing can defend it, and
// the commit must not say OK.
func TestLateInitEndsAsAsk(t *testing.T) {
	h := newHarness(5)
	h.b.CreateTopic("out", 1)
	h.fate = only("OpenSlot", 1, fate{doubled: 10 * protocol.Second})
	slot := h.open(t, "id")
	h.put(1, 0, "a")()
	h.Sleep(11 * protocol.Second)
	if o := h.end(slot, true); o != protocol.Ask {
		t.Fatalf("end: %v", o)
	}
	if got := h.visible(0); len(got) != 0 {
		t.Fatalf("visible: %v", got)
	}
}

func TestEndTxnOutcomes(t *testing.T) {
	h, slot := opened(t, 5)
	h.put(1, 0, "a")()
	h.fate = only("EndTxn", 0, fate{deaf: true})
	if o := h.end(slot, true); o != protocol.Unknown {
		t.Fatalf("reply lost: %v", o)
	}
	h.fate = nil
	if o := h.end(slot, true); o != protocol.OK {
		t.Fatalf("again: %v", o)
	}
	h.b.opts.MarkerDelay = func() protocol.Duration { return protocol.Second }
	slot = h.open(t, "id")
	h.put(1, 0, "b")()
	if o := h.end(slot, true); o != protocol.OK {
		t.Fatalf("commit: %v", o)
	}
	if o := h.end(slot, true); o != protocol.Retry {
		t.Fatalf("commit before the markers: %v", o)
	}
	slot.Version = 9
	if o := h.end(slot, true); o != protocol.Unknown {
		t.Fatalf("commit by a version that is not there: %v", o)
	}
}

// A crash drops the clients of one process: nothing of theirs is answered, and what is on the wire arrives.
func TestCrash(t *testing.T) {
	h, _ := opened(t, 5)
	two := protocol.Address{Node: 2, Task: 2}
	h.Start(two, protocol.OpenSlot{Op: 1, ID: "other", Timeout: protocol.Minute})()
	told := 0
	count := func(protocol.Event) { told++ }
	b := &batch.Batch{}
	b.Append([]byte("a"), nil, batch.Record{})
	id, _, _ := h.b.survey("out")
	h.device.Perform(one, protocol.Produce{ID: "id", Seq: 1, Topic: "out", Batch: b}, count)
	h.device.Perform(one, protocol.Flush{Op: 2, ID: "id", Deadline: h.Now().Add(protocol.Second)}, count)
	h.device.Perform(one, protocol.OpenSlot{Op: 3, ID: "id2", Timeout: protocol.Minute}, count)
	h.device.Perform(one, protocol.Flush{Op: 4, ID: "no", Deadline: h.Now()}, count)
	h.device.Perform(one, protocol.Fetch{Op: 5, Topic: "out", TopicID: id, Partition: 2, Max: 1}, count)
	h.device.Perform(one, protocol.ReadLedger{Op: 6, Topic: "out", TopicID: id, Partition: 2}, count)
	h.fate = only("OpenSlot", 1, fate{drop: true})
	h.device.Perform(one, protocol.OpenSlot{Op: 7, ID: "id3", Timeout: protocol.Minute}, count)
	h.device.Crash(1)
	h.b.Feed("out", 2, []KV{{}})
	h.Sleep(protocol.Minute)
	if told != 0 {
		t.Fatalf("%d outcomes told to a dead process", told)
	}
	if _, _, end := h.b.Offsets("out", 0); end != 1 {
		t.Fatalf("what was on the wire did not arrive: end at %d", end)
	}
	if got := h.put(2, 0, "b")().(protocol.Produced); got.Outcome != protocol.Unknown {
		t.Fatalf("produced after the crash: %+v", got)
	}
	if got := h.Start(two, protocol.Flush{Op: 7, ID: "other", Deadline: h.Now().Add(protocol.Second)})().(protocol.Flushed); got.Outcome != protocol.OK {
		t.Fatalf("another process's slot: %+v", got)
	}
}

// Opening an id again in the same process closes the client that it had, undrained.
func TestOpenReplacesTheClient(t *testing.T) {
	h, _ := opened(t, 5)
	h.fate = only("Produce", 1, fate{drop: true})
	a := h.put(1, 0, "a")
	slot := h.open(t, "id")
	if got := a().(protocol.Produced); got.Outcome != protocol.Unknown {
		t.Fatalf("produced: %+v", got)
	}
	if got := h.put(1, 0, "b")().(protocol.Produced); got.Outcome != protocol.OK {
		t.Fatalf("produced by the new client: %+v", got)
	}
	h.end(slot, true)
	h.Sleep(protocol.Minute)
	if got := h.visible(0); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("visible: %v", got)
	}
}

func TestFetchWaitsForTheStableOffset(t *testing.T) {
	h := newHarness(5)
	id := h.b.CreateTopic("out", 1)
	end := h.b.FeedOpen("out", 0, []KV{{[]byte("a"), nil}})
	fetch := protocol.Fetch{Op: 1, Topic: "out", TopicID: id, Max: 10}
	began := h.Now()
	if got := h.Start(one, fetch)().(protocol.Fetched); got.Outcome != protocol.OK || got.Next != 0 || h.Now().Sub(began) != 500*protocol.Millisecond {
		t.Fatalf("fetched after %d ms: %+v", h.Now().Sub(began)/protocol.Millisecond, got)
	}
	wait := h.Start(one, fetch)
	ledger := h.Start(one, protocol.ReadLedger{Op: 2, Topic: "out", TopicID: id})
	h.Sleep(200 * protocol.Millisecond)
	h.b.Feed("out", 0, []KV{{[]byte("b"), nil}}) // beyond the stable offset: wakes nobody
	h.Sleep(200 * protocol.Millisecond)
	began = h.Now()
	end(true)
	if got := wait().(protocol.Fetched); got.Batch == nil || got.Batch.Len() != 2 || got.Next != 3 || h.Now().Sub(began) > 5*protocol.Millisecond {
		t.Fatalf("fetched after %d ms: %+v", h.Now().Sub(began)/protocol.Millisecond, got)
	}
	if got := ledger().(protocol.LedgerRead); got.Outcome != protocol.OK {
		t.Fatalf("ledger: %+v", got)
	}
	fetch.From = 3
	wait = h.Start(one, fetch)
	h.b.CreateTopic("out", 1)
	if got := wait().(protocol.Fetched); got.Outcome != protocol.NotFound {
		t.Fatalf("fetched from a topic that went: %+v", got)
	}
	if h.pool.gets != 1 {
		t.Fatalf("%d batches taken for one that was delivered", h.pool.gets)
	}
}

// What a fetch saw when it arrived is what it delivers, whatever happens to the log before the reply is there.
func TestFetchDeliversWhatItSaw(t *testing.T) {
	h := newHarness(5)
	id := h.b.CreateTopic("out", 1)
	h.b.FeedAborted("out", 0, []KV{{[]byte("x"), nil}})
	h.b.Feed("out", 0, []KV{{[]byte("a"), nil}})
	h.b.Feed("out", 0, []KV{{[]byte("b"), nil}})
	h.fate = func(wire.Request) fate {
		return fate{afterward: func() {
			h.b.FeedAborted("out", 0, []KV{{[]byte("y"), nil}})
			h.b.Feed("out", 0, []KV{{[]byte("c"), nil}})
			h.b.RaiseStart("out", 0, 4)
		}}
	}
	got := h.Start(one, protocol.Fetch{Op: 1, Topic: "out", TopicID: id, Max: 10})().(protocol.Fetched)
	if got.Batch.Len() != 2 || string(got.Batch.Key(1)) != "b" || got.Next != 4 {
		t.Fatalf("fetched %d records, next %d", got.Batch.Len(), got.Next)
	}
	if again := h.Start(one, protocol.Fetch{Op: 1, Topic: "out", TopicID: id, Max: 10})().(protocol.Fetched); again.Outcome != protocol.OutOfRange {
		t.Fatalf("fetched below the start: %+v", again)
	}
}

// TestAnyWire plays writers against a wire that loses, doubles and delays, and holds the log against what was answered.
func TestAnyWire(t *testing.T) {
	for _, version := range []int16{4, 5} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) { anyWire(rt, version) })
		})
	}
}

func anyWire(t *rapid.T, version int16) {
	h := newHarness(version)
	h.b.CreateTopic("out", 3)
	certain, possible := map[string]int{}, map[string]bool{} // key → partition; keys that may be there
	for round := range rapid.IntRange(1, 6).Draw(t, "rounds") {
		h.fate = noise(t)
		slot := h.Start(one, protocol.OpenSlot{Op: 1, ID: "id", Timeout: 10 * protocol.Minute, Topics: []string{"out"}})().(protocol.Opened)
		keys := map[string]int{}
		for i := range rapid.IntRange(1, 8).Draw(t, "records") {
			key, p := fmt.Sprintf("%d.%d", round, i), rapid.IntRange(0, 2).Draw(t, "partition")
			keys[key] = p
			h.put(uint64(i+1), protocol.Partition(p), key)
		}
		flushed := h.flush(millis(t, "deadline", 40_000))().(protocol.Flushed).Outcome
		commit := rapid.Bool().Draw(t, "commit")
		if slot.Outcome != protocol.OK {
			if flushed == protocol.OK {
				t.Fatalf("flushed a slot that was not opened")
			}
			continue
		}
		outcome := h.resolve(slot, commit)
		for key, p := range keys {
			switch {
			case commit && outcome == protocol.OK && flushed == protocol.OK:
				certain[key] = p
			case commit:
				possible[key] = true // what was on the wire may have been committed with the rest
			}
		}
	}
	h.fate = nil
	h.Sleep(20 * protocol.Minute)
	h.judge(t, certain, possible)
}

func millis(t *rapid.T, name string, most int) protocol.Duration {
	return protocol.Duration(rapid.IntRange(0, most).Draw(t, name)) * protocol.Millisecond
}

func noise(t *rapid.T) func(wire.Request) fate {
	return func(r wire.Request) fate {
		f := fate{delay: millis(t, "delay", 30)}
		switch rapid.IntRange(0, 9).Draw(t, r.Kind) {
		case 0:
			f.drop = true
		case 1:
			f.deaf = true
		case 2:
			f.delay = millis(t, "late", 60_000)
		case 3:
			f.doubled = millis(t, "double", 60_000)
		}
		return f
	}
}

// resolve ends a transaction as a resolver would: a few times, always in the same version.
func (h *harness) resolve(slot protocol.Opened, commit bool) protocol.Outcome {
	outcome := h.end(slot, commit)
	for range 3 {
		if outcome == protocol.Unknown || outcome == protocol.Retry {
			outcome = h.end(slot, commit)
		}
	}
	return outcome
}

// judge holds what is visible against what was answered.
func (h *harness) judge(t *rapid.T, certain map[string]int, possible map[string]bool) {
	seen := map[string]bool{}
	for p := range protocol.Partition(3) {
		if _, stable, end := h.b.Offsets("out", p); stable != end {
			t.Fatalf("partition %d: stable at %d of %d when all timeouts are over", p, stable, end)
		}
		for _, key := range h.visible(p) {
			if seen[key] {
				t.Fatalf("record %s is there twice", key)
			}
			seen[key] = true
			if at, ok := certain[key]; ok && at != int(p) || !ok && !possible[key] {
				t.Fatalf("record %s is visible in partition %d and should not be", key, p)
			}
		}
	}
	for key := range certain {
		if !seen[key] {
			t.Fatalf("record %s was committed and is not visible", key)
		}
	}
}
