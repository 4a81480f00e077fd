package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
)

// advertise makes one broker say that it has EndTxn up to a version only; the others say what they have. It returns
// what ends that, as an upgrade of the broker does.
func (w *world) advertise(node int32, version int16) (upgrade func()) {
	w.t.Helper()
	resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(context.Background(), w.dev.admin)
	if err != nil {
		w.t.Fatal(err)
	}
	old := *resp
	old.ApiKeys = slices.Clone(resp.ApiKeys)
	for i := range old.ApiKeys {
		if old.ApiKeys[i].ApiKey == endTxnKey {
			old.ApiKeys[i].MaxVersion = version
		}
	}
	var mu sync.Mutex
	upgraded := false
	w.cluster.ControlKey(int16(kmsg.ApiVersions), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		if upgraded || w.cluster.CurrentNode() != node {
			return nil, nil, false
		}
		said := old
		said.Version = r.GetVersion()
		return &said, nil, true
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		upgraded = true
	}
}

// endTxns notes the versions in which EndTxn reaches the brokers.
func (w *world) endTxns() func() []int16 {
	var mu sync.Mutex
	var seen []int16
	w.cluster.ControlKey(endTxnKey, func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.GetVersion())
		return nil, nil, false
	})
	return func() []int16 {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// TestEndTxnVersionOfTheOldestBroker: of three brokers one has no EndTxn v5, whichever it is. A transaction is prepared
// for v4, and ended in v4 also after that broker was upgraded, by a process that never saw it old.
func TestEndTxnVersionOfTheOldestBroker(t *testing.T) {
	t.Parallel()
	for node := range int32(3) {
		w := newWorld(t, kfake.NumBrokers(3))
		upgrade, seen := w.advertise(node, 4), w.endTxns()
		w.dev = w.device(2 * time.Second)
		first, second := w.prepare("a", "1"), w.prepare("b", "2")
		if first.Version != 4 || second.Version != 4 {
			t.Fatalf("broker %d has v4 only: prepared for v%d and v%d", node, first.Version, second.Version)
		}
		if out := w.end(w.dev, first.Opened, true); out != protocol.OK {
			t.Fatal(out)
		}
		upgrade()
		w.dev = w.device(2 * time.Second)
		if out := w.end(w.dev, second.Opened, true); out != protocol.OK {
			t.Fatal(out)
		}
		third := w.prepare("c", "3")
		if out := w.end(w.dev, third.Opened, true); out != protocol.OK || third.Version != 5 {
			t.Fatalf("after the upgrade: v%d, %v", third.Version, out)
		}
		if got := seen(); !slices.Equal(got, []int16{4, 4, 5}) {
			t.Fatalf("EndTxn went out as %v", got)
		}
	}
}

// TestEndTxnVersionUnknown: while one broker does not say what it has, no transaction is begun in a version that it may
// not have.
func TestEndTxnVersionUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kfake.NumBrokers(3))
	question := func(r kmsg.Request) bool { return r.(*kmsg.ApiVersionsRequest).ClientSoftwareName == "kadm" } // others set up connections
	h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ApiVersions}, Nodes: []int32{1}, TopLevel: true, When: question, Count: 1})
	if o := w.open(w.dev, "a"); o.Outcome != protocol.Unknown || h.Hits() != 1 {
		t.Fatalf("%+v after %d questions", o, h.Hits())
	}
	if o := w.open(w.dev, "a"); o.Outcome != protocol.OK || o.Version != 5 {
		t.Fatalf("%+v", o)
	}
}

// TestSlotIsWarm: after Opened, the first record of a slot costs one request, to the broker that takes it, on a
// connection that is there.
func TestSlotIsWarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(w.dev, "a")
	dialled := w.wires.count()
	all := w.cluster.Fault(kfake.Fault{Observe: true, Count: -1, When: func(r kmsg.Request) bool { return r.Key() != produceKey }})
	produced := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1})
	for topic, partitions := range map[string]int{"out": 2, "ledger": 1} {
		for p := range partitions {
			if ev := (<-w.produce(w.dev, "a", topic, p, "1")).(protocol.Produced); ev.Outcome != protocol.OK {
				t.Fatalf("%+v", ev)
			}
		}
	}
	if n, m, more := all.Hits(), produced.Hits(), w.wires.count()-dialled; n != 0 || m != 3 || more != 0 {
		t.Fatalf("three records of a warm slot: %d produce requests, %d others, %d new connections", m, n, more)
	}
}

