package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"weir/protocol"
)

// wire speaks to brokers by raw requests of exact versions, none of which is sent twice.
type wire struct {
	t     testing.TB
	ctx   context.Context
	addrs []string
	adm   *kadm.Client
	by    map[int16]*kgo.Client // by version of EndTxn
	// versions is what the brokers can do, once they were asked.
	versions *kmsg.ApiVersionsResponse
}

// of is the client that speaks one version of EndTxn.
func (w *wire) of(version int16) *kgo.Client {
	if w.by[version] == nil {
		highest, lowest := kversion.Stable(), new(kversion.Versions)
		highest.SetMaxKeyVersion(int16(kmsg.EndTxn), version)
		highest.SetMaxKeyVersion(int16(kmsg.Produce), 11)
		if w.second() {
			highest.SetMaxKeyVersion(int16(kmsg.Produce), 12)
		}
		lowest.SetMaxKeyVersion(int16(kmsg.EndTxn), version)
		w.by[version] = client(w.t, w.addrs, kgo.RequestRetries(0), kgo.MaxVersions(highest), kgo.MinVersions(lowest))
	}
	return w.by[version]
}

// ask asks a broker what it can do, once.
func (w *wire) ask() *kmsg.ApiVersionsResponse {
	if w.versions == nil {
		resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(w.ctx, client(w.t, w.addrs))
		if err != nil {
			w.t.Fatal(err)
		}
		w.versions = resp
	}
	return w.versions
}

// second reports whether the cluster is at transaction.version 2: without it partitions are registered by a request of
// their own.
func (w *wire) second() bool {
	for _, f := range w.ask().FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel >= 2
		}
	}
	return false
}

// highest is the highest version of a request that the brokers have, or -1.
func (w *wire) highest(key kmsg.Key) int16 {
	for _, k := range w.ask().ApiKeys {
		if k.ApiKey == int16(key) {
			return k.MaxVersion
		}
	}
	return -1
}

// name is the code of an answer in short.
func (w *wire) name(code int16, err error) string {
	w.t.Helper()
	if err == nil {
		err = kerr.ErrorForCode(code)
	}
	switch {
	case err == nil:
		return "OK"
	case errors.Is(err, kerr.ConcurrentTransactions):
		return "CT"
	case errors.Is(err, kerr.InvalidTxnState):
		return "ITS"
	case errors.Is(err, kerr.ProducerFenced):
		return "PF"
	case errors.Is(err, kerr.InvalidProducerEpoch):
		return "IPE"
	case errors.Is(err, kerr.InvalidProducerIDMapping):
		return "IPM"
	case errors.Is(err, kerr.TransactionAbortable):
		return "TA"
	}
	return err.Error()
}

// ready repeats what is answered that way only while the coordinator of an id is not there yet.
func (w *wire) ready(ask func() (int16, error)) string {
	var got string
	eventually(w.t, "the coordinator answers", func() bool {
		code, err := ask()
		got = w.name(code, err)
		return !errors.Is(kerr.ErrorForCode(code), kerr.NotCoordinator) && !errors.Is(kerr.ErrorForCode(code), kerr.CoordinatorNotAvailable) &&
			!errors.Is(kerr.ErrorForCode(code), kerr.CoordinatorLoadInProgress) && !errors.Is(err, kerr.CoordinatorNotAvailable)
	})
	return got
}

func (w *wire) init(id string, timeout int32) (pid int64, epoch int16, code string) {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, timeout
	req.ProducerID, req.ProducerEpoch = -1, -1
	code = w.ready(func() (int16, error) {
		resp, err := req.RequestWith(w.ctx, w.of(4))
		if err != nil {
			return 0, err
		}
		pid, epoch = resp.ProducerID, resp.ProducerEpoch
		return resp.ErrorCode, nil
	})
	return pid, epoch, code
}

