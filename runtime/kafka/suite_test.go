package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
	"weir/protocol/devicetest"
)

// gaps is what kfake cannot show, and why: rows of the table of where the worlds differ.
var gaps = map[devicetest.Promise]string{
	devicetest.EndAfterZombie: "kfake opens an empty transaction for a produce that it refuses, so that the same end, repeated after it, is PRODUCER_FENCED; Kafka says OK. TestZombieAfterTheEnd shows the rest",
}

// TestSuiteOnKfake runs the one suite of log devices on the fake broker. Its tests run side by side, each on a cluster
// of its own, because one of them waits for a transaction's timeout.
func TestSuiteOnKfake(t *testing.T) {
	devicetest.TestLog(t, func(t *testing.T) devicetest.LogHarness {
		t.Parallel()
		return &harness{world: newWorld(t), nodes: map[protocol.NodeID]*Device{}}
	})
}

// harness has a device per process of the test.
type harness struct {
	*world
	nodes map[protocol.NodeID]*Device
}

func (h *harness) Start(from protocol.Address, ef protocol.Effect) func() protocol.Event {
	d := h.nodes[from.Node]
	if d == nil {
		d = h.device(20 * time.Second)
		h.nodes[from.Node] = d
	}
	got := h.start(d, ef)
	return func() protocol.Event {
		select {
		case ev := <-got:
			return ev
		case <-time.After(30 * time.Second):
			return nil
		}
	}
}

func (h *harness) Now() protocol.Time { return h.now() }

func (h *harness) Sleep(d protocol.Duration) { <-time.After(time.Duration(d)) }

func (h *harness) Prefix() string { return "t-" }

func (h *harness) Lacks(p devicetest.Promise) string {
	if p == devicetest.TimeoutAborts && testing.Short() {
		return "waits 14 s for a transaction's timeout; run without -short"
	}
	return gaps[p]
}

func (h *harness) Crash(node protocol.NodeID) {
	if d := h.nodes[node]; d != nil {
		d.Close()
		delete(h.nodes, node)
	}
}

func (h *harness) CreateTopic(name string, partitions int) {
	if h.cluster.TopicInfo(name) != nil {
		if err := h.cluster.DeleteTopic(name); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := h.cluster.CreateTopic(name, int32(partitions), nil); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) Trim(topic string, p protocol.Partition, before protocol.Offset) {
	if err := h.cluster.DeleteRecords(topic, int32(p), int64(before)); err != nil {
		h.t.Fatal(err)
	}
}

// plain is a client of no part of ours.
func (h *harness) plain(opts ...kgo.Opt) *kgo.Client {
	opts = append(opts, kgo.SeedBrokers(h.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		h.t.Fatal(err)
	}
	return cl
}

func records(topic string, p protocol.Partition, kvs []devicetest.KV) []*kgo.Record {
	rs := make([]*kgo.Record, len(kvs))
	for i, kv := range kvs {
		rs[i] = &kgo.Record{Topic: topic, Partition: int32(p), Key: []byte(kv.Key), Value: []byte(kv.Value)}
	}
	return rs
}

func (h *harness) Feed(topic string, p protocol.Partition, kvs ...devicetest.KV) {
	cl := h.plain()
	defer cl.Close()
	if err := cl.ProduceSync(context.Background(), records(topic, p, kvs)...).FirstErr(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) FeedAborted(topic string, p protocol.Partition, kvs ...devicetest.KV) {
	h.op++
	id := fmt.Sprint("feeder-", h.op)
	cl := h.plain(kgo.TransactionalID(id))
	defer cl.Close()
	rs := records(topic, p, kvs)
	err := cl.BeginTransaction()
	if err = errors.Join(err, cl.ProduceSync(context.Background(), rs...).FirstErr()); err != nil {
		h.t.Fatal(err)
	}
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, rs[0].ProducerID, rs[0].ProducerEpoch
	resp, err := req.RequestWith(context.Background(), cl)
	if err != nil || resp.ErrorCode != 0 {
		h.t.Fatal(resp, err)
	}
}

func (h *harness) ReadCommitted(topic string, p protocol.Partition) (got []devicetest.Record) {
	info := h.cluster.PartitionInfo(topic, int32(p))
	cl := h.plain(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {int32(p): kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	for at := info.LogStartOffset; at < info.LastStableOffset; {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		fs := cl.PollFetches(ctx)
		cancel()
		if fs.NumRecords() == 0 { // the end is aborted records, which are not shown
			return got
		}
		fs.EachRecord(func(r *kgo.Record) {
			if at = r.Offset + 1; !r.Attrs.IsControl() {
				got = append(got, devicetest.Record{Offset: protocol.Offset(r.Offset), Key: string(r.Key), Value: string(r.Value)})
			}
		})
	}
	return got
}
