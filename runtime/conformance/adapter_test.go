package conformance

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/devicetest"
	"weir/runtime/kafka"
)

// These tests hold the adapters to what only a real broker or server can show. Each promise of theirs that a planted bug
// breaks (see TestPlanted) is one of them.

// lentBrokers and lentBucket name services of a test process that started this one.
const (
	lentBrokers = "WEIR_CONFORMANCE_BROKERS"
	lentBucket  = "WEIR_CONFORMANCE_BUCKET"
)

// brokers are the shared cluster, or one that is lent.
func brokers(t testing.TB) []string {
	t.Helper()
	if lent := os.Getenv(lentBrokers); lent != "" {
		return strings.Split(lent, ",")
	}
	return sharedKafka(t).Brokers
}

func bucketURL(t testing.TB) string {
	t.Helper()
	if lent := os.Getenv(lentBucket); lent != "" {
		return lent
	}
	return sharedS3(t).Endpoint
}

func newWire(s *scene) *wire {
	return &wire{t: s.t, ctx: soon(s.t), addrs: s.addrs, adm: s.adm, by: map[int16]*kgo.Client{}}
}

// TestAdapterEndsInTheBrokersVersion asks the brokers, in words of its own, for their highest EndTxn.
func TestAdapterEndsInTheBrokersVersion(t *testing.T) {
	s := newSceneOn(t, brokers(t))
	want := int16(4)
	if newWire(s).highest(kmsg.EndTxn) >= 5 {
		want = 5
	}
	if s.Version != want {
		t.Errorf("the transaction is to be ended in version %d, the brokers have %d", s.Version, want)
	}
}

// TestAdapterShutsTheDoor: after its transaction was ended by another, a writer writes nothing more that could be seen.
func TestAdapterShutsTheDoor(t *testing.T) {
	s := newSceneOn(t, brokers(t))
	if newWire(s).highest(kmsg.EndTxn) < 5 {
		t.Skip("below version 5 of EndTxn a writer can go on after another client's end")
	}
	s.expect("produce", s.produce("a").Outcome, protocol.OK)
	s.expect("commit", s.commit(), protocol.OK)
	s.shows("a")
	if p := s.produce("zombie"); p.Outcome == protocol.OK {
		t.Errorf("a zombie wrote: %+v", p)
	}
	s.expect("fence", s.fence(), protocol.OK)
	s.shows("a")
}

// TestAdapterCommitsForTheDead: who resumes a prepared transaction ends it and does nothing to its id before.
func TestAdapterCommitsForTheDead(t *testing.T) {
	s := newSceneOn(t, brokers(t))
	s.expect("produce", s.produce("a").Outcome, protocol.OK)
	s.w.signal(syscall.SIGKILL)
	s.expect("commit", s.commit(), protocol.OK)
	s.shows("a")
}

// TestAdapterReadsCommitted: neither what is aborted nor what is open reaches a job.
func TestAdapterReadsCommitted(t *testing.T) {
	s := newSceneOn(t, brokers(t))
	s.FeedAborted(s.out, 0, devicetest.KV{Key: "aborted"})
	s.Feed(s.out, 0, devicetest.KV{Key: "plain"})
	s.expect("produce", s.produce("open").Outcome, protocol.OK)
	topic := s.other(protocol.Survey{Topic: s.out}).(protocol.Surveyed)
	var got []string
	for at := protocol.Offset(0); at < topic.Ranges[0].End; {
		f := s.other(protocol.Fetch{Topic: s.out, TopicID: topic.TopicID, From: at, Max: 100}).(protocol.Fetched)
		if f.Outcome != protocol.OK || f.Next == at {
			t.Fatalf("fetch at %d of %d: %+v", at, topic.Ranges[0].End, f)
		}
		for i := range f.Batch.Len() {
			got = append(got, string(f.Batch.Key(i)))
		}
		at = f.Next
	}
	if !slices.Equal(got, []string{"plain"}) {
		t.Errorf("a source read %v", got)
	}
	s.expect("fence", s.fence(), protocol.OK)
}

func (s *scene) ledgerAt(at protocol.Offset) func() protocol.Outcome {
	id := s.other(protocol.Survey{Topic: s.out}).(protocol.Surveyed).TopicID
	return func() protocol.Outcome {
		return s.other(protocol.ReadLedger{Topic: s.out, TopicID: id, Offset: at}).(protocol.LedgerRead).Outcome
	}
}

