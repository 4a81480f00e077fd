package devicetest

import (
	"fmt"
	"strings"
	"testing"

	"weir/protocol"
)

// TestCopies runs the promises of local disks; open gives a device without copies. None of them says that a copy is still
// there, or right, after a crash: nothing may depend on it.
func TestCopies(t *testing.T, open func(t *testing.T) Harness) {
	runAll(t, open, []test[Harness]{
		{CopyReadsBack, copyReadsBack}, {CopyMisses, copyMisses}, {CopyReplaces, copyReplaces},
		{RetainRemoves, retainRemoves}, {CopyShapes, copyShapes},
	})
}

func keep(h Harness, shelf, key, body string) {
	h.Start(node(1), protocol.Keep{Shelf: shelf, Key: protocol.ObjectKey(key), Object: Bytes(body)})
}

func recall(t *testing.T, h Harness, shelf, key string) protocol.Recalled {
	t.Helper()
	ev := do[protocol.Recalled](t, h, node(1), protocol.Recall{Op: 5, Shelf: shelf, Key: protocol.ObjectKey(key)})
	if ev.Op != 5 {
		t.Fatalf("recall: answered as op %d", ev.Op)
	}
	return ev
}

// comes waits until a copy reads as body, which may take a moment: Keep and Retain have no answer.
func comes(t *testing.T, h Harness, shelf, key, body string) {
	t.Helper()
	becomes(t, h, shelf, key, func(ev protocol.Recalled) bool { return ev.Outcome == protocol.OK && string(ev.Body) == body })
}

// goes waits until there is no copy.
func goes(t *testing.T, h Harness, shelf, key string) {
	t.Helper()
	becomes(t, h, shelf, key, func(ev protocol.Recalled) bool { return ev.Outcome == protocol.NotFound && ev.Body == nil })
}

func becomes(t *testing.T, h Harness, shelf, key string, want func(protocol.Recalled) bool) {
	t.Helper()
	var ev protocol.Recalled
	for range tries {
		if ev = recall(t, h, shelf, key); want(ev) {
			return
		}
		h.Sleep(retryDelay)
	}
	t.Fatalf("copy %s of shelf %s: %v with %d bytes after %d tries", key, shelf, ev.Outcome, len(ev.Body), tries)
}

func copyReadsBack(t *testing.T, h Harness) {
	keep(h, "count-0", "data/1.1/count-0/000001", "one")
	keep(h, "count-0", "data/1.1/count-0/000002", "two")
	comes(t, h, "count-0", "data/1.1/count-0/000001", "one")
	comes(t, h, "count-0", "data/1.1/count-0/000002", "two")
}

func copyMisses(t *testing.T, h Harness) {
	goes(t, h, "count-0", "data/1.1/count-0/000001")
	keep(h, "count-0", "k", "one")
	comes(t, h, "count-0", "k", "one")
	goes(t, h, "count-1", "k")
	goes(t, h, "count-0", "k2")
}

func copyReplaces(t *testing.T, h Harness) {
	keep(h, "s", "k", strings.Repeat("long", 1000))
	comes(t, h, "s", "k", strings.Repeat("long", 1000))
	keep(h, "s", "k", "short")
	comes(t, h, "s", "k", "short")
}

func retainRemoves(t *testing.T, h Harness) {
	for i := range 4 {
		keep(h, "a", fmt.Sprint("data/", i), "of a")
		keep(h, "b", fmt.Sprint("data/", i), "of b")
	}
	for i := range 4 {
		comes(t, h, "a", fmt.Sprint("data/", i), "of a")
		comes(t, h, "b", fmt.Sprint("data/", i), "of b")
	}
	h.Start(node(1), protocol.Retain{Shelf: "a", Keys: []protocol.ObjectKey{"data/1", "data/3", "data/9"}})
	goes(t, h, "a", "data/0")
	goes(t, h, "a", "data/2")
	comes(t, h, "a", "data/1", "of a")
	comes(t, h, "a", "data/3", "of a")
	comes(t, h, "b", "data/0", "of b")
	h.Start(node(1), protocol.Retain{Shelf: "b"})
	for i := range 4 {
		goes(t, h, "b", fmt.Sprint("data/", i))
	}
	h.Start(node(1), protocol.Retain{Shelf: "never used"})
}

func copyShapes(t *testing.T, h Harness) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	for _, kv := range []KV{{"empty", ""}, {"big", big}, {"../../out", "up"}, {".hidden", "dot"}, {"ä/ö ü%", "odd"}} {
		for _, shelf := range []string{"plain", "../up", "a/b", ".tmp"} {
			keep(h, shelf, kv.Key, kv.Value)
			comes(t, h, shelf, kv.Key, kv.Value)
		}
	}
}
