package broker

import (
	"testing"

	"weir/protocol"
)

// lagging is a harness whose reads go on 20 ms after there is something to see, with a read that waits.
func lagging() (h *harness, id protocol.TopicID, wait func() protocol.Event) {
	opts := Defaults()
	opts.ReadLag = 20 * protocol.Millisecond
	h = harnessOf(opts)
	id = h.b.CreateTopic("in", 1)
	return h, id, h.Start(one, protocol.Fetch{Op: 1, Topic: "in", TopicID: id, Max: 10})
}

// A read that waits goes on a lag behind the first record, with all that has come by then, and once.
func TestReadLag(t *testing.T) {
	h, id, wait := lagging()
	h.Sleep(5 * protocol.Millisecond)
	began := h.Now()
	for range 3 {
		h.b.Feed("in", 0, []KV{{}})
		h.Sleep(5 * protocol.Millisecond)
	}
	got := wait().(protocol.Fetched)
	if took := h.Now().Sub(began); got.Outcome != protocol.OK || got.Next != 3 || got.Batch.Len() != 3 || took < h.b.opts.ReadLag || took > 2*h.b.opts.ReadLag {
		t.Fatalf("%+v after %d ns", got, took)
	}
	h.device.Perform(one, protocol.Fetch{Op: 2, Topic: "in", TopicID: id, From: 3, Max: 10}, func(ev protocol.Event) {
		if got := ev.(protocol.Fetched); got.Next != 3 || got.Batch != nil {
			t.Errorf("nothing came: %+v", got)
		}
	})
	h.Sleep(protocol.Minute) // a read that is told twice panics
}

// The poll time, the end of the topic and a crash find a read that is held, and it is told once, or not at all.
func TestReadLagEnds(t *testing.T) {
	for name, c := range map[string]struct {
		strike func(h *harness)
		told   int
		want   protocol.Outcome
	}{
		"poll":  {func(h *harness) { h.Sleep(490 * protocol.Millisecond); h.b.Feed("in", 0, []KV{{}}) }, 1, protocol.OK},
		"topic": {func(h *harness) { h.b.Feed("in", 0, []KV{{}}); h.b.DeleteTopic("in") }, 1, protocol.NotFound},
		"crash": {func(h *harness) { h.b.Feed("in", 0, []KV{{}}); h.device.Crash(2) }, 0, protocol.OK},
	} {
		h, id, _ := lagging()
		told := 0
		h.device.Perform(protocol.Address{Node: 2, Task: 2}, protocol.Fetch{Op: 3, Topic: "in", TopicID: id, Max: 10}, func(ev protocol.Event) {
			if got := ev.(protocol.Fetched); got.Outcome != c.want || got.Outcome == protocol.OK && got.Batch.Len() != 1 {
				t.Errorf("%s: %+v", name, got)
			}
			told++
		})
		c.strike(h)
		if h.Sleep(protocol.Minute); told != c.told {
			t.Errorf("%s: told %d times", name, told)
		}
	}
}
