package conformance

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// teller is connections on which every refused produce is answered with a log start above all that was written. Brokers
// tell it with some refusals and not with others, and clients act on it.
type teller struct {
	net.Conn

	mu    sync.Mutex
	asked map[uint32]int16 // versions of produce requests on their way, by correlation id
	ready []byte           // of answers, to be read
}

func tell(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &teller{Conn: c, asked: map[uint32]int16{}}, nil
}

// Write notes produce requests: the client writes one request at a time.
func (c *teller) Write(b []byte) (int, error) {
	if len(b) >= 12 && int16(binary.BigEndian.Uint16(b[4:])) == int16(kmsg.Produce) {
		c.mu.Lock()
		c.asked[binary.BigEndian.Uint32(b[8:])] = int16(binary.BigEndian.Uint16(b[6:]))
		c.mu.Unlock()
	}
	return c.Conn.Write(b)
}

// Read hands out whole answers, changed where they are to be.
func (c *teller) Read(b []byte) (int, error) {
	if len(c.ready) == 0 {
		head := make([]byte, 8) // size and correlation id
		if _, err := io.ReadFull(c.Conn, head); err != nil {
			return 0, err
		}
		body := make([]byte, binary.BigEndian.Uint32(head)-4)
		if _, err := io.ReadFull(c.Conn, body); err != nil {
			return 0, err
		}
		c.mu.Lock()
		version, produced := c.asked[binary.BigEndian.Uint32(head[4:])]
		c.mu.Unlock()
		if produced {
			body = started(body, version)
			binary.BigEndian.PutUint32(head, uint32(len(body)+4))
		}
		c.ready = append(head, body...)
	}
	n := copy(b, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// started is the answer to a produce request with the log's start changed. From version 9 on the head ends in a count
// of tags, which is zero.
func started(body []byte, version int16) []byte {
	tags := body[:0]
	if version >= 9 {
		tags = body[:1]
	}
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = version
	if err := resp.ReadFrom(body[len(tags):]); err != nil {
		return body
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if p := &resp.Topics[i].Partitions[j]; p.ErrorCode != 0 {
				p.LogStartOffset = 1 << 40
			}
		}
	}
	return resp.AppendTo(append([]byte(nil), tags...))
}
