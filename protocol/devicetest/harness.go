package devicetest

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
	"weir/protocol/batch"
)

// Harness is a device with the world around it.
type Harness interface {
	// Start performs an effect on behalf of a process; wait goes on until its outcome is there, and returns nil if it
	// does not come within a generous time.
	Start(from protocol.Address, ef protocol.Effect) (wait func() protocol.Event)
	// Now is the clock that deadlines of effects are read by.
	Now() protocol.Time
	// Sleep lets time pass.
	Sleep(d protocol.Duration)
	// Prefix begins every object key, topic and transactional id of the test: letters, digits, dots and dashes.
	Prefix() string
	// Lacks says why this device cannot show a promise; empty: it can.
	Lacks(p Promise) string
}

// LogHarness is a Harness of a log.
type LogHarness interface {
	Harness
	// CreateTopic makes a topic; one of that name is deleted first.
	CreateTopic(name string, partitions int)
	// Feed appends records outside any transaction.
	Feed(topic string, p protocol.Partition, kvs ...KV)
	// FeedAborted appends records in a transaction and aborts it.
	FeedAborted(topic string, p protocol.Partition, kvs ...KV)
	// AbortByHand writes the abort marker of a producer's open transaction in a partition, without its coordinator.
	AbortByHand(topic string, p protocol.Partition, producer protocol.Producer)
	// Trim drops every record below an offset.
	Trim(topic string, p protocol.Partition, before protocol.Offset)
	// ReadCommitted is what a read_committed consumer of no part of ours reads, from the start of a partition to the
	// last stable offset.
	ReadCommitted(topic string, p protocol.Partition) []Record
	// Crash ends a process's clients, as its death would.
	Crash(node protocol.NodeID)
}

// KV is a record to feed.
type KV struct{ Key, Value string }

// Record is a record that was read.
type Record struct {
	Offset     protocol.Offset
	Key, Value string
}

// retryDelay is between tries of an effect that was answered Retry or Unknown.
const retryDelay = 50 * protocol.Millisecond

// tries is how often an effect is tried.
const tries = 400

type test[H Harness] struct {
	promise Promise
	run     func(t *testing.T, h H)
}

func names[H Harness](tests []test[H]) (out []Promise) {
	for _, c := range tests {
		out = append(out, c.promise)
	}
	return out
}

func runAll[H Harness](t *testing.T, open func(t *testing.T) H, tests []test[H]) {
	for _, c := range tests {
		t.Run(string(c.promise), func(t *testing.T) {
			h := open(t)
			if why := h.Lacks(c.promise); why != "" {
				t.Skip(why)
			}
			c.run(t, h)
		})
	}
}

// wait waits for an outcome of one kind.
func wait[E protocol.Event](t rapid.TB, pending func() protocol.Event) E {
	t.Helper()
	got := pending()
	ev, ok := got.(E)
	if !ok {
		t.Fatalf("got %T %+v, want a %T", got, got, ev)
	}
	return ev
}

// do performs an effect and waits for its outcome.
func do[E protocol.Event](t rapid.TB, h Harness, from protocol.Address, ef protocol.Effect) E {
	t.Helper()
	return wait[E](t, h.Start(from, ef))
}

// repeat performs an effect until its outcome is settled.
func repeat[E protocol.Event](t rapid.TB, h Harness, from protocol.Address, ef protocol.Effect, outcome func(E) protocol.Outcome) E {
	t.Helper()
	for range tries {
		ev := do[E](t, h, from, ef)
		if o := outcome(ev); o != protocol.Retry && o != protocol.Unknown {
			return ev
		}
		h.Sleep(retryDelay)
	}
	t.Fatalf("%T: not settled after %d tries", ef, tries)
	panic("unreachable")
}

func expect(t rapid.TB, what string, got, want protocol.Outcome) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: outcome %v, want %v", what, got, want)
	}
}

// node is the address of a task in process n.
func node(n int) protocol.Address {
	return protocol.Address{Node: protocol.NodeID(n), Task: protocol.TaskID(n)}
}

// numbered are n records key-i, value-i.
func numbered(from, n int) (out []KV) {
	for i := range n {
		out = append(out, KV{fmt.Sprintf("key-%d", from+i), fmt.Sprintf("value-%d", from+i)})
	}
	return out
}

func batchOf(kvs []KV) *batch.Batch {
	b := &batch.Batch{}
	for _, kv := range kvs {
		b.Append([]byte(kv.Key), []byte(kv.Value), batch.Record{})
	}
	return b
}
