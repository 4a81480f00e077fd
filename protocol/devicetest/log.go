package devicetest

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
)

// TestLog runs the promises of the log; open gives a device on a cluster that may be shared with other tests.
func TestLog(t *testing.T, open func(t *testing.T) LogHarness) {
	runAll(t, open, logTests())
}

// LogPromises are the promises of the log, in the order of their tests.
func LogPromises() []Promise { return names(logTests()) }

func logTests() []test[LogHarness] {
	return []test[LogHarness]{
		{SurveyAnswers, surveyAnswers}, {SurveyMisses, surveyMisses}, {FetchReads, fetchReads}, {FetchPassesGaps, fetchPassesGaps},
		{FetchIdles, fetchIdles}, {FetchWaits, fetchWaits}, {FetchOutOfRange, fetchOutOfRange}, {FetchForeign, fetchForeign},
		{TxnHidden, txnHidden}, {TxnAborts, txnAborts}, {TxnOrdered, txnOrdered}, {TxnStable, txnStable},
		{PartitionsTogether, partitionsTogether}, {EndRepeats, endRepeats}, {EndOnce, endOnce}, {EndForeign, endForeign},
		{CommitByAnother, commitByAnother}, {FenceAborts, fenceAborts}, {FenceRefuses, fenceRefuses}, {FenceFresh, fenceFresh},
		{FenceKeeps, fenceKeeps}, {LedgerJudges, ledgerJudges}, {LedgerForeign, ledgerForeign}, {OpenAborts, openAborts},
		{OpenTwice, openTwice}, {OpenUnknownTopic, openUnknownTopic}, {ZombieProduce, zombieProduce}, {ProduceDead, produceDead},
		{EndAfterZombie, endAfterZombie}, {EndLate, endLate}, {FenceOnce, fenceOnce}, {StuckReleased, stuckReleased}, {MarkerByHand, markerByHand},
		{FlushCloses, flushCloses}, {FlushEmpty, flushEmpty}, {EraseAppends, eraseAppends}, {ListOpen, listOpen}, {TimeoutAborts, timeoutAborts},
	}
}

// A writer is a transactional id in the hands of one process.
type writer struct {
	t     rapid.TB
	h     LogHarness
	from  protocol.Address
	id    protocol.TransactionalID
	topic string
	seq   uint64
	protocol.Opened
}

// topic makes a topic of two partitions.
func topic(h LogHarness, name string) string {
	name = h.Prefix() + name
	h.CreateTopic(name, 2)
	return name
}

// openWriter opens a slot of an id, and fails the test if that does not go well.
func openWriter(t rapid.TB, h LogHarness, from protocol.Address, id, topic string) *writer {
	t.Helper()
	w := &writer{t: t, h: h, from: from, id: protocol.TransactionalID(h.Prefix() + id), topic: topic}
	w.Opened = do[protocol.Opened](t, h, from, w.open(protocol.Minute))
	expect(t, "open", w.Outcome, protocol.OK)
	return w
}

func (w *writer) open(timeout protocol.Duration) protocol.OpenSlot {
	return protocol.OpenSlot{Op: 1, ID: w.id, Timeout: timeout, Topics: []string{w.topic}}
}

func (w *writer) start(p protocol.Partition, kvs ...KV) (pending func() protocol.Event) {
	w.seq++
	return w.h.Start(w.from, protocol.Produce{ID: w.id, Seq: w.seq, Topic: w.topic, Partition: p, Batch: batchOf(kvs)})
}

func (w *writer) tryProduce(p protocol.Partition, kvs ...KV) protocol.Produced {
	w.t.Helper()
	ev := wait[protocol.Produced](w.t, w.start(p, kvs...))
	if ev.ID != w.id || ev.Seq != w.seq || ev.Partition != p {
		w.t.Fatalf("produced: answer %+v is not for write %d of %q to partition %d", ev, w.seq, w.id, p)
	}
	return ev
}

// produce appends records in the transaction and returns the first one's offset.
func (w *writer) produce(p protocol.Partition, kvs ...KV) protocol.Offset {
	w.t.Helper()
	ev := w.tryProduce(p, kvs...)
	expect(w.t, "produce", ev.Outcome, protocol.OK)
	return ev.Offset
}

func (w *writer) tryFlush() protocol.Outcome {
	w.t.Helper()
	return do[protocol.Flushed](w.t, w.h, w.from, protocol.Flush{Op: 2, ID: w.id, Deadline: w.h.Now().Add(30 * protocol.Second)}).Outcome
}

func (w *writer) flush() {
	w.t.Helper()
	expect(w.t, "flush", w.tryFlush(), protocol.OK)
}

// end ends the transaction, from whatever process, until the outcome is settled.
func (w *writer) end(from protocol.Address, commit bool) protocol.Outcome {
	w.t.Helper()
	ef := protocol.EndTxn{Op: 3, ID: w.id, Producer: w.Producer, Version: w.Version, Commit: commit}
	return repeat(w.t, w.h, from, ef, func(ev protocol.Ended) protocol.Outcome { return ev.Outcome }).Outcome
}

