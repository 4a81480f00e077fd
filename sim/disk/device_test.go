package disk

import (
	"bytes"
	"testing"

	"weir/faults"
	"weir/protocol"
	"weir/protocol/devicetest"
)

// world is a clock, and faults that a test wants.
type world struct {
	now    protocol.Time
	queue  []func()
	write  *Harm
	lost   *Harm
	torn   *Harm
	late   protocol.Duration
	broken bool
	struck map[faults.Kind]int
}

func (w *world) Now() protocol.Time { return w.now }
func (w *world) After(d protocol.Duration, fn func()) {
	w.queue = append(w.queue, func() { w.now = w.now.Add(d); fn() })
}
func (w *world) DiskDelay() protocol.Duration                               { return protocol.Millisecond }
func (w *world) DiskWrite(protocol.NodeID, string) *Harm                    { return w.write }
func (w *world) DiskDeath(protocol.NodeID) (lost, torn *Harm)               { return w.lost, w.torn }
func (w *world) DiskRead(protocol.NodeID, string) (protocol.Duration, bool) { return w.late, w.broken }
func (w *world) DiskStruck(_ protocol.NodeID, k faults.Kind)                { w.struck[k]++ }

// harness is a device in such a world.
type harness struct {
	*world
	d *Device
}

func newHarness() *harness {
	w := &world{now: 1, struck: map[faults.Kind]int{}}
	return &harness{w, NewDevice(w)}
}

func (h *harness) Start(from protocol.Address, ef protocol.Effect) func() protocol.Event {
	var got protocol.Event
	h.d.Perform(from, ef, func(ev protocol.Event) { got = ev })
	return func() protocol.Event { h.run(); return got }
}

func (h *harness) run() {
	for len(h.queue) > 0 {
		fn := h.queue[0]
		h.queue = h.queue[1:]
		fn()
	}
}
func (h *harness) Sleep(d protocol.Duration)       { h.run(); h.now = h.now.Add(d) }
func (*harness) Prefix() string                    { return "" }
func (*harness) Lacks(_ devicetest.Promise) string { return "" }

func TestPromises(t *testing.T) {
	devicetest.TestCopies(t, func(*testing.T) devicetest.Harness { return newHarness() })
}

var at = protocol.Address{Node: 1, Task: 1}

func (h *harness) keep(key, body string) {
	h.Start(at, protocol.Keep{Shelf: "s", Key: protocol.ObjectKey(key), Object: devicetest.Bytes(body)})
	h.run()
}

func (h *harness) recall(key string) protocol.Recalled {
	return h.Start(at, protocol.Recall{Op: 1, Shelf: "s", Key: protocol.ObjectKey(key)})().(protocol.Recalled)
}

func harm(k faults.Kind) *Harm { return &Harm{Kind: k, Draws: *faults.NewChoice(1).Stream("harm")} }

// TestHarms: what each kind does to a copy, that it counts when it shows, and only then.
func TestHarms(t *testing.T) {
	body := "the body of a copy, which is long enough to be spoiled"
	for _, c := range []struct {
		kind    faults.Kind
		set     func(*world)
		outcome protocol.Outcome
	}{
		{faults.DiskFull, func(w *world) { w.write = harm(faults.DiskFull) }, protocol.NotFound},
		{faults.DiskRot, func(w *world) { w.write = harm(faults.DiskRot) }, protocol.OK},
		{faults.DiskLost, func(w *world) { w.lost = harm(faults.DiskLost) }, protocol.NotFound},
		{faults.DiskTorn, func(w *world) { w.torn = harm(faults.DiskTorn) }, protocol.OK},
		{faults.DiskError, func(w *world) { w.broken = true }, protocol.Unknown},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			h := newHarness()
			c.set(h.world)
			h.keep("k", body)
			h.d.Died(1)
			if h.struck[c.kind] != 0 {
				t.Error("it counts although nobody has looked")
			}
			ev := h.recall("k")
			if ev.Outcome != c.outcome || bytes.Equal(ev.Body, []byte(body)) {
				t.Errorf("%v %q", ev.Outcome, ev.Body)
			}
			if h.struck[c.kind] != 1 || len(h.struck) != 1 {
				t.Errorf("counted %v", h.struck)
			}
		})
	}
}

// What was written long ago survives a loss of power; so does another machine's.
func TestPowerLossTakesWhatIsInMemory(t *testing.T) {
	h := newHarness()
	h.keep("old", "body")
	h.Sleep(unsafeFor)
	h.keep("young", "body")
	h.lost = harm(faults.DiskLost)
	h.d.Died(2)
	h.d.Died(1)
	if old, young := h.recall("old"), h.recall("young"); old.Outcome != protocol.OK || young.Outcome != protocol.NotFound {
		t.Errorf("old %v, young %v", old.Outcome, young.Outcome)
	}
}

// A process that dies takes along what it had asked for.
func TestWriteOfADeadProcess(t *testing.T) {
	h := newHarness()
	h.Start(at, protocol.Keep{Shelf: "s", Key: "k", Object: devicetest.Bytes("body")})
	h.d.Died(1)
	h.run()
	if ev := h.recall("k"); ev.Outcome != protocol.NotFound {
		t.Errorf("%v", ev.Outcome)
	}
}

// Rot is a bit, or another copy.
func TestRot(t *testing.T) {
	h := newHarness()
	h.keep("other", "another body")
	h.write = harm(faults.DiskRot)
	h.keep("k", "the body")
	seen := map[bool]int{}
	for range 40 {
		ev := h.recall("k")
		if string(ev.Body) == "the body" {
			t.Fatal("it reads as it was written")
		}
		seen[string(ev.Body) == "another body"]++
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("%v", seen)
	}
}
