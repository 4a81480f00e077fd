package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
)

// AbortByHand sends the marker to every broker: the one that leads the partition takes it.
func (h *harness) AbortByHand(topic string, p protocol.Partition, producer protocol.Producer) {
	t := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	t.Topic, t.Partitions = topic, []int32{int32(p)}
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Topics = producer.ID, producer.Epoch, append(m.Topics, t)
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = append(req.Markers, m)
	cl := h.plain()
	defer cl.Close()
	resp, err := cl.Broker(int(h.cluster.LeaderFor(topic, int32(p)))).Request(context.Background(), req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.WriteTxnMarkersResponse).Markers[0].Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}