// TestAdapterLedgerBehindAMarkerByHand: an operator's marker has aborted what the coordinator then commits.
func TestAdapterLedgerBehindAMarkerByHand(t *testing.T) {
	s := newSceneOn(t, brokers(t))
	p := s.produce("a")
	read := s.ledgerAt(p.Offset)
	s.expect("ledger of an open transaction", read(), protocol.Unknown)
	if code := newWire(s).abortByHand(s.out, 0, s.Producer.ID, s.Producer.Epoch); code != "OK" {
		t.Fatal(code)
	}
	s.expect("commit", s.commit(), protocol.OK)
	eventually(t, "the ledger is told", func() bool { return read() != protocol.Unknown })
	s.expect("ledger", read(), protocol.NotFound)
	s.shows()
}

// TestAdapterLedgerStuck: a committed record behind somebody's open transaction cannot be told, then it can.
func TestAdapterLedgerStuck(t *testing.T) {
	s := newSceneOn(t, brokers(t))
	s.expect("produce", s.produce("first").Outcome, protocol.OK)
	next := *s
	next.w = s.node(3)
	next.Opened = next.writer(protocol.OpenSlot{ID: s.ID + "-next", Timeout: protocol.Minute, Topics: []string{s.out}}).(protocol.Opened)
	read := s.ledgerAt(next.produce("second").Offset)
	s.expect("commit of the second", next.commit(), protocol.OK)
	s.expect("ledger", read(), protocol.Unknown)
	s.expect("commit of the first", s.commit(), protocol.OK)
	eventually(t, "the ledger is told", func() bool { return read() != protocol.Unknown })
	s.expect("ledger", read(), protocol.OK)
	s.shows("first", "second")
}

// TestAdapterLedgerCompacted waits for a broker's cleaner to remove a record that a tombstone has ended.
func TestAdapterLedgerCompacted(t *testing.T) {
	s := newSceneOn(t, brokers(t))
	name := s.name + "ledger"
	set := func(v string) *string { return &v }
	configs := map[string]*string{"cleanup.policy": set("compact"), "segment.ms": set("50"), "min.cleanable.dirty.ratio": set("0.0001"), "delete.retention.ms": set("0"), "max.compaction.lag.ms": set("50")}
	if _, err := s.adm.CreateTopic(soon(t), 1, -1, configs, name); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic is served", func() bool { return s.other(protocol.Survey{Topic: name}).(protocol.Surveyed).Outcome == protocol.OK })
	s.out = name
	s.Feed(name, 0, devicetest.KV{Key: "first"})
	s.Feed(name, 0, devicetest.KV{Key: "k", Value: "v"})
	read := s.ledgerAt(1)
	s.expect("ledger", read(), protocol.OK)
	s.expect("erase", s.other(protocol.Erase{Topic: name, Key: []byte("k")}).(protocol.Erased).Outcome, protocol.OK)
	began := time.Now()
	eventually(t, "the record is compacted away", func() bool {
		time.Sleep(100 * time.Millisecond)
		s.Feed(name, 0, devicetest.KV{Key: "roll"}) // a segment is closed by what comes after it
		return read() == protocol.NotFound
	})
	start, _, end := s.offsets(name, 0)
	if start != 0 {
		t.Errorf("the log begins at %d: that is no compaction", start)
	}
	t.Logf("compacted after %v, log from %d to %d", time.Since(began).Round(100*time.Millisecond), start, end)
}

// spoken is what a device in this process logs.
type spoken struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *spoken) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *spoken) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), text)
}

