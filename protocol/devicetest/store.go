package devicetest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
)

// Bytes is an object that is its own encoding.
type Bytes []byte

// Encode implements protocol.Object.
func (b Bytes) Encode(dst []byte) []byte { return append(dst, b...) }

// TestStore runs the promises of the bucket; open gives a device on an empty bucket, or an empty part of one.
func TestStore(t *testing.T, open func(t *testing.T) Harness) {
	runAll(t, open, storeTests())
}

// StorePromises are the promises of the bucket, in the order of their tests.
func StorePromises() []Promise { return names(storeTests()) }

func storeTests() []test[Harness] {
	return []test[Harness]{
		{StoreCreates, storeCreates}, {StoreReplaces, storeReplaces}, {StoreNeedsPresence, storeNeedsPresence},
		{StoreRaces, storeRaces}, {StoreSwapRaces, storeSwapRaces}, {StoreBigRaces, storeBigRaces},
		{StoreShapes, storeShapes}, {LoadMisses, loadMisses}, {LoadSees, loadSees}, {LoadWhole, loadWhole},
		{DeleteRepeats, deleteRepeats}, {StoreSums, storeSums}, {StoreSequences, storeSequences},
	}
}

func store(t rapid.TB, h Harness, key, body string, ifMatch protocol.Version) protocol.Stored {
	t.Helper()
	return do[protocol.Stored](t, h, node(1), storeOf(h, key, body, ifMatch))
}

func storeOf(h Harness, key, body string, ifMatch protocol.Version) protocol.Store {
	return protocol.Store{Op: 1, Key: objectKey(h, key), Object: Bytes(body), IfMatch: ifMatch}
}

func objectKey(h Harness, key string) protocol.ObjectKey {
	return protocol.ObjectKey(h.Prefix() + key)
}

func load(t rapid.TB, h Harness, key string) protocol.Loaded {
	t.Helper()
	return do[protocol.Loaded](t, h, node(2), protocol.Load{Op: 2, Key: objectKey(h, key)})
}

// holds fails the test unless the object under key is body; it returns the version.
func holds(t rapid.TB, h Harness, key, body string) protocol.Version {
	t.Helper()
	got := load(t, h, key)
	expect(t, "load", got.Outcome, protocol.OK)
	if string(got.Body) != body {
		t.Fatalf("load: %d bytes, want %d others", len(got.Body), len(body))
	}
	if got.Version == "" {
		t.Fatal("load: no version")
	}
	return got.Version
}

func storeCreates(t *testing.T, h Harness) {
	first := store(t, h, "once", "one", "")
	expect(t, "create", first.Outcome, protocol.OK)
	expect(t, "create again", store(t, h, "once", "two", "").Outcome, protocol.Conflict)
	expect(t, "create again, the same bytes", store(t, h, "once", "one", "").Outcome, protocol.Conflict)
	if v := holds(t, h, "once", "one"); v != first.Version {
		t.Fatalf("load: version %q, stored as %q", v, first.Version)
	}
}

func storeReplaces(t *testing.T, h Harness) {
	one := store(t, h, "head", "one", "")
	expect(t, "create", one.Outcome, protocol.OK)
	two := store(t, h, "head", "two", one.Version)
	expect(t, "replace", two.Outcome, protocol.OK)
	if two.Version == one.Version {
		t.Fatalf("other bytes have the same version %q", one.Version)
	}
	expect(t, "replace a stale version", store(t, h, "head", "three", one.Version).Outcome, protocol.Conflict)
	if v := holds(t, h, "head", "two"); v != two.Version {
		t.Fatalf("load: version %q, stored as %q", v, two.Version)
	}
}

func storeNeedsPresence(t *testing.T, h Harness) {
	one := store(t, h, "gone", "one", "")
	expect(t, "create", one.Outcome, protocol.OK)
	expect(t, "delete", remove(t, h, "gone"), protocol.OK)
	if o := store(t, h, "gone", "two", one.Version).Outcome; o != protocol.Conflict && o != protocol.Unknown {
		t.Fatalf("replace what is gone: outcome %v, want conflict or unknown", o)
	}
	expect(t, "load", load(t, h, "gone").Outcome, protocol.NotFound)
}

