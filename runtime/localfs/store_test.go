package localfs

import (
	"testing"
	"time"

	"weir/protocol"
	"weir/protocol/devicetest"
)

// harness lets the conformance suites drive a device.
type harness struct {
	d     protocol.Device
	begin time.Time
}

func (h *harness) Start(from protocol.Address, ef protocol.Effect) func() protocol.Event {
	ch := make(chan protocol.Event, 1)
	h.d.Perform(from, ef, func(ev protocol.Event) { ch <- ev })
	return func() protocol.Event {
		select {
		case ev := <-ch:
			return ev
		case <-time.After(30 * time.Second):
			return nil
		}
	}
}

func (h *harness) Now() protocol.Time              { return protocol.Time(time.Since(h.begin)) }
func (h *harness) Sleep(d protocol.Duration)       { time.Sleep(time.Duration(d)) }
func (h *harness) Prefix() string                  { return "conformance/" }
func (h *harness) Lacks(devicetest.Promise) string { return "" }

func TestConformance(t *testing.T) {
	devicetest.TestStore(t, func(t *testing.T) devicetest.Harness { return &harness{open(t, t.TempDir()), time.Now()} })
}
