package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"weir/protocol"
)

func TestSurvey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("in", 1, "a", "b", "c")
	if err := w.cluster.DeleteRecords("in", 1, 1); err != nil {
		t.Fatal(err)
	}
	s := w.survey("in")
	want := []protocol.Range{{Start: 0, End: 0}, {Start: 1, End: 3}}
	if s.Outcome != protocol.OK || !slices.Equal(s.Ranges, want) || s.TopicID != protocol.TopicID(w.cluster.TopicInfo("in").TopicID) {
		t.Fatalf("%+v", s)
	}
	if s := w.survey("nowhere"); s.Outcome != protocol.NotFound {
		t.Fatalf("%+v", s)
	}
	p := w.prepare("open", "x")
	if s := w.survey("out"); s.Ranges[0].End != 0 {
		t.Fatalf("the end is %v, not the last stable offset", s.Ranges[0])
	}
	w.end(w.dev, p.Opened, true)
	if s := w.survey("out"); s.Ranges[0].End != 2 {
		t.Fatalf("the end is %v after the commit", s.Ranges[0])
	}
}

func TestTransactionIsVisibleOnceCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("job/s/1/1.1/0", numbered("r", 100)...)
	if p.Version != 5 || p.Producer.ID < 0 {
		t.Fatalf("%+v", p.Opened)
	}
	if got, _ := w.visible("out", 0); len(got) != 0 {
		t.Fatalf("visible before the commit: %v", got)
	}
	if l := w.ledger(p); l.Outcome != protocol.Unknown {
		t.Fatalf("before the commit: %+v", l)
	}
	if out := w.end(w.dev, p.Opened, true); out != protocol.OK {
		t.Fatal(out)
	}
	if l := w.ledger(p); l.Outcome != protocol.OK || string(l.Value) != "ledger of job/s/1/1.1/0" {
		t.Fatalf("%+v", l)
	}
	if got, _ := w.visible("out", 0); !slices.Equal(got, numbered("r", 100)) {
		t.Fatalf("%v", got)
	}
	if out := w.end(w.dev, p.Opened, true); out != protocol.OK {
		t.Fatalf("commit again: %v", out)
	}
	if out := w.end(w.dev, p.Opened, false); out != protocol.Ask {
		t.Fatalf("abort after commit: %v", out)
	}
}

func TestProducedOffsets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("out", 1, "before")
	w.open(w.dev, "a")
	var events []<-chan protocol.Event
	for i := range 5 {
		events = append(events, w.produce(w.dev, "a", "out", 1, numbered(fmt.Sprint(i), 10)...))
	}
	for i, ev := range events {
		if p := (<-ev).(protocol.Produced); p.Outcome != protocol.OK || p.Offset != protocol.Offset(1+10*i) || p.Partition != 1 {
			t.Fatalf("%d: %+v", i, p)
		}
	}
	if out := w.flush(w.dev, "a", time.Second).Outcome; out != protocol.OK || len(w.dev.slots) != 0 {
		t.Fatalf("%v, %d slots left", out, len(w.dev.slots))
	}
	if p := (<-w.produce(w.dev, "a", "out", 1, "late")).(protocol.Produced); p.Outcome != protocol.Unknown {
		t.Fatalf("after the flush: %+v", p)
	}
}

func TestLedgerAbsentAndCorrupt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("a", "1")
	w.end(w.dev, p.Opened, false)
	if l := w.ledger(p); l.Outcome != protocol.NotFound {
		t.Fatalf("after the abort: %+v", l)
	}
	p.ledger.Offset++ // the marker
	if l := w.ledger(p); l.Outcome != protocol.NotFound {
		t.Fatalf("at the marker: %+v", l)
	}
	p.ledger.Offset += 100
	if l := w.ledger(p); l.Outcome != protocol.Unknown {
		t.Fatalf("beyond the end: %+v", l)
	}
	p.ledger.TopicID[3]++
	if l := w.ledger(p); l.Outcome != protocol.Corrupt {
		t.Fatalf("another topic: %+v", l)
	}
}

