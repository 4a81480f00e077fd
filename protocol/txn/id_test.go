package txn

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
)

// name draws what job and stage ids may be: not empty, no slash, no space.
func name(t *rapid.T, label string) string {
	return rapid.StringMatching(`[^/ \t\n]{1,12}`).Draw(t, label)
}

func drawSlot(t *rapid.T) SlotName {
	return SlotName{Job: name(t, "job"), Sink: name(t, "sink"), Index: rapid.IntRange(0, math.MaxInt32).Draw(t, "index"), Slot: rapid.IntRange(0, math.MaxInt32).Draw(t, "slot"),
		Epoch: protocol.Epoch(rapid.Uint64().Draw(t, "epoch")), Attempt: protocol.Attempt(rapid.Uint64().Draw(t, "attempt"))}
}

func TestSlotNameReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawSlot(t)
		got, ok := ParseID(n.ID())
		if !ok || got != n {
			t.Fatalf("%s reads back as %+v, %v", n.ID(), got, ok)
		}
		if !strings.HasPrefix(string(n.ID()), Prefix(n.Job)) {
			t.Fatalf("%s does not begin with %s", n.ID(), Prefix(n.Job))
		}
	})
}

// TestLivesShareNoID: two slots have the same id only if they are the same slot of the same life.
func TestLivesShareNoID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSlot(t), drawSlot(t)
		if a != b && a.ID() == b.ID() {
			t.Fatalf("%+v and %+v share %s", a, b, a.ID())
		}
	})
}

func TestForeignIDs(t *testing.T) {
	for _, id := range []protocol.TransactionalID{"", "job", "job/sink/0/1.1", "job/sink/0/1.1/0/0", "job/sink/x/1.1/0", "job/sink/0/1/0", "job/sink/0/1.x/0",
		"job/sink/0/1.1/", "job/sink/00/1.1/0", "job/sink/0/01.1/0", "job/sink/+0/1.1/0", "job/sink/0/1.1.1/0", "job/sink/0/1.1/0 "} {
		if n, ok := ParseID(id); ok {
			t.Errorf("%q was read as %+v", id, n)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("job/sink/0/1.1/0")
	f.Add("a/b/1/2.3/4/5")
	f.Fuzz(func(t *testing.T, id string) {
		if n, ok := ParseID(protocol.TransactionalID(id)); ok && string(n.ID()) != id {
			t.Errorf("%q was read as %+v, which is %q", id, n, n.ID())
		}
	})
}

func TestLedgerReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawLedger(t)
		got, err := DecodeLedger(EncodeLedger(r))
		if err != nil || got != r {
			t.Fatalf("%v\nwas %+v\nis  %+v", err, r, got)
		}
	})
}

func drawLedger(t *rapid.T) protocol.LedgerRecord {
	return protocol.LedgerRecord{Job: name(t, "job"), Sink: name(t, "sink"), Task: protocol.TaskID(rapid.Uint32().Draw(t, "task")),
		Checkpoint: protocol.CheckpointID(rapid.Uint64().Draw(t, "checkpoint")), Epoch: protocol.Epoch(rapid.Uint64().Draw(t, "epoch")),
		Attempt: protocol.Attempt(rapid.Uint64().Draw(t, "attempt")), Count: rapid.Uint64().Draw(t, "count"), Digest: rapid.Uint64().Draw(t, "digest")}
}

func TestLedgerDamage(t *testing.T) {
	data := EncodeLedger(protocol.LedgerRecord{Job: "words", Sink: "sink", Task: 3, Checkpoint: 42, Epoch: 2, Attempt: 5, Count: 7, Digest: 1 << 60})
	for n := range data {
		if _, err := DecodeLedger(data[:n]); err == nil {
			t.Errorf("cut to %d bytes: no error", n)
		}
	}
	for bit := range 8 * len(data) {
		broken := append([]byte(nil), data...)
		broken[bit/8] ^= 1 << (bit % 8)
		if _, err := DecodeLedger(broken); err == nil {
			t.Errorf("bit %d flipped: no error", bit)
		}
	}
}

// TestLedgerKeys: one per task and checkpoint.
func TestLedgerKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() (protocol.TaskID, protocol.CheckpointID) {
			return protocol.TaskID(rapid.Uint32Range(0, 300).Draw(t, "task")), protocol.CheckpointID(rapid.Uint64Range(0, 300).Draw(t, "checkpoint"))
		}
		t1, n1 := draw()
		t2, n2 := draw()
		key := func(job, sink string, task protocol.TaskID, n protocol.CheckpointID) string {
			return string(LedgerKey(protocol.Committable{Scope: protocol.Scope{Job: job}, Sink: sink, Task: task, Checkpoint: n}))
		}
		if key("a.b", "c", t1, n1) == key("a", "b.c", t1, n1) {
			t.Fatal("two jobs that share a ledger topic share a key")
		}
		if same := t1 == t2 && n1 == n2; same != (key("j", "s", t1, n1) == key("j", "s", t2, n2)) {
			t.Fatalf("keys of %d/%d and %d/%d", t1, n1, t2, n2)
		}
	})
}
