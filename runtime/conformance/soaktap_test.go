package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// taps stand before brokers, and see each EndTxn before the broker does.
type taps struct {
	mu   sync.Mutex
	wait map[string]chan ending // by job
}

// ending is an EndTxn on its way.
type ending struct {
	broker int // that gets it: it coordinates the transaction
	at     time.Time
}

// stand makes a way to a broker, with a tap.
func (x *taps) stand(t testing.TB, broker int, to string) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go x.pass(c, to, broker)
		}
	}()
	return l.Addr().String()
}

// next comes down the channel when a broker is about to get an EndTxn of the job.
func (x *taps) next(job string) <-chan ending {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wait == nil {
		x.wait = map[string]chan ending{}
	}
	c := make(chan ending, 1)
	x.wait[job] = c
	return c
}

func (x *taps) tell(broker int, request []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for job, c := range x.wait {
		if bytes.Contains(request, []byte(job+"/")) { // a transactional id
			c <- ending{broker, time.Now()}
			delete(x.wait, job)
		}
	}
}

// pass passes bytes both ways until one side ends. An end that is not clean is passed on as a reset.
func (x *taps) pass(from net.Conn, address string, broker int) {
	to, err := net.Dial("tcp", address)
	if err != nil {
		reset(from)
		return
	}
	ended := make(chan error, 2)
	go func() {
		_, err := io.Copy(from, to)
		ended <- err
	}()
	go func() { ended <- x.watch(from, to, broker) }()
	if <-ended != nil {
		reset(from, to)
	}
	from.Close()
	to.Close()
}

func reset(conns ...net.Conn) {
	for _, c := range conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

func (x *taps) watch(from io.Reader, to io.Writer, broker int) error {
	frames, buf := new(kafkaFrames), make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		for _, request := range frames.endTxns(buf[:n]) {
			x.tell(broker, request)
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// kafkaFrames follows what a client sends to a broker: a length of four bytes, and that many that begin with two of the
// request's key, again and again.
type kafkaFrames struct {
	head []byte
	skip int
}

const endTxnKey = 26

// endTxns returns the requests in the next bytes that end transactions, as far as they are there.
func (k *kafkaFrames) endTxns(b []byte) (found [][]byte) {
	for len(b) > 0 {
		n := min(k.skip, len(b))
		b, k.skip = b[n:], k.skip-n
		n = min(6-len(k.head), len(b))
		k.head, b = append(k.head, b[:n]...), b[n:]
		if len(k.head) < 6 {
			break
		}
		k.skip = int(binary.BigEndian.Uint32(k.head)) - 2
		if binary.BigEndian.Uint16(k.head[4:]) == endTxnKey {
			found = append(found, b[:min(k.skip, len(b))])
		}
		k.head = k.head[:0]
	}
	return found
}

// TestKafkaFrames: requests are found wherever the bytes are cut.
func TestKafkaFrames(t *testing.T) {
	frame := func(key uint16, body string) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(2+len(body)))
		return append(binary.BigEndian.AppendUint16(b, key), body...)
	}
	stream := slices.Concat(frame(0, "\x00\x00\x00\x02\x00\x1a"), frame(endTxnKey, "accesslog/1"), frame(endTxnKey, ""), frame(3, "x"), frame(endTxnKey, "shuffle/2"))
	for size := 1; size <= len(stream); size++ {
		var k kafkaFrames
		var found [][]byte
		for chunk := range slices.Chunk(stream, size) {
			found = append(found, k.endTxns(chunk)...)
		}
		if len(found) != 3 || size == len(stream) && (string(found[0]) != "accesslog/1" || string(found[2]) != "shuffle/2") {
			t.Fatalf("in pieces of %d: %q", size, found)
		}
	}
}