// bodyOf is what writer i of a race writes: a line, and so much behind it.
func bodyOf(i, size int, ifMatch protocol.Version) string {
	return fmt.Sprintf("after %q: writer %d\n", ifMatch, i) + strings.Repeat(string(rune('a'+i%26)), size)
}

func storeRaces(t *testing.T, h Harness) {
	for round, ways := range []int{2, 16, 64} {
		race(t, h, fmt.Sprintf("race-%d", round), ways, 0, "")
	}
}

func storeSwapRaces(t *testing.T, h Harness) {
	version := store(t, h, "swap", "zero", "").Version
	for range 4 {
		version = race(t, h, "swap", 16, 0, version)
	}
}

// storeBigRaces: a loser of some size may find its connection reset before it has read that it has lost.
func storeBigRaces(t *testing.T, h Harness) {
	version := store(t, h, "big-swap", "zero", "").Version
	for range 2 {
		version = race(t, h, "big-swap", 8, 1<<20, version)
	}
}

// race lets many processes write at once and returns the version of the winner, whose bytes must be there.
func race(t rapid.TB, h Harness, key string, ways, size int, ifMatch protocol.Version) protocol.Version {
	t.Helper()
	body := func(i int) string { return bodyOf(i, size, ifMatch) }
	pending := make([]func() protocol.Event, ways)
	for i := range ways {
		pending[i] = h.Start(node(1+i), storeOf(h, key, body(i), ifMatch))
	}
	winner := -1
	for i, p := range pending {
		switch ev := wait[protocol.Stored](t, p); {
		case ev.Outcome == protocol.OK && winner >= 0:
			t.Fatalf("%d ways: writers %d and %d have both won", ways, winner, i)
		case ev.Outcome == protocol.OK:
			winner = i
		case ev.Outcome != protocol.Conflict && ev.Outcome != protocol.Unknown:
			t.Fatalf("%d ways: writer %d: outcome %v", ways, i, ev.Outcome)
		}
	}
	if winner < 0 {
		t.Fatalf("%d ways: nobody was told to have won", ways)
	}
	return holds(t, h, key, body(winner))
}

func storeShapes(t *testing.T, h Harness) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 6<<16) // 6 MiB: above what a client sends in one part by itself
	for _, o := range []struct{ name, body string }{
		{"empty", ""}, {"byte", "x"}, {"zeros", string(make([]byte, 1<<16))}, {"big", string(big)},
	} {
		expect(t, o.name, store(t, h, "shape/"+o.name, o.body, "").Outcome, protocol.OK)
		holds(t, h, "shape/"+o.name, o.body)
	}
}

func loadSees(t *testing.T, h Harness) {
	for i := range 24 {
		key, body := fmt.Sprintf("sees/%d", i%8), fmt.Sprint("body ", i)
		var match protocol.Version
		if i >= 8 {
			match = load(t, h, key).Version
		}
		expect(t, "store", store(t, h, key, body, match).Outcome, protocol.OK)
		for n := range 3 { // at once, by other processes
			got := do[protocol.Loaded](t, h, node(4+n), protocol.Load{Op: 2, Key: objectKey(h, key)})
			if got.Outcome != protocol.OK || string(got.Body) != body {
				t.Fatalf("process %d: %v %q, stored was %q", 4+n, got.Outcome, got.Body, body)
			}
		}
	}
}

// loadWhole reads while a chain of replacements is written. The version may be that of the object before, if a server
// looks it up first: then nothing can be replaced by it, and the reader reads again.
func loadWhole(t *testing.T, h Harness) {
	const replacements, size = 24, 1 << 15
	order := map[protocol.Version]int{}
	bodies := map[string]int{}
	var version protocol.Version
	var got []protocol.Loaded
	for i := range replacements {
		body := bodyOf(i, size, "")
		bodies[body] = i
		var loads []func() protocol.Event
		if i > 0 {
			loads = append(loads, h.Start(node(2), protocol.Load{Op: 2, Key: objectKey(h, "whole")}), h.Start(node(3), protocol.Load{Op: 3, Key: objectKey(h, "whole")}))
		}
		st := store(t, h, "whole", body, version)
		expect(t, "replace", st.Outcome, protocol.OK)
		order[st.Version], version = i, st.Version
		for _, l := range loads {
			got = append(got, wait[protocol.Loaded](t, l))
		}
	}
	for _, ev := range got {
		expect(t, "load", ev.Outcome, protocol.OK)
		is, whole := bodies[string(ev.Body)]
		at, known := order[ev.Version]
		if !whole || !known || at > is {
			t.Fatalf("load: %d bytes, whole %t, replacement %d; version of replacement %d, known %t", len(ev.Body), whole, is, at, known)
		}
	}
}