func TestFenceAbortsAndKillsTheZombie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.open(w.dev, "z")
	if p := (<-w.produce(w.dev, "z", "out", 0, "1")).(protocol.Produced); p.Outcome != protocol.OK {
		t.Fatalf("%+v", p)
	}
	other := w.device(2 * time.Second)
	if f := w.do(other, protocol.Fence{ID: "z"}).(protocol.Fenced); f.Outcome != protocol.OK {
		t.Fatalf("%+v", f)
	}
	if p := (<-w.produce(w.dev, "z", "out", 0, "2")).(protocol.Produced); p.Outcome == protocol.OK {
		t.Fatalf("a fenced producer wrote: %+v", p)
	}
	if out := w.flush(w.dev, "z", time.Second).Outcome; out != protocol.Unknown {
		t.Fatalf("flush of a dead slot: %v", out)
	}
	if out := w.end(w.dev, o, true); out != protocol.Ask {
		t.Fatalf("commit of a fenced transaction: %v", out)
	}
	if got, _ := w.visible("out", 0); len(got) != 0 {
		t.Fatalf("visible: %v", got)
	}
}

// TestZombieAfterTheEnd: a writer whose transaction somebody else has ended writes no more, and its client does not help
// itself to a new epoch by an InitProducerID, which would abort what others do under the id.
func TestZombieAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inits := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Observe: true, Count: -1, TxnID: "z"})
	o := w.open(w.dev, "z")
	if p := (<-w.produce(w.dev, "z", "out", 0, "1")).(protocol.Produced); p.Outcome != protocol.OK {
		t.Fatalf("%+v", p)
	}
	if out := w.end(w.device(2*time.Second), o, true); out != protocol.OK {
		t.Fatal(out)
	}
	for partition := range 2 {
		if p := (<-w.produce(w.dev, "z", "out", partition, "2")).(protocol.Produced); p.Outcome == protocol.OK {
			t.Fatalf("a zombie wrote: %+v", p)
		}
	}
	w.flush(w.dev, "z", time.Second)
	if n := inits.Hits(); n != 1 {
		t.Fatalf("%d InitProducerIDs, want the open's", n)
	}
	if got, _ := w.visible("out", 0); !slices.Equal(got, []string{"1"}) {
		t.Fatalf("visible: %v", got)
	}
}

// TestPairIsCompared: a record that was written under another pair than the captured one is in no transaction of ours.
func TestPairIsCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(w.dev, "p")
	w.dev.slot("p").pair.Epoch++
	if p := (<-w.produce(w.dev, "p", "out", 0, "1")).(protocol.Produced); p.Outcome != protocol.Unknown {
		t.Fatalf("%+v", p)
	}
	if out := w.flush(w.dev, "p", time.Second).Outcome; out != protocol.Unknown {
		t.Fatal(out)
	}
}

func TestListTxns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.prepare("job/a/1", "1")
	w.prepare("job/a/2", "2")
	w.prepare("other/1", "3")
	w.end(w.dev, w.prepare("job/a/3", "4").Opened, true)
	l := w.do(w.dev, protocol.ListTxns{Prefix: "job/"}).(protocol.TxnsListed)
	if want := []protocol.TransactionalID{"job/a/1", "job/a/2"}; l.Outcome != protocol.OK || !slices.Equal(l.Open, want) {
		t.Fatalf("%+v", l)
	}
}

func TestEndTxnVersionIsPinned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var seen []int16
	w.cluster.ControlKey(endTxnKey, func(r kmsg.Request) (kmsg.Response, error, bool) {
		seen = append(seen, r.GetVersion())
		w.cluster.KeepControl()
		return nil, nil, false
	})
	a, b := w.prepare("a", "1").Opened, w.prepare("b", "1").Opened
	b.Version = 4
	if x, y := w.end(w.dev, a, true), w.end(w.dev, b, true); x != protocol.OK || y != protocol.OK {
		t.Fatal(x, y)
	}
	b.Version = 9
	if out := w.end(w.dev, b, true); out != protocol.Unknown {
		t.Fatalf("a version that the broker does not have: %v", out)
	}
	if !slices.Equal(seen, []int16{5, 4}) {
		t.Fatalf("EndTxn went out as %v", seen)
	}
}

