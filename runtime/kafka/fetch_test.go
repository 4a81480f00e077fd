package kafka

import (
	"bytes"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
)

func TestFetchInPieces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := numbered("v", 10)
	w.write("in", 0, want...)
	got, next := w.visible("in", 0)
	if !slices.Equal(got, want) || next != 10 {
		t.Fatalf("%v, next %d", got, next)
	}
	f := w.do(w.dev, protocol.Fetch{Topic: "in", TopicID: w.survey("in").TopicID, From: 4, Max: 2}).(protocol.Fetched)
	if f.Outcome != protocol.OK || f.Batch.Len() != 2 || string(f.Batch.Value(0)) != "v4" || f.Next != 6 || f.Batch.Record(1).Offset != 5 {
		t.Fatalf("%+v", f)
	}
}

func TestFetchPassesMarkersAndAbortedTail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.end(w.dev, w.prepare("a", "a1", "a2").Opened, true)  // 0 1, marker 2
	w.end(w.dev, w.prepare("b", "b1").Opened, false)       // 3, marker 4
	w.end(w.dev, w.prepare("c", "c1").Opened, true)        // 5, marker 6
	w.end(w.dev, w.prepare("d", "d1", "d2").Opened, false) // 7 8, marker 9
	got, next := w.visible("out", 0)
	if want := []string{"a1", "a2", "c1"}; !slices.Equal(got, want) || next != 10 {
		t.Fatalf("%v, next %d", got, next)
	}
}

func TestFetchAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("in", 0, "a")
	id := w.survey("in").TopicID
	for range 2 {
		begun := time.Now()
		f := w.do(w.dev, protocol.Fetch{Topic: "in", TopicID: id, From: 1, Max: 9}).(protocol.Fetched)
		if took := time.Since(begun); f.Outcome != protocol.OK || f.Next != 1 || f.Batch.Len() != 0 || took > time.Second {
			t.Fatalf("%+v after %v", f, took)
		}
	}
	got := w.start(w.dev, protocol.Fetch{Topic: "in", TopicID: id, From: 1, Max: 9})
	w.write("in", 0, "b")
	if f := (<-got).(protocol.Fetched); f.Batch.Len() != 1 && f.Next != 1 {
		t.Fatalf("%+v", f)
	}
}

func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("in", 0, "a", "b", "c")
	if err := w.cluster.DeleteRecords("in", 0, 1); err != nil {
		t.Fatal(err)
	}
	w.prepare("open", "x") // out/0: offset 0 is not stable
	in, out := w.survey("in").TopicID, w.survey("out").TopicID
	other := in
	other[0]++
	for _, c := range []struct {
		name string
		ef   protocol.Fetch
		want protocol.Outcome
	}{
		{"below the start", protocol.Fetch{Topic: "in", TopicID: in, From: 0}, protocol.OutOfRange},
		{"at the start", protocol.Fetch{Topic: "in", TopicID: in, From: 1}, protocol.OK},
		{"beyond the end", protocol.Fetch{Topic: "in", TopicID: in, From: 4}, protocol.OutOfRange},
		{"beyond the stable offset", protocol.Fetch{Topic: "out", TopicID: out, From: 1}, protocol.OutOfRange},
		{"at the stable offset", protocol.Fetch{Topic: "out", TopicID: out, From: 0}, protocol.OK},
		{"another topic id", protocol.Fetch{Topic: "in", TopicID: other, From: 1}, protocol.NotFound},
		{"no such topic", protocol.Fetch{Topic: "nowhere", TopicID: in, From: 1}, protocol.NotFound},
		{"no such partition", protocol.Fetch{Topic: "in", TopicID: in, Partition: 7}, protocol.NotFound},
	} {
		c.ef.Max = 10
		if f := w.do(w.dev, c.ef).(protocol.Fetched); f.Outcome != c.want {
			t.Errorf("%s: %v, want %v", c.name, f.Outcome, c.want)
		}
	}
}

func TestFetchOfRecreatedTopic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("in", 0, "a", "b")
	s := w.survey("in")
	ef := protocol.Fetch{Topic: "in", TopicID: s.TopicID, From: 0, Max: 1}
	if f := w.do(w.dev, ef).(protocol.Fetched); f.Outcome != protocol.OK {
		t.Fatalf("%+v", f)
	}
	if err := errors.Join(w.cluster.DeleteTopic("in"), w.cluster.CreateTopic("in", 2, nil)); err != nil {
		t.Fatal(err)
	}
	w.write("in", 0, "x", "y", "z")
	w.dev.CloseSlots() // drops what was read ahead
	ef.From = 1
	if f := w.do(w.dev, ef).(protocol.Fetched); f.Outcome != protocol.NotFound {
		t.Fatalf("read of another topic of the same name: %+v", f)
	}
}

// TestHaltIsNoNews: what CloseSlots cuts off is answered, and nobody is warned of it.
func TestHaltIsNoNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log bytes.Buffer
	d, err := New(Options{Brokers: w.cluster.ListenAddrs(), Pool: w.pool, MaxWait: 5 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))})
	if err != nil {
		t.Fatal(err)
	}
	id := w.survey("in").TopicID
	waiting := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
	got := w.start(d, protocol.Fetch{Topic: "in", TopicID: id, Max: 1})
	for waiting.Hits() == 0 {
		runtime.Gosched()
	}
	begun := time.Now()
	d.CloseSlots()
	if f := (<-got).(protocol.Fetched); f.Outcome != protocol.Unknown || time.Since(begun) > 2*time.Second {
		t.Fatalf("%+v after %v", f, time.Since(begun))
	}
	d.Close()
	if log.Len() > 0 {
		t.Fatalf("it said: %s", &log)
	}
}

func TestFetchFollowsTheLeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("in", 0, "a", "b", "c", "d")
	id := w.survey("in").TopicID
	for from := range protocol.Offset(4) {
		if err := w.cluster.MoveTopicPartition("in", 0, int32(from%2)); err != nil {
			t.Fatal(err)
		}
		f := w.do(w.dev, protocol.Fetch{Topic: "in", TopicID: id, From: from, Max: 1}).(protocol.Fetched)
		if f.Outcome != protocol.OK || f.Next != from+1 {
			t.Fatalf("%+v", f)
		}
		c := w.dev.cursors[place{"in", id, 0}]
		<-c.turn
		c.have = chunk{from: -1} // forget what was read, so that the next one asks the broker
		if c.ahead != nil {
			<-c.ahead
			c.ahead = nil
		}
		c.turn <- struct{}{}
	}
}
