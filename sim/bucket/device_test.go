package bucket

import (
	"crypto/sha256"
	"testing"

	"weir/protocol"
	"weir/protocol/devicetest"
	"weir/sim/wire"
)

const timeout = 35 * protocol.Second

type harness struct {
	*net
	device *Device
}

func (h *harness) Start(from protocol.Address, ef protocol.Effect) func() protocol.Event {
	return h.start(h.device, from, ef)
}
func (*harness) Prefix() string                  { return "test/" }
func (*harness) Lacks(devicetest.Promise) string { return "" }

func newHarness() *harness {
	n := &net{}
	return &harness{n, NewDevice(New(), n, timeout)}
}

func TestPromises(t *testing.T) {
	devicetest.TestStore(t, func(*testing.T) devicetest.Harness { return newHarness() })
}

func (h *harness) do(ef protocol.Effect) protocol.Event {
	return h.Start(protocol.Address{Node: 1, Task: 1}, ef)()
}

// changing is an object that breaks its promise to be immutable.
type changing struct{ body string }

func (c *changing) Encode(dst []byte) []byte { return append(dst, c.body...) }

func TestEncodesWhenTheRequestArrives(t *testing.T) {
	h := newHarness()
	object := &changing{"early"}
	wait := h.Start(protocol.Address{}, protocol.Store{Op: 1, Key: "k", Object: object})
	object.body = "late"
	if got := wait().(protocol.Stored); got.Size != 4 || got.Sum != sha256.Sum256([]byte("late")) {
		t.Fatalf("stored: %+v", got)
	}
	if body, _ := h.device.bucket.Get("k"); string(body) != "late" {
		t.Fatalf("the bucket has %q", body)
	}
}

func TestLostStore(t *testing.T) {
	for _, c := range []struct {
		name    string
		fate    fate
		size    int64 // told by Stored
		present bool  // when Stored is told
		later   bool  // an hour later
	}{
		{"request lost", fate{drop: true}, 0, false, false},
		{"reply lost", fate{deaf: true}, 4, true, true},
		{"late", fate{delay: protocol.Minute}, 0, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness()
			h.fate = func(wire.Request) fate { return c.fate }
			got := h.do(protocol.Store{Op: 1, Key: "k", Object: devicetest.Bytes("body")}).(protocol.Stored)
			if got.Outcome != protocol.Unknown || got.Size != c.size || (got.Sum != protocol.Sum{}) != (c.size > 0) {
				t.Fatalf("stored: %+v", got)
			}
			if _, ok := h.device.bucket.Get("k"); ok != c.present {
				t.Fatalf("present when told: %v", ok)
			}
			h.Sleep(60 * protocol.Minute)
			if _, ok := h.device.bucket.Get("k"); ok != c.later {
				t.Fatalf("present later: %v", ok)
			}
		})
	}
}

// A doubled Store meets its own effect: the second one is refused, or, when the bucket has gone on to the same bytes
// again, accepted once more.
func TestDoubledStoreIsJudgedAgain(t *testing.T) {
	h := newHarness()
	b := h.device.bucket
	one, _ := b.Store("head", []byte("one"), "")
	h.fate = func(r wire.Request) fate { return fate{doubled: protocol.Second, deaf: r.Timeout != timeout} }
	if got := h.do(protocol.Store{Op: 1, Key: "head", Object: devicetest.Bytes("two"), IfMatch: one}).(protocol.Stored); got.Outcome != protocol.OK {
		t.Fatalf("stored: %+v", got)
	}
	two, _ := b.Load("head")
	if _, o := b.Store("head", []byte("one"), two.Version); o != protocol.OK { // A again
		t.Fatalf("back to the first bytes: %v", o)
	}
	h.Sleep(2 * protocol.Second)
	if body, _ := b.Get("head"); string(body) != "two" {
		t.Fatalf("the double should have met the version it names, by A-B-A; the bucket has %q", body)
	}
	b.Delete("head")
	h.fate = func(wire.Request) fate { return fate{doubled: 2 * protocol.Millisecond} }
	h.do(protocol.Store{Op: 2, Key: "head", Object: devicetest.Bytes("mine")})
	h.fate = func(wire.Request) fate { return fate{deaf: true} }
	if got := h.do(protocol.Store{Op: 3, Key: "head", Object: devicetest.Bytes("mine")}).(protocol.Stored); got.Outcome != protocol.Unknown {
		t.Fatalf("stored: %+v", got)
	}
}

// When the first reply is lost and the client's own retry is answered, success reads as a conflict.
func TestOwnSuccessReadsAsConflict(t *testing.T) {
	h := newHarness()
	tries := 0
	h.fate = func(wire.Request) fate { tries++; return fate{deaf: tries == 1} }
	ef := protocol.Store{Op: 1, Key: "head", Object: devicetest.Bytes("mine")}
	h.do(ef)
	if got := h.do(ef).(protocol.Stored); got.Outcome != protocol.Conflict || got.Size != 4 {
		t.Fatalf("stored: %+v", got)
	}
}

func TestLoadedBodyIsACopy(t *testing.T) {
	h := newHarness()
	h.device.bucket.Store("k", []byte("body"), "")
	copy(h.do(protocol.Load{Op: 1, Key: "k"}).(protocol.Loaded).Body, "XXXX")
	if body, _ := h.device.bucket.Get("k"); string(body) != "body" {
		t.Fatalf("the bucket has %q", body)
	}
}

func TestKeysAreSorted(t *testing.T) {
	b := New()
	for _, k := range []protocol.ObjectKey{"b", "c", "a", "d"} {
		b.Store(k, nil, "")
	}
	b.Delete("c")
	b.Delete("c")
	got := b.Keys()
	if b.Len() != 3 || len(got) != 3 || got[0] != "a" || got[1] != "b" || got[2] != "d" {
		t.Fatalf("keys: %v", got)
	}
}

func TestNoKeyIsAFolder(t *testing.T) {
	b := New()
	for _, k := range []protocol.ObjectKey{"HEAD", "runs/1/a", "runs/1/b", "runs/10", "HEAD.old", "runs/1-x"} {
		b.Store(k, nil, "")
	}
	for _, k := range []protocol.ObjectKey{"HEAD/x", "runs", "runs/1", "runs/1/a/b/c"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was stored", k)
				}
			}()
			b.Store(k, nil, "")
		}()
	}
}

// A reader whose request is overtaken by replacements gets their bytes, and for some of them the version before: with it
// nothing can be replaced.
func TestVersionOfTheObjectBefore(t *testing.T) {
	old := 0
	for i := range 16 {
		h := newHarness()
		b := h.device.bucket
		one, _ := b.Store("head", []byte("one"), "")
		h.fate = func(r wire.Request) fate {
			if r.Kind == "Load" {
				return fate{delay: protocol.Second}
			}
			return fate{}
		}
		overtaken := h.Start(protocol.Address{}, protocol.Load{Op: 1, Key: "head"})
		body := string(rune('a' + i))
		two := h.do(protocol.Store{Op: 2, Key: "head", Object: devicetest.Bytes(body), IfMatch: one}).(protocol.Stored)
		after := h.do(protocol.Load{Op: 3, Key: "head"}).(protocol.Loaded)
		got := overtaken().(protocol.Loaded)
		if string(got.Body) != body || after.Version != two.Version || got.Version != one && got.Version != two.Version {
			t.Fatalf("overtaken %+v, after %+v, stored %+v", got, after, two)
		}
		if got.Version == one {
			old++
		}
	}
	if old == 0 || old == 16 {
		t.Errorf("%d of 16 had the version before", old)
	}
}
