package kafka

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
)

const (
	produceKey = int16(kmsg.Produce)
	initKey    = int16(kmsg.InitProducerID)
)

// TestEndReplyLost: the transaction is committed and nobody says so.
func TestEndReplyLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("a", "1")
	w.wires.set(&w.wires.swallow, endTxnKey, true)
	if out := w.end(w.dev, p.Opened, true); out != protocol.Unknown {
		t.Fatal(out)
	}
	w.wires.set(&w.wires.swallow, endTxnKey, false)
	if got, _ := w.visible("out", 0); len(got) != 1 {
		t.Fatalf("visible: %v", got)
	}
	if out := w.end(w.dev, p.Opened, true); out != protocol.OK {
		t.Fatalf("the same request again: %v", out)
	}
	if l := w.ledger(p); l.Outcome != protocol.OK {
		t.Fatalf("%+v", l)
	}
}

// TestEndRequestLate: the same symptom, but it happens only long after, when its sender is gone.
func TestEndRequestLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("a", "1")
	d := w.device(300 * time.Millisecond)
	w.wires.set(&w.wires.hold, endTxnKey, true)
	if out := w.end(d, p.Opened, true); out != protocol.Unknown {
		t.Fatal(out)
	}
	d.Close()
	if got, _ := w.visible("out", 0); len(got) != 0 {
		t.Fatalf("visible before the request arrived: %v", got)
	}
	if n := w.wires.let(endTxnKey); n != 1 {
		t.Fatalf("%d requests were held", n)
	}
	if got, _ := w.visible("out", 0); len(got) != 1 {
		t.Fatalf("visible: %v", got)
	}
	if out := w.end(w.dev, p.Opened, true); out != protocol.OK {
		t.Fatalf("the same request again: %v", out)
	}
}

// TestCoordinatorStandsStill: a coordinator that answers nothing, not even that it is none any more, is left for the one
// that the other brokers name.
func TestCoordinatorStandsStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.prepare("a", "1")
	d := w.device(time.Second)
	for _, ask := range []func() protocol.Outcome{
		func() protocol.Outcome {
			return w.end(d, protocol.Opened{ID: p.ID, Version: p.Version, Producer: protocol.Producer{ID: 1 << 40}}, true)
		},
		func() protocol.Outcome { return w.do(d, protocol.Fence{ID: p.ID}).(protocol.Fenced).Outcome },
	} {
		ask() // it knows the coordinator now
		old := w.cluster.CoordinatorFor(string(p.ID))
		w.wires.stop(w.cluster.ListenAddrs()[old])
		for w.cluster.CoordinatorFor(string(p.ID)) == old {
			w.cluster.RehashCoordinators()
		}
		got := protocol.Unknown
		for try := 0; got == protocol.Unknown && try < 8; try++ { // the first ones are lost, and the question who it is may be
			got = ask()
		}
		if got == protocol.Unknown {
			t.Error("the broker that stands still is asked for ever")
		}
		w.wires.stop("")
	}
}

// TestProduceLate: past the deadline the flush is unknown; the request lands later, under the fenced pair, in vain.
func TestProduceLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.open(w.dev, "a")
	w.wires.set(&w.wires.hold, produceKey, true)
	ev := w.produce(w.dev, "a", "out", 0, "1")
	begun := time.Now()
	if out := w.flush(w.dev, "a", 200*time.Millisecond).Outcome; out != protocol.Unknown {
		t.Fatal(out)
	}
	if took := time.Since(begun); took < 200*time.Millisecond || took > 2*time.Second {
		t.Fatalf("the flush took %v", took)
	}
	if p := (<-ev).(protocol.Produced); p.Outcome == protocol.OK {
		t.Fatalf("%+v", p)
	}
	if f := w.do(w.dev, protocol.Fence{ID: "a"}).(protocol.Fenced); f.Outcome != protocol.OK {
		t.Fatalf("%+v", f)
	}
	if n := w.wires.let(produceKey); n == 0 {
		t.Fatal("no request was held")
	}
	if out := w.end(w.dev, o, true); out != protocol.Ask {
		t.Fatal(out)
	}
	if got, _ := w.visible("out", 0); len(got) != 0 {
		t.Fatalf("visible: %v", got)
	}
}

