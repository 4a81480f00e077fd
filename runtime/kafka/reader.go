package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
)

var (
	errGone       = errors.New("there is no such topic or partition")
	errOtherTopic = errors.New("the topic of this name has another id: it was deleted and created again")
	errNoLeader   = errors.New("the partition has no leader at the moment")
	errNoAnswer   = errors.New("the answer does not have the partition")
)

// place names a partition of one life of a topic.
type place struct {
	topic     string
	id        protocol.TopicID
	partition protocol.Partition
}

// String is topic/partition, as a person reads it.
func (p place) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }

// reader reads one partition by raw requests to its leader. It has a client of its own, because requests on one
// connection are answered in order: a partition at its end would hold up the others for MaxWait.
type reader struct {
	at     place
	cl     *kgo.Client
	leader int32 // negative: to be looked up
}

func (d *Device) newReader(at place) (*reader, error) {
	cl, err := d.opts.client(kgo.RequestRetries(1))
	if err != nil {
		return nil, err
	}
	return &reader{at: at, cl: cl, leader: -1}, nil
}

// chunk is what one request brought: records from an offset, and the offset to go on with.
type chunk struct {
	from, next protocol.Offset
	stable     protocol.Offset // last stable offset: nothing at or above it is committed yet
	recs       []*kgo.Record
}

// ask is one read: how long to wait for the first byte, and how many bytes.
type ask struct {
	from  protocol.Offset
	wait  time.Duration
	bytes int32
}

// goneDelay is before a missing topic is asked for again: a broker that has just come up may not know it yet.
const goneDelay = 200 * time.Millisecond

// fetch reads committed records. A leader that moved is looked up once; then the machine asks again.
func (r *reader) fetch(ctx context.Context, a ask) (chunk, error) {
	c, err := r.fetchOnce(ctx, a)
	if err == nil || oneOf(err, kerr.OffsetOutOfRange, kerr.TopicAuthorizationFailed, errOtherTopic) {
		return c, err
	}
	r.leader = -1
	if errors.Is(err, errGone) {
		select {
		case <-time.After(goneDelay):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return chunk{}, ctx.Err()
	}
	if c, err = r.fetchOnce(ctx, a); err != nil {
		r.leader = -1
	}
	return c, err
}

func (r *reader) fetchOnce(ctx context.Context, a ask) (chunk, error) {
	if r.leader < 0 {
		if err := r.locate(ctx); err != nil {
			return chunk{}, err
		}
	}
	resp, err := r.cl.Broker(int(r.leader)).Request(ctx, r.request(a))
	if err != nil {
		return chunk{}, err
	}
	fetched := resp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(fetched.ErrorCode); err != nil {
		return chunk{}, err
	}
	for i := range fetched.Topics {
		for j := range fetched.Topics[i].Partitions {
			if p := &fetched.Topics[i].Partitions[j]; p.Partition == int32(r.at.partition) {
				return r.decode(p, a)
			}
		}
	}
	return chunk{}, errNoAnswer
}

// locate finds the leader and compares the topic's id; it is asked at each assignment and whenever a leader fails.
func (r *reader) locate(ctx context.Context) error {
	t, err := describe(ctx, r.cl, r.at.topic)
	if err != nil {
		return err
	}
	if t.TopicID != [16]byte(r.at.id) {
		return fmt.Errorf("%w: %s, expected %s", errOtherTopic, protocol.TopicID(t.TopicID), r.at.id)
	}
	for i := range t.Partitions {
		if p := &t.Partitions[i]; p.Partition == int32(r.at.partition) {
			if p.Leader < 0 {
				return errors.Join(errNoLeader, kerr.ErrorForCode(p.ErrorCode))
			}
			r.leader = p.Leader
			return nil
		}
	}
	return fmt.Errorf("%w: partition %d of %d", errGone, r.at.partition, len(t.Partitions))
}

// request names the topic by its id, from version 13 on, so that a topic created again under the name is never read.
func (r *reader) request(a ask) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = int32(r.at.partition), int64(a.from), a.bytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = r.at.topic, [16]byte(r.at.id)
	t.Partitions = append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(a.wait/time.Millisecond), 1, a.bytes
	req.IsolationLevel = 1 // read_committed, always
	req.Topics = append(req.Topics, t)
	return req
}

// decode drops what is aborted, and markers; the position passes both.
func (r *reader) decode(p *kmsg.FetchResponseTopicPartition, a ask) (chunk, error) {
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		return chunk{}, err
	}
	opts := kgo.ProcessFetchPartitionOpts{
		Offset: int64(a.from), IsolationLevel: kgo.ReadCommitted(), Topic: r.at.topic, Partition: p.Partition,
	}
	got, next := kgo.ProcessFetchPartition(opts, p, decompressor, nil)
	if got.Err != nil && len(got.Records) == 0 {
		return chunk{}, fmt.Errorf("batch at offset %d or after: %w", a.from, got.Err)
	}
	c := chunk{from: a.from, next: protocol.Offset(next), stable: protocol.Offset(p.LastStableOffset), recs: got.Records}
	if n := len(c.recs); got.Err != nil {
		c.next = protocol.Offset(c.recs[n-1].Offset) + 1
	}
	return c, nil
}

// decompressor is stateless but for its pools.
var decompressor = kgo.DefaultDecompressor()