func (w *writer) commit(from protocol.Address) {
	w.t.Helper()
	expect(w.t, "commit", w.end(from, true), protocol.OK)
}

func (w *writer) fence(from protocol.Address) {
	w.t.Helper()
	ev := repeat(w.t, w.h, from, protocol.Fence{Op: 4, ID: w.id}, func(ev protocol.Fenced) protocol.Outcome { return ev.Outcome })
	expect(w.t, "fence", ev.Outcome, protocol.OK)
}

func survey(t rapid.TB, h LogHarness, topic string) protocol.Surveyed {
	t.Helper()
	return do[protocol.Surveyed](t, h, node(9), protocol.Survey{Op: 5, Topic: topic})
}

// visible is what an outside reader sees in a partition, keys only.
func visible(h LogHarness, topic string, p protocol.Partition) (keys []string) {
	for _, r := range h.ReadCommitted(topic, p) {
		keys = append(keys, r.Key)
	}
	return keys
}

// appears waits until an outside reader sees exactly these keys.
func appears(t rapid.TB, h LogHarness, topic string, p protocol.Partition, want ...string) {
	t.Helper()
	var got []string
	for range tries {
		if got = visible(h, topic, p); slices.Equal(got, want) {
			return
		}
		h.Sleep(retryDelay)
	}
	t.Fatalf("partition %d of %q shows %v, want %v", p, topic, got, want)
}

// settle waits until nothing holds up a partition's reader, then fails the test unless exactly these keys are visible.
func settle(t rapid.TB, h LogHarness, topic string, p protocol.Partition, want ...string) {
	t.Helper()
	h.Feed(topic, p, KV{"mark", ""})
	for range tries {
		if got := visible(h, topic, p); slices.Contains(got, "mark") {
			if want = append(want, "mark"); !slices.Equal(got, want) {
				t.Fatalf("partition %d of %q shows %v, want %v", p, topic, got, want)
			}
			return
		}
		h.Sleep(retryDelay)
	}
	t.Fatalf("partition %d of %q is held up at %d", p, topic, survey(t, h, topic).Ranges[p].End)
}

// readLedger reads the record at an offset until that can be told.
func readLedger(t rapid.TB, h LogHarness, topic string, p protocol.Partition, at protocol.Offset) protocol.LedgerRead {
	t.Helper()
	ef := protocol.ReadLedger{Op: 6, Topic: topic, TopicID: survey(t, h, topic).TopicID, Partition: p, Offset: at}
	return repeat(t, h, node(8), ef, func(ev protocol.LedgerRead) protocol.Outcome { return ev.Outcome })
}

// fetch fetches once.
func fetch(t rapid.TB, h LogHarness, topic string, p protocol.Partition, from protocol.Offset, limit int) protocol.Fetched {
	t.Helper()
	return do[protocol.Fetched](t, h, node(7), fetchOf(t, h, topic, p, from, limit))
}

func fetchOf(t rapid.TB, h LogHarness, topic string, p protocol.Partition, from protocol.Offset, limit int) protocol.Fetch {
	t.Helper()
	return protocol.Fetch{Op: 7, Topic: topic, TopicID: survey(t, h, topic).TopicID, Partition: p, From: from, Max: limit}
}

// fetchAll fetches from an offset up to, not including, end, and checks that positions and offsets only grow.
func fetchAll(t rapid.TB, h LogHarness, topic string, p protocol.Partition, from, end protocol.Offset, limit int) (got []Record) {
	t.Helper()
	for range tries {
		if from >= end {
			return got
		}
		ev := fetch(t, h, topic, p, from, limit)
		expect(t, "fetch", ev.Outcome, protocol.OK)
		got = append(got, contents(t, ev, p, from, limit)...)
		from = ev.Next
	}
	t.Fatalf("fetch: stuck at %d of %d", from, end)
	return nil
}

func contents(t rapid.TB, ev protocol.Fetched, p protocol.Partition, from protocol.Offset, limit int) (got []Record) {
	t.Helper()
	if ev.Batch == nil {
		return nil
	}
	if ev.Batch.Len() > limit {
		t.Fatalf("fetch: %d records, the limit is %d", ev.Batch.Len(), limit)
	}
	for i := range ev.Batch.Len() {
		r := ev.Batch.Record(i)
		if at := protocol.Offset(r.Offset); at < from || at >= ev.Next || r.Partition != int32(p) {
			t.Fatalf("fetch from %d: record of partition %d at %d, next is %d", from, r.Partition, at, ev.Next)
		}
		from = protocol.Offset(r.Offset) + 1
		got = append(got, Record{protocol.Offset(r.Offset), string(ev.Batch.Key(i)), string(ev.Batch.Value(i))})
	}
	return got
}
