package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
)

const (
	atStart = -2 // ListOffsets' timestamps
	atEnd   = -1
)

// survey asks for a topic's id and for what its partitions hold.
func (d *Device) survey(ctx context.Context, ef protocol.Survey) protocol.Event {
	id, ranges, err := d.surveyTopic(ctx, ef.Topic)
	out := d.report("survey", ef.Topic, plainOutcome(err), err)
	if out != protocol.OK {
		return protocol.Surveyed{Op: ef.Op, Outcome: out}
	}
	return protocol.Surveyed{Op: ef.Op, Outcome: out, TopicID: id, Ranges: ranges}
}

func (d *Device) surveyTopic(ctx context.Context, topic string) (protocol.TopicID, []protocol.Range, error) {
	t, err := describe(ctx, d.admin, topic)
	if err != nil {
		return protocol.TopicID{}, nil, err
	}
	partitions := make([]int32, len(t.Partitions))
	for i := range partitions {
		partitions[i] = int32(i) // Kafka numbers them from zero without a gap
	}
	ranges, err := d.ranges(ctx, topic, partitions)
	return t.TopicID, ranges, err
}

// ranges is what partitions hold for a read_committed reader, in the order asked for.
func (d *Device) ranges(ctx context.Context, topic string, partitions []int32) ([]protocol.Range, error) {
	starts, err := d.listOffsets(ctx, topic, partitions, atStart)
	if err != nil {
		return nil, err
	}
	ends, err := d.listOffsets(ctx, topic, partitions, atEnd)
	if err != nil {
		return nil, err
	}
	ranges := make([]protocol.Range, len(partitions))
	for i := range ranges {
		ranges[i] = protocol.Range{Start: starts[i], End: ends[i]}
	}
	return ranges, nil
}

func (d *Device) listOffsets(ctx context.Context, topic string, partitions []int32, timestamp int64) ([]protocol.Offset, error) {
	resp, err := listRequest(topic, partitions, timestamp).RequestWith(ctx, d.admin)
	if err != nil {
		return nil, fmt.Errorf("list offsets of topic %q: %w", topic, err)
	}
	got := map[int32]protocol.Offset{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("list offsets of %s/%d: %w", topic, p.Partition, err)
			}
			got[p.Partition] = protocol.Offset(p.Offset)
		}
	}
	offsets := make([]protocol.Offset, len(partitions))
	for i, p := range partitions {
		o, ok := got[p]
		if !ok || o < 0 {
			return nil, fmt.Errorf("list offsets of %s/%d: %w", topic, p, errNoAnswer)
		}
		offsets[i] = o
	}
	return offsets, nil
}

func listRequest(topic string, partitions []int32, timestamp int64) *kmsg.ListOffsetsRequest {
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for _, n := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = n, timestamp
		t.Partitions = append(t.Partitions, p)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, 1 // the latest offset of read_committed is the stable one
	req.Topics = append(req.Topics, t)
	return req
}