func loadMisses(t *testing.T, h Harness) {
	expect(t, "load", load(t, h, "never").Outcome, protocol.NotFound)
}

func remove(t rapid.TB, h Harness, key string) protocol.Outcome {
	t.Helper()
	return do[protocol.Deleted](t, h, node(3), protocol.Delete{Op: 3, Key: objectKey(h, key)}).Outcome
}

func deleteRepeats(t *testing.T, h Harness) {
	expect(t, "delete of nothing", remove(t, h, "x"), protocol.OK)
	expect(t, "create", store(t, h, "x", "one", "").Outcome, protocol.OK)
	expect(t, "create of a neighbour", store(t, h, "xy", "two", "").Outcome, protocol.OK)
	expect(t, "delete", remove(t, h, "x"), protocol.OK)
	expect(t, "delete again", remove(t, h, "x"), protocol.OK)
	expect(t, "load", load(t, h, "x").Outcome, protocol.NotFound)
	holds(t, h, "xy", "two")
	expect(t, "create anew", store(t, h, "x", "three", "").Outcome, protocol.OK)
	holds(t, h, "x", "three")
}

func storeSums(t *testing.T, h Harness) {
	for _, c := range []struct {
		body string
		want protocol.Outcome
	}{{"first", protocol.OK}, {"second", protocol.Conflict}} {
		got := store(t, h, "sum", c.body, "")
		expect(t, c.body, got.Outcome, c.want)
		if got.Size != int64(len(c.body)) || got.Sum != sha256.Sum256([]byte(c.body)) {
			t.Fatalf("%s: size %d, sum %v, not those of what was encoded", c.body, got.Size, got.Sum)
		}
	}
}

// storeSequences compares the device with a map, call by call.
func storeSequences(t *testing.T, h Harness) {
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		model := map[string]string{}
		versions := map[string][]protocol.Version{}
		for range rapid.IntRange(1, 12).Draw(rt, "calls") {
			key := fmt.Sprintf("seq/%d/%s", round, rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key"))
			body, present := model[key]
			switch rapid.SampledFrom([]string{"create", "replace", "stale", "delete", "load"}).Draw(rt, "call") {
			case "create":
				next := rapid.StringN(0, 8, -1).Draw(rt, "body")
				if accepts(rt, h, key, next, "", !present) {
					model[key], versions[key] = next, append(versions[key], load(rt, h, key).Version)
				}
			case "replace":
				if present {
					next := fmt.Sprintf("%d of %q", len(versions[key]), body)
					accepts(rt, h, key, next, load(rt, h, key).Version, true)
					model[key], versions[key] = next, append(versions[key], load(rt, h, key).Version)
				}
			case "stale":
				if n := len(versions[key]); n > 1 && present && versions[key][n-2] != versions[key][n-1] {
					accepts(rt, h, key, "stale", versions[key][n-2], false)
				}
			case "delete":
				expect(rt, "delete", remove(rt, h, key), protocol.OK)
				delete(model, key)
			case "load":
				if present {
					holds(rt, h, key, body)
				} else {
					expect(rt, "load", load(rt, h, key).Outcome, protocol.NotFound)
				}
			}
		}
	})
}

func accepts(t rapid.TB, h Harness, key, body string, ifMatch protocol.Version, want bool) bool {
	t.Helper()
	o := store(t, h, key, body, ifMatch).Outcome
	if (o == protocol.OK) != want {
		t.Fatalf("store: outcome %v, accepted should be %v", o, want)
	}
	return want
}