// forgets makes the leader of a partition refuse its next produce as brokers do that no longer know the producer, with
// a log that begins behind all that was written.
func (w *world) forgets(err *kerr.Error) {
	w.cluster.ControlKey(produceKey, func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, rt := range req.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				p := kmsg.NewProduceResponseTopicPartition()
				p.Partition, p.ErrorCode, p.BaseOffset, p.LogStartOffset = rp.Partition, err.Code, -1, 1000
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
}

// TestLogStartPassesTheLastAck: the client takes the loss of its own records for harmless, asks for a new epoch without
// a word and writes the rest under it. What it then reports as written is in no transaction that anybody will commit.
func TestLogStartPassesTheLastAck(t *testing.T) {
	t.Parallel()
	for _, err := range []*kerr.Error{kerr.UnknownProducerID, kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping} {
		w := newWorld(t)
		o := w.open(w.dev, "a")
		if p := (<-w.produce(w.dev, "a", "out", 0, "1")).(protocol.Produced); p.Outcome != protocol.OK {
			t.Fatalf("%+v", p)
		}
		inits := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Observe: true, Count: -1})
		w.forgets(err)
		p := (<-w.produce(w.dev, "a", "out", 0, "2", "3")).(protocol.Produced)
		if inits.Hits() == 0 {
			t.Fatalf("%v: the client did not take a new epoch: this test shows nothing any more", err)
		}
		if p.Outcome != protocol.Unknown || p.Offset != -1 {
			t.Fatalf("%v: written under another pair: %+v", err, p)
		}
		if p := (<-w.produce(w.dev, "a", "out", 1, "4")).(protocol.Produced); p.Outcome != protocol.Unknown {
			t.Fatalf("%v: the slot goes on: %+v", err, p)
		}
		if out := w.flush(w.dev, "a", time.Second).Outcome; out != protocol.Unknown {
			t.Fatalf("%v: flush %v", err, out)
		}
		if out := w.end(w.dev, o, true); out != protocol.Ask {
			t.Fatalf("%v: commit of the captured pair: %v", err, out)
		}
		w.fence("a")
		if got, _ := w.visible("out", 0); len(got) != 0 {
			t.Fatalf("%v: visible: %v", err, got)
		}
	}
}

func (w *world) fence(id protocol.TransactionalID) {
	w.t.Helper()
	out := protocol.Retry
	for try := 0; out == protocol.Retry && try < 50; try++ {
		out = w.do(w.dev, protocol.Fence{ID: id}).(protocol.Fenced).Outcome
	}
	if out != protocol.OK {
		w.t.Fatalf("fence: %v", out)
	}
}

// TestEndHasNoLimit: however often a coordinator says "not yet" or nothing, the next try of the same end is sent, and is
// the one that counts. Who gives up is the machine, which never does.
func TestEndHasNoLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("a", "1")
	seen := w.endTxns()
	const tries = 300
	for _, c := range []struct {
		err  *kerr.Error
		want protocol.Outcome
	}{{kerr.ConcurrentTransactions, protocol.Retry}, {kerr.NotCoordinator, protocol.Retry}, {kerr.UnknownServerError, protocol.Unknown}} {
		h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TxnID: "a", TopLevel: true, Err: c.err, Count: tries})
		for range tries {
			if out := w.end(w.dev, p.Opened, true); out != c.want {
				t.Fatalf("%v: %v", c.err, out)
			}
		}
		if h.Hits() != tries {
			t.Fatalf("%v: %d of %d tries were sent", c.err, h.Hits(), tries)
		}
	}
	if out := w.end(w.dev, p.Opened, true); out != protocol.OK {
		t.Fatalf("after %d tries: %v", 3*tries, out)
	}
	if l := w.ledger(p); l.Outcome != protocol.OK || len(seen()) != 3*tries+1 {
		t.Fatalf("ledger %v after %d requests", l.Outcome, len(seen()))
	}
}

// TestLedgerStuck: a committed ledger record behind somebody's open transaction is neither there nor absent.
func TestLedgerStuck(t *testing.T) {
	t.Parallel()
	for _, commit := range []bool{true, false} {
		w := newWorld(t)
		first, second := w.prepare("first", "1"), w.prepare("second", "2")
		if out := w.end(w.dev, second.Opened, true); out != protocol.OK {
			t.Fatal(out)
		}
		for range 3 {
			if a, b := w.ledger(first).Outcome, w.ledger(second).Outcome; a != protocol.Unknown || b != protocol.Unknown {
				t.Fatalf("behind an open transaction: %v and %v", a, b)
			}
		}
		w.end(w.dev, first.Opened, commit)
		want := protocol.NotFound
		if commit {
			want = protocol.OK
		}
		if a, b := w.ledger(first), w.ledger(second); a.Outcome != want || b.Outcome != protocol.OK || string(b.Value) != "ledger of second" {
			t.Fatalf("commit %t: %v and %+v", commit, a.Outcome, b)
		}
	}
}