// TestCodes maps what the broker answers, as measured on real ones.
func TestCodes(t *testing.T) {
	for _, c := range []struct {
		err        error
		end, fence protocol.Outcome
	}{
		{nil, protocol.OK, protocol.OK},
		{kerr.ConcurrentTransactions, protocol.Retry, protocol.Retry},
		{kerr.CoordinatorLoadInProgress, protocol.Retry, protocol.Retry},
		{kerr.NotCoordinator, protocol.Retry, protocol.Retry},
		{kerr.CoordinatorNotAvailable, protocol.Retry, protocol.Retry},
		{kerr.ProducerFenced, protocol.Ask, protocol.Retry},
		{kerr.InvalidTxnState, protocol.Ask, protocol.Retry},
		{kerr.InvalidProducerIDMapping, protocol.Ask, protocol.Retry},
		{kerr.InvalidProducerEpoch, protocol.Ask, protocol.Retry},
		{kerr.TransactionalIDAuthorizationFailed, protocol.Denied, protocol.Denied},
		{kerr.SaslAuthenticationFailed, protocol.Denied, protocol.Denied}, // kfake closes the connection instead
		{kerr.InvalidTransactionTimeout, protocol.Unknown, protocol.Denied},
		{kerr.UnknownServerError, protocol.Unknown, protocol.Unknown},
		{context.DeadlineExceeded, protocol.Unknown, protocol.Unknown},
	} {
		if got := endOutcome(c.err); got != c.end {
			t.Errorf("EndTxn %v: %v, want %v", c.err, got, c.end)
		}
		if got := fenceOutcome(c.err); got != c.fence {
			t.Errorf("fence %v: %v, want %v", c.err, got, c.fence)
		}
	}
}

func TestBrokerAnswersReachTheOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("a", "1")
	for err, want := range map[*kerr.Error]protocol.Outcome{kerr.ConcurrentTransactions: protocol.Retry, kerr.TransactionalIDAuthorizationFailed: protocol.Denied, kerr.NotCoordinator: protocol.Retry} {
		h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn, kmsg.InitProducerID}, TxnID: "a", TopLevel: true, Err: err, Count: 2})
		end, fence := w.end(w.dev, p.Opened, true), w.do(w.dev, protocol.Fence{ID: "a"}).(protocol.Fenced).Outcome
		if end != want || fence != want || h.Hits() != 2 {
			t.Errorf("%v: end %v, fence %v, want %v; %d hits", err, end, fence, want, h.Hits())
		}
		h.Remove()
	}
	if out := w.end(w.dev, p.Opened, true); out != protocol.OK {
		t.Fatalf("after all that: %v", out)
	}
}

func TestCloseSlotsDropsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(w.dev, "a")
	w.dev.CloseSlots()
	if p := (<-w.produce(w.dev, "a", "out", 0, "1")).(protocol.Produced); p.Outcome != protocol.Unknown {
		t.Fatalf("%+v", p)
	}
	if out := w.flush(w.dev, "a", time.Second).Outcome; out != protocol.Unknown {
		t.Fatal(out)
	}
	if o := w.open(w.dev, "a"); o.Outcome != protocol.OK {
		t.Fatalf("%+v", o)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := w.dev.Probe(ctx, "in", "out"); err != nil {
		t.Fatal(err)
	}
	if err := w.dev.Probe(ctx, "in", "nowhere"); err == nil || !strings.Contains(err.Error(), `"nowhere" does not exist`) {
		t.Fatal(err)
	}
	d, err := New(Options{Brokers: []string{"127.0.0.1:1"}, Pool: w.pool, IOTimeout: 300 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(new(bytes.Buffer), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Probe(ctx); err == nil || !strings.Contains(err.Error(), "no broker of 127.0.0.1:1 answers") {
		t.Fatal(err)
	}
}

func TestEnsureTopics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	want := map[string]Topic{"new": {Partitions: 3}, "led": {Partitions: 2, Compacted: true}, "in": {Partitions: 1}}
	for range 2 {
		if err := w.dev.EnsureTopics(ctx, want); err != nil {
			t.Fatal(err)
		}
	}
	want["led"] = Topic{Partitions: 4, Compacted: true}
	if err := w.dev.EnsureTopics(ctx, want); err != nil {
		t.Fatal(err)
	}
	if n, p := len(w.survey("new").Ranges), len(w.survey("led").Ranges); n != 3 || p != 4 {
		t.Fatal(n, p)
	}
	if c := w.cluster.TopicInfo("led").Configs["cleanup.policy"]; c == nil || *c != "compact" {
		t.Fatal("the ledger is not compacted")
	}
	want["in"] = Topic{Partitions: 5}
	if err := w.dev.EnsureTopics(ctx, want); !errors.Is(err, errTooFew) {
		t.Fatal(err)
	}
}

// TestDenied: what is a matter of permission is told apart from what a retry may change.
func TestDenied(t *testing.T) {
	t.Parallel()
	allow := func(resource kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
	}
	w := newWorld(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "pw"), kfake.User("PLAIN", "job", "pw",
		allow(kmsg.ACLResourceTypeTopic, "in", kmsg.ACLOperationDescribe), allow(kmsg.ACLResourceTypeTopic, "out", kmsg.ACLOperationDescribe),
		allow(kmsg.ACLResourceTypeTopic, "ledger", kmsg.ACLOperationWrite), allow(kmsg.ACLResourceTypeTransactionalId, "mine", kmsg.ACLOperationWrite)))
	as := func(user string) *Device {
		d, err := New(Options{
			Brokers: w.cluster.ListenAddrs(), Pool: w.pool, Now: w.now, IOTimeout: 2 * time.Second, Logger: slog.New(slog.DiscardHandler),
			Client: []kgo.Opt{kgo.SASL(plain.Auth{User: user, Pass: "pw"}.AsMechanism())},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	job := as("job")
	w.dev = as("root")
	id := w.survey("in").TopicID
	for name, got := range map[string]protocol.Outcome{
		"survey":         w.do(job, protocol.Survey{Topic: "secret"}).(protocol.Surveyed).Outcome,
		"fetch":          w.do(job, protocol.Fetch{Topic: "in", TopicID: id, Max: 1}).(protocol.Fetched).Outcome,
		"open":           w.open(job, "not-mine").Outcome,
		"fence":          w.do(job, protocol.Fence{ID: "not-mine"}).(protocol.Fenced).Outcome,
		"end":            w.end(job, protocol.Opened{ID: "not-mine", Version: 5}, true),
		"too long a txn": w.do(job, protocol.OpenSlot{ID: "mine", Timeout: 3600 * protocol.Second}).(protocol.Opened).Outcome,
		"write to a topic": func() protocol.Outcome {
			w.open(job, "mine")
			return (<-w.produce(job, "mine", "out", 0, "1")).(protocol.Produced).Outcome
		}(),
	} {
		if got != protocol.Denied {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestCoordinatorMoves: an end sent to the old coordinator did not happen, and the same request, repeated, does.
func TestCoordinatorMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 8 {
		p := w.prepare(fmt.Sprint("id-", i), "1")
		w.do(w.dev, protocol.ListTxns{})
		w.cluster.RehashCoordinators()
		out := w.end(w.dev, p.Opened, true)
		for try := 0; out == protocol.Retry && try < 3; try++ {
			out = w.end(w.dev, p.Opened, true)
		}
		if l := w.ledger(p); out != protocol.OK || l.Outcome != protocol.OK {
			t.Fatalf("%d: %v, ledger %v", i, out, l.Outcome)
		}
	}
}