// dialer opens a device's connections; nil: plain ones.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// trimmed is a writer in this process, whose first record is written; then something happens, and the log's start is
// moved behind all that is there.
func (s *scene) trimmed(dial dialer, happens func()) (*kafka.Device, *spoken) {
	log := &spoken{}
	d, err := kafka.New(kafka.Options{Brokers: s.addrs, Pool: pool{}, Now: s.Now, IOTimeout: ioTimeout, Dialer: dial, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(d.Close)
	s.Opened = s.on(d, protocol.OpenSlot{ID: s.ID + "-trimmed", Timeout: protocol.Minute, Topics: []string{s.out}}).(protocol.Opened)
	s.expect("open", s.Outcome, protocol.OK)
	s.expect("produce", s.put(d, "a").Outcome, protocol.OK)
	happens()
	_, _, all := s.offsets(s.out, 0)
	s.Trim(s.out, 0, protocol.Offset(all))
	return d, log
}

func (s *scene) put(d protocol.Device, key string) protocol.Produced {
	b := &batch.Batch{}
	b.Append([]byte(key), []byte("v"), batch.Record{})
	return s.on(d, protocol.Produce{ID: s.ID, Topic: s.out, Batch: b}).(protocol.Produced)
}

// TestAdapterLogStartPassesTheLastAck: the log's start is moved above the last record of an open transaction. What is
// written then is in that transaction, or the slot is dead.
func TestAdapterLogStartPassesTheLastAck(t *testing.T) {
	s := newSceneOn(t, brokers(t))
	d, _ := s.trimmed(nil, func() {})
	p := s.put(d, "b")
	t.Logf("after the log start moved: %v", p.Outcome)
	f := s.on(d, protocol.Flush{ID: s.ID, Deadline: s.Now().Add(30 * protocol.Second)}).(protocol.Flushed)
	if p.Outcome != protocol.OK {
		s.expect("flush", f.Outcome, protocol.Unknown)
		s.expect("fence", s.fence(), protocol.OK)
		s.shows()
		return
	}
	s.expect("flush", f.Outcome, protocol.OK)
	s.expect("commit", s.commit(), protocol.OK)
	s.shows("b")
}

// TestAdapterComparesThePair: the same, and a marker by hand has raised the epoch that the partition knows, so that the
// broker refuses what follows. A client that hears of the new log start takes that for harmless, gets itself another
// epoch, by which the coordinator aborts the transaction, and reports the record as written: in one that nobody knows of.
func TestAdapterComparesThePair(t *testing.T) {
	for name, dial := range map[string]dialer{"the broker says what it says": nil, "and its log start": tell} {
		t.Run(name, func(t *testing.T) {
			s := newSceneOn(t, brokers(t))
			d, log := s.trimmed(dial, func() {
				if code := newWire(s).abortByHand(s.out, 0, s.Producer.ID, s.Producer.Epoch+1); code != "OK" {
					t.Fatal(code)
				}
			})
			s.refused(d)
			if took := log.has("written as producer"); dial != nil && !took {
				t.Errorf("the client took no other pair, so that this test shows nothing; it said %s", log.buf.String())
			} else {
				t.Logf("the client took another pair: %t", took)
			}
		})
	}
}

// refused demands that a slot is dead.
func (s *scene) refused(d protocol.Device) {
	s.t.Helper()
	s.expect("produce", s.put(d, "zombie").Outcome, protocol.Unknown)
	s.expect("produce on", s.put(d, "more").Outcome, protocol.Unknown)
	s.expect("flush", s.on(d, protocol.Flush{ID: s.ID, Deadline: s.Now().Add(30 * protocol.Second)}).(protocol.Flushed).Outcome, protocol.Unknown)
	s.expect("fence", s.fence(), protocol.OK)
	s.shows()
}

// losing passes requests on and loses the answers of PUTs.
type losing struct {
	lose atomic.Bool
	puts atomic.Int32
}

func (l *losing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.Method != http.MethodPut || !l.lose.Load() {
		return resp, err
	}
	l.puts.Add(1)
	resp.Body.Close()
	return nil, errors.New("read: connection reset by peer")
}

// TestAdapterSendsAPutOnce: the answer to a conditional PUT is lost. It is not sent again, and what is there is ours.
func TestAdapterSendsAPutOnce(t *testing.T) {
	l := &losing{}
	o := options(bucketURL(t))
	o.Transport = l
	h := openBucket(t, o)
	old := h.store("old, nonce 1", "")
	l.lose.Store(true)
	mine := h.store("mine, nonce 2", old.Version)
	l.lose.Store(false)
	if mine.Outcome != protocol.Unknown || l.puts.Load() != 1 {
		t.Errorf("a PUT without an answer: %v, sent %d times", mine.Outcome, l.puts.Load())
	}
	ld := h.load()
	if string(ld.Body) != "mine, nonce 2" {
		t.Errorf("read back: %q, %v", ld.Body, ld.Outcome)
	}
	if next := h.store("next, nonce 3", ld.Version); next.Outcome != protocol.OK {
		t.Errorf("next: %v", next.Outcome)
	}
}
