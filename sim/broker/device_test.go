package broker

import (
	"testing"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/devicetest"
)

// pool is a pool that scribbles over what it is given back.
type pool struct {
	free []*batch.Batch
	gets int
	puts int
}

func (p *pool) Get() *batch.Batch {
	p.gets++
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return &batch.Batch{}
}

func (p *pool) Put(b *batch.Batch) {
	p.puts++
	b.Scribble()
	p.free = append(p.free, b)
}

// harness is a device and a cluster in a world without faults, until fate is set.
type harness struct {
	*net
	b      *Broker
	device *Device
	pool   *pool
}

func newHarness(version int16) *harness {
	opts := Defaults()
	opts.Version = version
	return harnessOf(opts)
}

func harnessOf(opts Options) *harness {
	n := &net{now: 12345}
	serial := protocol.Duration(0)
	opts.MarkerDelay = func() protocol.Duration { // partitions become visible apart from each other
		serial = (serial + 7) % 31
		return serial * protocol.Millisecond
	}
	p := &pool{}
	b := New(n, opts)
	return &harness{n, b, NewDevice(b, n, client(p)), p}
}

func client(p *pool) Client {
	return Client{Timeout: 35 * protocol.Second, Request: 6 * protocol.Second, Backoff: 20 * protocol.Millisecond, Poll: 500 * protocol.Millisecond, Pool: p}
}

func (h *harness) Start(from protocol.Address, ef protocol.Effect) func() protocol.Event {
	return h.start(h.device, from, ef)
}
func (*harness) Prefix() string                   { return "test-" }
func (*harness) Lacks(devicetest.Promise) string  { return "" }
func (h *harness) CreateTopic(name string, n int) { h.b.CreateTopic(name, n) }
func (h *harness) Crash(node protocol.NodeID)     { h.device.Crash(node) }
func (h *harness) Trim(topic string, p protocol.Partition, before protocol.Offset) {
	h.b.RaiseStart(topic, p, before)
}
func (h *harness) AbortByHand(topic string, p protocol.Partition, _ protocol.Producer) {
	h.b.AbortByHand(topic, p)
}
func (h *harness) Feed(topic string, p protocol.Partition, kvs ...devicetest.KV) {
	h.b.Feed(topic, p, bytesOf(kvs))
}
func (h *harness) FeedAborted(topic string, p protocol.Partition, kvs ...devicetest.KV) {
	h.b.FeedAborted(topic, p, bytesOf(kvs))
}
func (h *harness) ReadCommitted(topic string, p protocol.Partition) (out []devicetest.Record) {
	got, _ := h.b.ReadCommitted(topic, p, 0, 1<<30)
	for _, r := range got {
		out = append(out, devicetest.Record{Offset: r.Offset, Key: string(r.Key), Value: string(r.Value)})
	}
	return out
}

func bytesOf(kvs []devicetest.KV) (out []KV) {
	for _, kv := range kvs {
		out = append(out, KV{[]byte(kv.Key), []byte(kv.Value)})
	}
	return out
}

// TestPromises runs the one suite of log devices on each release.
func TestPromises(t *testing.T) {
	for _, release := range Releases() {
		t.Run(release.String(), func(t *testing.T) {
			devicetest.TestLog(t, func(*testing.T) devicetest.LogHarness {
				opts := Defaults()
				opts.Run(release)
				return harnessOf(opts)
			})
		})
	}
}