func (w *wire) end(id string, pid int64, epoch, version int16, commit bool) string {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = id, pid, epoch, commit
	return w.ready(func() (int16, error) {
		resp, err := req.RequestWith(w.ctx, w.of(version))
		if err != nil {
			return 0, err
		}
		if resp.Version != version {
			w.t.Fatalf("EndTxn went out in version %d, not %d", resp.Version, version)
		}
		return resp.ErrorCode, nil
	})
}

// put writes one record in a transaction to partition 0.
func (w *wire) put(topic, id string, pid int64, epoch int16, seq int32) (protocol.Offset, string) {
	if !w.second() {
		if code := w.register(topic, id, pid, epoch); code != "OK" {
			return 0, code
		}
	}
	return w.write(topic, id, pid, epoch, seq)
}

// write is a Produce of one record in a transaction, to partition 0.
func (w *wire) write(topic, id string, pid int64, epoch int16, seq int32) (protocol.Offset, string) {
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = recordBatch(pid, epoch, seq)
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrProduceRequest()
	req.TransactionID, req.Acks, req.TimeoutMillis, req.Topics = &id, -1, 10000, append(req.Topics, t)
	resp, err := w.tell(topic, 0, req)
	if err != nil {
		return 0, w.name(0, err)
	}
	answer := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return protocol.Offset(answer.BaseOffset), w.name(answer.ErrorCode, nil)
}

func (w *wire) register(topic, id string, pid int64, epoch int16) string {
	t := kmsg.NewAddPartitionsToTxnRequestTopic()
	t.Topic, t.Partitions = topic, []int32{0}
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Topics = id, pid, epoch, append(req.Topics, t)
	var code string
	eventually(w.t, "the partition is registered", func() bool {
		resp, err := req.RequestWith(w.ctx, w.of(4))
		if err != nil {
			w.t.Fatal(err)
		}
		code = w.name(resp.Topics[0].Partitions[0].ErrorCode, nil)
		return code != "CT"
	})
	return code
}

// tell sends a request to a partition's leader, once the client has heard of that broker.
func (w *wire) tell(topic string, partition int32, req kmsg.Request) (resp kmsg.Response, err error) {
	eventually(w.t, "the client knows the leader of "+topic, func() bool {
		resp, err = w.of(4).Broker(w.leader(topic, partition)).Request(w.ctx, req)
		if err == nil || err.Error() != "unknown broker" { // which is said before anything is sent
			return true
		}
		kmsg.NewPtrMetadataRequest().RequestWith(w.ctx, w.of(4))
		return false
	})
	return resp, err
}

func (w *wire) leader(topic string, partition int32) int {
	topics, err := w.adm.ListTopics(w.ctx, topic)
	if err != nil {
		w.t.Fatal(err)
	}
	return int(topics[topic].Partitions[partition].Leader)
}

// recordBatch is one record of a transaction, in Kafka's format of magic 2. It is of today, or retention would remove it.
func recordBatch(pid int64, epoch int16, seq int32) []byte {
	record := []byte{0, 0, 0, 2 * 1, 'k', 2 * 1, 'v', 0} // attributes and deltas; lengths are zigzag; no headers
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		FirstTimestamp: now, MaxTimestamp: now,
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: 1 << 4, ProducerID: pid, ProducerEpoch: epoch, FirstSequence: seq,
		NumRecords: 1, Records: append([]byte{byte(2 * len(record))}, record...),
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

// abortByHand writes the marker that only a coordinator should.
func (w *wire) abortByHand(topic string, partition int32, pid int64, epoch int16) string {
	t := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	t.Topic, t.Partitions = topic, []int32{partition}
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.CoordinatorEpoch, m.Topics = pid, epoch, 0, append(m.Topics, t)
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = append(req.Markers, m)
	got, err := w.tell(topic, partition, req)
	if err != nil {
		return w.name(0, err)
	}
	return w.name(got.(*kmsg.WriteTxnMarkersResponse).Markers[0].Topics[0].Partitions[0].ErrorCode, nil)
}
