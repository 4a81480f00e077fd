package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/protocol"
	"weir/protocol/batch"
)

// pool counts what is out, and scribbles over what comes back, so that a batch that is still read shows.
type pool struct {
	mu   sync.Mutex
	free []*batch.Batch
}

func (p *pool) Get() *batch.Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return new(batch.Batch)
}

func (p *pool) Put(b *batch.Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.Scribble()
	p.free = append(p.free, b)
}

// world is a fake cluster, the wires to it, and a device.
type world struct {
	t       testing.TB
	cluster *kfake.Cluster
	wires   *wires
	pool    *pool
	dev     *Device
	began   time.Time
	op      protocol.OpID
	seq     uint64
}

func newWorld(t testing.TB, opts ...kfake.Opt) *world {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(2), kfake.SeedTopics(2, "in", "out"), kfake.SeedTopics(1, "ledger")}, opts...)
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &world{t: t, cluster: c, wires: &wires{}, pool: &pool{}, began: time.Now()}
	w.dev = w.device(2 * time.Second)
	return w
}

// device is one more device, a process of its own as far as the brokers can tell.
func (w *world) device(timeout time.Duration) *Device {
	w.t.Helper()
	d, err := New(Options{
		Brokers: w.cluster.ListenAddrs(), Pool: w.pool, Now: w.now, Dialer: w.wires.dial, IOTimeout: timeout,
		Logger: slog.New(slog.NewTextHandler(testLog{w.t}, &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(d.Close)
	return d
}

func (w *world) now() protocol.Time { return protocol.Time(time.Since(w.began)) }

type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

// do performs one effect and waits for its event.
func (w *world) do(d *Device, ef protocol.Effect) protocol.Event {
	w.t.Helper()
	select {
	case ev := <-w.start(d, ef):
		return ev
	case <-time.After(15 * time.Second):
		w.t.Fatalf("%T is not answered", ef)
		return nil
	}
}

func (w *world) start(d *Device, ef protocol.Effect) <-chan protocol.Event {
	got := make(chan protocol.Event, 2) // room for an answer too many, which leak reports
	d.Perform(protocol.Address{}, ef, func(ev protocol.Event) { got <- ev })
	return got
}

func (w *world) survey(topic string) protocol.Surveyed {
	w.t.Helper()
	return w.do(w.dev, protocol.Survey{Topic: topic}).(protocol.Surveyed)
}

func (w *world) open(d *Device, id string) protocol.Opened {
	w.t.Helper()
	return w.do(d, protocol.OpenSlot{ID: protocol.TransactionalID(id), Timeout: protocol.Minute, Topics: []string{"out", "ledger"}}).(protocol.Opened)
}

func (w *world) produce(d *Device, id, topic string, partition int, values ...string) <-chan protocol.Event {
	b := w.pool.Get()
	for _, v := range values {
		b.Append([]byte("k"+v), []byte(v), batch.Record{})
	}
	w.seq++
	return w.start(d, protocol.Produce{ID: protocol.TransactionalID(id), Seq: w.seq, Topic: topic, Partition: protocol.Partition(partition), Batch: b})
}

func (w *world) flush(d *Device, id string, within time.Duration) protocol.Flushed {
	w.t.Helper()
	return w.do(d, protocol.Flush{ID: protocol.TransactionalID(id), Deadline: w.now().Add(protocol.Duration(within))}).(protocol.Flushed)
}

func (w *world) end(d *Device, o protocol.Opened, commit bool) protocol.Outcome {
	w.t.Helper()
	return w.do(d, protocol.EndTxn{ID: o.ID, Producer: o.Producer, Version: o.Version, Commit: commit}).(protocol.Ended).Outcome
}

// prepared is a flushed transaction with records in out/0 and a ledger record.
type prepared struct {
	protocol.Opened
	ledger protocol.ReadLedger
}

func (w *world) prepare(id string, values ...string) prepared {
	w.t.Helper()
	o := w.open(w.dev, id)
	if o.Outcome != protocol.OK {
		w.t.Fatalf("open %s: %v", id, o.Outcome)
	}
	out := w.produce(w.dev, id, "out", 0, values...)
	led := w.produce(w.dev, id, "ledger", 0, "ledger of "+id)
	if f := w.flush(w.dev, id, 5*time.Second); f.Outcome != protocol.OK {
		w.t.Fatalf("flush %s: %v", id, f.Outcome)
	}
	if p := (<-out).(protocol.Produced); p.Outcome != protocol.OK {
		w.t.Fatalf("produce: %+v", p)
	}
	p := (<-led).(protocol.Produced)
	return prepared{o, protocol.ReadLedger{Topic: "ledger", TopicID: w.survey("ledger").TopicID, Offset: p.Offset}}
}

func (w *world) ledger(p prepared) protocol.LedgerRead {
	w.t.Helper()
	return w.do(w.dev, p.ledger).(protocol.LedgerRead)
}

// visible is what a read_committed reader sees in a partition, from the start, by the device itself.
func (w *world) visible(topic string, partition int) (values []string, next protocol.Offset) {
	w.t.Helper()
	s := w.survey(topic)
	next = s.Ranges[partition].Start
	for rounds := 0; next < s.Ranges[partition].End; rounds++ {
		if rounds > 1000 {
			w.t.Fatalf("fetch: stuck at %d of %d", next, s.Ranges[partition].End)
		}
		f := w.do(w.dev, protocol.Fetch{Topic: topic, TopicID: s.TopicID, Partition: protocol.Partition(partition), From: next, Max: 3}).(protocol.Fetched)
		if f.Outcome != protocol.OK {
			w.t.Fatalf("fetch at %d: %v", next, f.Outcome)
		}
		for i := range f.Batch.Len() {
			values = append(values, string(f.Batch.Value(i)))
		}
		next = f.Next
	}
	return values, next
}

// write puts plain records into a topic, outside any transaction.
func (w *world) write(topic string, partition int32, values ...string) {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	for _, v := range values {
		if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func numbered(prefix string, n int) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprint(prefix, i)
	}
	return values
}

// wires are connections that can lose replies and hold requests back, by the request's key.
type wires struct {
	mu      sync.Mutex
	swallow map[int16]bool // requests go out, replies are lost and the connection with them
	hold    map[int16]bool // requests are kept until let
	still   string         // the broker at this address stands still: connections are taken, nothing is answered
	held    []heldRequest
	dialled int
}

type heldRequest struct {
	to net.Conn
	p  []byte
}

func (ws *wires) set(m *map[int16]bool, key int16, on bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if *m == nil {
		*m = map[int16]bool{}
	}
	(*m)[key] = on
}

func (ws *wires) dial(ctx context.Context, network, host string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	ws.mu.Lock()
	ws.dialled++
	ws.mu.Unlock()
	return &wire{Conn: c, ws: ws}, nil
}

// count is how many connections were opened.
func (ws *wires) count() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.dialled
}

func (ws *wires) stop(addr string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.still = addr
}

// let sends what was held, on connections that their owner may have given up long ago, and waits for the answers.
func (ws *wires) let(key int16) int {
	ws.set(&ws.hold, key, false)
	ws.mu.Lock()
	held := ws.held
	ws.held = nil
	ws.mu.Unlock()
	for _, h := range held {
		h.to.SetDeadline(time.Now().Add(time.Second))               // the owner's deadlines are over
		end := time.AfterFunc(time.Second, func() { h.to.Close() }) // or not: it may take this one back
		h.to.Write(h.p)
		h.to.Read(make([]byte, 1<<16))
		end.Stop()
		h.to.Close()
	}
	return len(held)
}

type wire struct {
	net.Conn
	ws *wires

	mu         sync.Mutex
	lost, kept bool
}

func (w *wire) Write(p []byte) (int, error) {
	if len(p) < 6 {
		return w.Conn.Write(p)
	}
	key := int16(binary.BigEndian.Uint16(p[4:]))
	w.ws.mu.Lock()
	swallow, hold := w.ws.swallow[key], w.ws.hold[key]
	still := w.ws.still == w.RemoteAddr().String()
	if hold {
		w.ws.held = append(w.ws.held, heldRequest{w.Conn, append([]byte(nil), p...)})
	}
	w.ws.mu.Unlock()
	w.mu.Lock()
	w.lost, w.kept = w.lost || swallow, w.kept || hold
	w.mu.Unlock()
	if hold || still {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close leaves a connection open that has a held request: what is on the wire outlives its sender.
func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept {
		return w.Conn.SetReadDeadline(time.Now())
	}
	return w.Conn.Close()
}
