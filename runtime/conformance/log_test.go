package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/devicetest"
)

// TestLogOnKafka runs the one suite of log devices on real brokers. Nothing is left out.
func TestLogOnKafka(t *testing.T) {
	k := sharedKafka(t)
	devicetest.TestLog(t, func(t *testing.T) devicetest.LogHarness {
		t.Parallel()
		return newHarness(t, k.Brokers)
	})
}

// pool gives batches and scribbles over those that come back.
type pool struct{}

func (pool) Get() *batch.Batch  { return new(batch.Batch) }
func (pool) Put(b *batch.Batch) { b.Scribble() }

// harness has a process for each node of the test: a crash is a SIGKILL.
type harness struct {
	t     testing.TB
	addrs []string
	began time.Time
	name  string
	adm   *kadm.Client

	mu    sync.Mutex
	nodes map[protocol.NodeID]*process
	fed   int
}

func newHarness(t testing.TB, addrs []string) *harness {
	h := &harness{t: t, addrs: addrs, began: time.Now(), name: "t" + rand.Text()[:8] + "-", nodes: map[protocol.NodeID]*process{}}
	h.adm = kadm.NewClient(client(t, addrs))
	return h
}

func (h *harness) Now() protocol.Time              { return protocol.Time(time.Since(h.began)) }
func (h *harness) Sleep(d protocol.Duration)       { time.Sleep(time.Duration(d)) }
func (h *harness) Prefix() string                  { return h.name }
func (h *harness) Lacks(devicetest.Promise) string { return "" }

func (h *harness) node(n protocol.NodeID) *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nodes[n] == nil {
		h.nodes[n] = startProcess(h.t, h.began, h.addrs)
	}
	return h.nodes[n]
}

func (h *harness) Start(from protocol.Address, ef protocol.Effect) func() protocol.Event {
	got := make(chan protocol.Event, 1)
	h.node(from.Node).Perform(from, ef, func(ev protocol.Event) { got <- ev })
	return func() protocol.Event {
		select {
		case ev := <-got:
			return ev
		case <-time.After(patience):
			return nil
		}
	}
}

func (h *harness) Crash(node protocol.NodeID) {
	h.node(node).signal(syscall.SIGKILL)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.nodes, node)
}

func (h *harness) CreateTopic(name string, partitions int) { createTopic(h.t, h.adm, name, partitions) }

// createTopic returns when the new topic is served: brokers hear of it a little after the controller has said yes.
func createTopic(t testing.TB, adm *kadm.Client, name string, partitions int) {
	t.Helper()
	ctx := soon(t)
	_, err := adm.DeleteTopic(ctx, name)
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Fatal(err)
	}
	made, err := adm.CreateTopic(ctx, int32(partitions), -1, nil, name)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "topic "+name+" is served", func() bool {
		topics, err := adm.ListTopics(ctx, name)
		if err != nil || topics[name].ID != made.ID {
			return false
		}
		ends, err := adm.ListEndOffsets(ctx, name)
		return err == nil && ends.Error() == nil && len(ends[name]) == partitions
	})
}

func records(topic string, p protocol.Partition, kvs []devicetest.KV) []*kgo.Record {
	rs := make([]*kgo.Record, len(kvs))
	for i, kv := range kvs {
		rs[i] = &kgo.Record{Topic: topic, Partition: int32(p), Key: []byte(kv.Key), Value: []byte(kv.Value)}
	}
	return rs
}

// Feed has a client of its own each time: one that knew the topic would write to the id of its former life.
func (h *harness) Feed(topic string, p protocol.Partition, kvs ...devicetest.KV) {
	cl := client(h.t, h.addrs)
	defer cl.Close()
	if err := cl.ProduceSync(soon(h.t), records(topic, p, kvs)...).FirstErr(); err != nil {
		h.t.Fatal(err)
	}
}

// FeedAborted returns when the marker is there.
func (h *harness) FeedAborted(topic string, p protocol.Partition, kvs ...devicetest.KV) {
	h.fed++
	ctx, id := soon(h.t), fmt.Sprint(h.name, "feeder-", h.fed)
	cl := client(h.t, h.addrs, kgo.TransactionalID(id))
	rs := records(topic, p, kvs)
	if err := errors.Join(cl.BeginTransaction(), cl.ProduceSync(ctx, rs...).FirstErr()); err != nil {
		h.t.Fatal(err)
	}
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, rs[0].ProducerID, rs[0].ProducerEpoch
	resp, err := req.RequestWith(ctx, cl)
	if err != nil || resp.ErrorCode != 0 {
		h.t.Fatal(resp, err)
	}
	cl.Close()
	eventually(h.t, "the abort of "+id+" is marked", func() bool {
		_, stable, end := h.offsets(topic, p)
		return stable == end
	})
}

func (h *harness) AbortByHand(topic string, p protocol.Partition, producer protocol.Producer) {
	w := &wire{t: h.t, ctx: soon(h.t), addrs: h.addrs, adm: h.adm, by: map[int16]*kgo.Client{}}
	if code := w.abortByHand(topic, int32(p), producer.ID, producer.Epoch); code != "OK" {
		h.t.Fatalf("a marker by hand: %s", code)
	}
}

func (h *harness) Trim(topic string, p protocol.Partition, before protocol.Offset) {
	at := kadm.Offsets{}
	at.AddOffset(topic, int32(p), int64(before), -1)
	got, err := h.adm.DeleteRecords(soon(h.t), at)
	if err := errors.Join(err, got.Error()); err != nil {
		h.t.Fatal(err)
	}
}

// offsets are where a partition starts, is stable, and ends. A leader that was just elected cannot say at once.
func (h *harness) offsets(topic string, p protocol.Partition) (start, stable, end int64) {
	h.t.Helper()
	ctx := soon(h.t)
	var at [3]int64
	for i, ask := range []func(context.Context, ...string) (kadm.ListedOffsets, error){h.adm.ListStartOffsets, h.adm.ListCommittedOffsets, h.adm.ListEndOffsets} {
		eventually(h.t, "the offsets of "+topic+" are told", func() bool {
			got, err := ask(ctx, topic)
			o, ok := got.Lookup(topic, int32(p))
			at[i] = o.Offset
			return err == nil && ok && o.Err == nil
		})
	}
	return at[0], at[1], at[2]
}

// ReadCommitted reads up to the stable offset, below which there is always a record or a marker.
func (h *harness) ReadCommitted(topic string, p protocol.Partition) (got []devicetest.Record) {
	ctx := soon(h.t)
	at, stable, _ := h.offsets(topic, p)
	if at == stable {
		return nil
	}
	cl := client(h.t, h.addrs, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {int32(p): kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	for at < stable {
		fs := cl.PollFetches(ctx)
		if err := fs.Err0(); err != nil {
			h.t.Fatalf("read %s/%d: at %d of %d: %v", topic, p, at, stable, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if at = r.Offset + 1; !r.Attrs.IsControl() {
				got = append(got, devicetest.Record{Offset: protocol.Offset(r.Offset), Key: string(r.Key), Value: string(r.Value)})
			}
		})
	}
	return got
}