// TestLedgerAbortedByHand: an operator has written the abort marker; the coordinator knows nothing of it and says OK to
// the commit. Only the ledger tells.
func TestLedgerAbortedByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("a", "1")
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch = p.Producer.ID, p.Producer.Epoch
	mt := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	mt.Topic, mt.Partitions = "ledger", []int32{0}
	m.Topics = append(m.Topics, mt)
	req.Markers = append(req.Markers, m)
	resp, err := w.dev.admin.Broker(int(w.cluster.LeaderFor("ledger", 0))).Request(context.Background(), req)
	if err != nil || resp.(*kmsg.WriteTxnMarkersResponse).Markers[0].Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatal(resp, err)
	}
	if out := w.end(w.dev, p.Opened, true); out != protocol.OK {
		t.Fatalf("commit: %v", out)
	}
	if l := w.ledger(p); l.Outcome != protocol.NotFound {
		t.Fatalf("ledger: %+v", l)
	}
}

// TestLedgerCompacted: a tombstone has removed the record, with and without others behind it.
func TestLedgerCompacted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.dev.EnsureTopics(context.Background(), map[string]Topic{"compacted": {Partitions: 1, Compacted: true}}); err != nil {
		t.Fatal(err)
	}
	w.keyed("compacted", "kept", "first") // compaction does not move a real log's start
	at := w.keyed("compacted", "k", "a", "b", "c")
	if e := w.do(w.dev, protocol.Erase{Topic: "compacted", Key: []byte("k")}).(protocol.Erased); e.Outcome != protocol.OK {
		t.Fatalf("%+v", e)
	}
	w.keyed("compacted", "other", "z")
	w.cluster.Compact()
	if start := w.survey("compacted").Ranges[0].Start; start != 0 {
		t.Fatalf("the log begins at %d", start)
	}
	read := protocol.ReadLedger{Topic: "compacted", TopicID: w.survey("compacted").TopicID}
	for i, o := range at {
		read.Offset = o
		if l := w.do(w.dev, read).(protocol.LedgerRead); l.Outcome != protocol.NotFound {
			t.Errorf("record %d at %d: %v %q", i, o, l.Outcome, l.Value)
		}
	}
	read.Offset = at[2] + 2 // past the tombstone: "z"
	if l := w.do(w.dev, read).(protocol.LedgerRead); l.Outcome != protocol.OK || string(l.Value) != "z" {
		t.Errorf("what was kept: %+v", l)
	}
}

// TestLedgerTrimmed: the log begins behind the record.
func TestLedgerTrimmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("a", "1")
	w.end(w.dev, p.Opened, true)
	if err := w.cluster.DeleteRecords("ledger", 0, int64(p.ledger.Offset)+1); err != nil {
		t.Fatal(err)
	}
	if l := w.ledger(p); l.Outcome != protocol.NotFound {
		t.Fatalf("%+v", l)
	}
}

// keyed writes records of one key, each in a batch of its own, and returns their offsets.
func (w *world) keyed(topic, key string, values ...string) (at []protocol.Offset) {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	for _, v := range values {
		r, err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(v)}).First()
		if err != nil {
			w.t.Fatal(err)
		}
		at = append(at, protocol.Offset(r.Offset))
	}
	return at
}

// TestBoundedInputEndsInAnAbortedTail: the end of a bounded input is the stable offset that Survey reports, and fetching
// arrives exactly there although the last records are aborted, whatever the number of aborted transactions at the end.
func TestBoundedInputEndsInAnAbortedTail(t *testing.T) {
	t.Parallel()
	for tail := range 3 {
		w := newWorld(t)
		w.end(w.dev, w.prepare("kept", "a", "b").Opened, true)
		for i := range tail {
			w.end(w.dev, w.prepare(fmt.Sprint("dropped-", i), "x", "y").Opened, false)
		}
		end := w.survey("out").Ranges[0].End
		if want := protocol.Offset(3 + 3*tail); end != want {
			t.Fatalf("%d aborted: the end is %d, want %d", tail, end, want)
		}
		if got, next := w.visible("out", 0); !slices.Equal(got, []string{"a", "b"}) || next != end {
			t.Fatalf("%d aborted: %v up to %d of %d", tail, got, next, end)
		}
		w.dev.CloseSlots() // a restart, at the position behind the last record
		f := w.do(w.dev, protocol.Fetch{Topic: "out", TopicID: w.survey("out").TopicID, From: 2, Max: 3}).(protocol.Fetched)
		if f.Outcome != protocol.OK || f.Batch.Len() != 0 || f.Next != end {
			t.Fatalf("%d aborted: from behind the last record %+v, the end is %d", tail, f, end)
		}
	}
}