// TestProduceWithoutAnswer: a write that is not answered within the time of an effect kills the slot by itself.
func TestProduceWithoutAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device(300 * time.Millisecond)
	w.open(d, "a")
	w.wires.set(&w.wires.hold, produceKey, true)
	begun := time.Now()
	if p := (<-w.produce(d, "a", "out", 0, "1")).(protocol.Produced); p.Outcome != protocol.Unknown {
		t.Fatalf("%+v", p)
	}
	if took := time.Since(begun); took < 300*time.Millisecond || took > 2*time.Second {
		t.Fatalf("the answer took %v", took)
	}
}

// TestProduceReplyLost: the client sends the batch again, and it is in the log once.
func TestProduceReplyLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.open(w.dev, "a")
	w.wires.set(&w.wires.swallow, produceKey, true)
	ev := w.produce(w.dev, "a", "out", 0, "1")
	for w.cluster.PartitionInfo("out", 0).HighWatermark == 0 {
		runtime.Gosched()
	}
	w.wires.set(&w.wires.swallow, produceKey, false)
	if p := (<-ev).(protocol.Produced); p.Outcome != protocol.OK || p.Offset != 0 {
		t.Fatalf("%+v", p)
	}
	if out := w.flush(w.dev, "a", 2*time.Second).Outcome; out != protocol.OK {
		t.Fatal(out)
	}
	w.end(w.dev, o, true)
	if got, _ := w.visible("out", 0); len(got) != 1 {
		t.Fatalf("visible: %v", got)
	}
}

// TestOpenLost: an InitProducerID without an answer abandons the id; whatever it did, nothing is open under it.
func TestOpenLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device(300 * time.Millisecond)
	w.wires.set(&w.wires.hold, initKey, true)
	if o := w.open(d, "a"); o.Outcome != protocol.Unknown || o.Producer != (protocol.Producer{}) {
		t.Fatalf("%+v", o)
	}
	d.Close()
	w.wires.let(initKey)
	if p := (<-w.produce(w.dev, "a", "out", 0, "1")).(protocol.Produced); p.Outcome == protocol.OK {
		t.Fatalf("%+v", p)
	}
}

// TestCloseLeavesNothing: no goroutine of a client outlives the device, and what was under way is answered once.
func TestCloseLeavesNothing(t *testing.T) {
	w := newWorld(t)
	p := w.prepare("a", "1")
	d := w.device(5 * time.Second)
	w.wires.set(&w.wires.hold, endTxnKey, true)
	w.wires.set(&w.wires.hold, produceKey, true)
	w.open(d, "b")
	events := []<-chan protocol.Event{
		w.start(d, protocol.EndTxn{ID: p.ID, Producer: p.Producer, Version: p.Version, Commit: true}),
		w.start(d, protocol.Fetch{Topic: "in", TopicID: w.survey("in").TopicID, Max: 1}),
		w.produce(d, "b", "out", 0, "1"),
	}
	d.Close()
	w.dev.Close()
	for i, ev := range events {
		select {
		case <-ev:
		case <-time.After(5 * time.Second):
			t.Errorf("effect %d is not answered", i)
		}
		if len(ev) > 0 {
			t.Errorf("effect %d is answered twice", i)
		}
	}
	w.start(d, protocol.ListTxns{}) // after Close: ignored
	w.cluster.Close()
	leaked := ""
	for range 200 {
		buf := make([]byte, 1<<20)
		if leaked = string(buf[:runtime.Stack(buf, true)]); !strings.Contains(leaked, "kgo.(*") {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("goroutines of a client are left:\n%s", leaked)
}
