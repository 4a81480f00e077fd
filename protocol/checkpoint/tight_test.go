package checkpoint_test

import (
	"testing"

	"weir/protocol"
	"weir/protocol/checkpoint"
	"weir/protocol/protocoltest"
)

// notes counts the notes of a world's machines.
func notes(w *protocoltest.World) map[protocol.NoteKind]int {
	n := map[protocol.NoteKind]int{}
	w.Observe = func(_ *protocoltest.Machine, _ protocol.Event, effects []protocol.Effect) {
		for _, ef := range effects {
			if note, ok := ef.(protocol.Note); ok {
				n[note.Kind]++
			}
		}
	}
	return n
}

func boot(t *testing.T, cfg protocol.Config) *protocoltest.World {
	t.Helper()
	w, err := protocoltest.NewWorld(protocoltest.Words(1, false), cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.BootCoordinator(protocoltest.CoordinatorNode, 1, protocoltest.WorkerNode)
	w.BootWorker(protocoltest.WorkerNode, 2)
	return w
}

// run feeds a word per second.
func run(w *protocoltest.World, seconds int) {
	for n := range seconds {
		w.Log.Feed(protocoltest.Input, 0, "", "apple")
		w.Pass(second(n+1), true)
	}
}

// TestTightestTimeout: a configuration that Validate just accepts runs without a restart.
func TestTightestTimeout(t *testing.T) {
	cfg := protocoltest.Config()
	cfg.Tolerable, cfg.Timeout, cfg.TxnTimeout = 0, 2*protocol.Second, 24*protocol.Second
	w := boot(t, cfg)
	n := notes(w)
	run(w, 100)
	if n[protocol.NoteRestart] > 0 {
		t.Errorf("%d restarts, %d checkpoints sealed", n[protocol.NoteRestart], n[protocol.NoteSealed])
	}
}

// TestAbandonedSlots: all ids of a pool but one are abandoned. The region restarts, once, with new ids.
func TestAbandonedSlots(t *testing.T) {
	w := boot(t, protocoltest.Config())
	n := notes(w)
	opened := 0
	w.Manner = func(it *protocoltest.Item) protocoltest.How {
		if _, ok := it.Effect.(protocol.OpenSlot); ok {
			if opened++; opened < w.Plan.Config.PoolSize() {
				return protocoltest.How{Outcome: protocol.Unknown, NotDone: true}
			}
		}
		return protocoltest.How{}
	}
	run(w, 100)
	if n[protocol.NoteRestart] != 1 || n[protocol.NoteTimedOut] > 0 {
		t.Errorf("%d restarts, %d checkpoints timed out, %d sealed", n[protocol.NoteRestart], n[protocol.NoteTimedOut], n[protocol.NoteSealed])
	}
}

// TestTwoSlotsAbandoned: two ids of five are abandoned, and then commits are slow, while checkpoints are decided. What is left
// is too few for as many checkpoints as the coordinator lets pile up: one of them would wait for a slot until it times out,
// with its records, although all before it are sealed. The region restarts at once instead. Found by the soak.
func TestTwoSlotsAbandoned(t *testing.T) {
	cfg := protocoltest.Config()
	cfg.Tolerable = 2
	w := boot(t, cfg)
	n := notes(w)
	opened := 0
	w.Manner = func(it *protocoltest.Item) protocoltest.How {
		if _, ok := it.Effect.(protocol.OpenSlot); ok {
			if opened++; opened <= 2 {
				return protocoltest.How{Outcome: protocol.Unknown, NotDone: true}
			}
		}
		return protocoltest.How{}
	}
	for _, slow := range []bool{true, false} {
		w.Held = func(_ *protocoltest.Machine, it *protocoltest.Item) bool {
			if it == nil {
				return false
			}
			_, end := it.Effect.(protocol.EndTxn)
			return slow && end
		}
		from := w.Now()
		for k := range 50 {
			w.Log.Feed(protocoltest.Input, 0, "", "apple")
			w.Pass(from+second(k+1), true)
		}
	}
	if n[protocol.NoteTimedOut] > 0 || n[protocol.NoteRestart] != 1 || n[protocol.NoteSealed] < 4 {
		t.Errorf("%d checkpoints timed out, %d restarts, %d sealed", n[protocol.NoteTimedOut], n[protocol.NoteRestart], n[protocol.NoteSealed])
	}
}

// TestDeniedHead: the right to write HEAD is missing. The job must say so, and not ask again without a pause.
func TestDeniedHead(t *testing.T) {
	w := boot(t, protocoltest.Config())
	stores := 0
	w.Manner = func(it *protocoltest.Item) protocoltest.How {
		s, ok := it.Effect.(protocol.Store)
		if !ok || s.Key != checkpoint.HeadKey {
			return protocoltest.How{}
		}
		if stores++; stores > 1000 {
			t.Fatal("HEAD was denied 1000 times, without a pause")
		}
		return protocoltest.How{Outcome: protocol.Denied, NotDone: true}
	}
	w.Pass(second(10), true)
	if len(w.Verdicts) != 1 || w.Verdicts[0].Kind != protocol.Refused {
		t.Errorf("verdicts %v, want one refused; %d tries", w.Verdicts, stores)
	}
}

// TestClaimOnFinished: the job finishes between a successor's first look at HEAD and its claim.
func TestClaimOnFinished(t *testing.T) {
	w, err := protocoltest.NewWorld(protocoltest.Words(1, true), protocoltest.Config())
	if err != nil {
		t.Fatal(err)
	}
	w.Log.Feed(protocoltest.Input, 0, "", "apple")
	w.BootCoordinator(protocoltest.CoordinatorNode, 1, protocoltest.WorkerNode)
	w.BootWorker(protocoltest.WorkerNode, 2)
	w.Held = func(m *protocoltest.Machine, it *protocoltest.Item) bool { // confirm is held: the job cannot finish
		return it != nil && isConfirm(it)
	}
	w.Pass(second(1), true)
	const elsewhere = 9
	second2 := w.BootCoordinator(elsewhere, 3, protocoltest.WorkerNode)
	w.Held = func(m *protocoltest.Machine, it *protocoltest.Item) bool {
		if it == nil {
			return m == second2
		}
		_, store := it.Effect.(protocol.Store)
		return store && it.From == second2
	}
	w.Pass(second(3), true)
	if len(w.Verdicts) != 1 || w.Verdicts[0].Kind != protocol.Finished {
		t.Fatalf("the first coordinator: %v", w.Verdicts)
	}
	w.Held = nil
	n := notes(w)
	w.Pass(second(20), true)
	if n[protocol.NoteRestored] > 0 || n[protocol.NoteTookOver] > 0 {
		t.Errorf("a finished job was started again: %v; verdicts %v", n, w.Verdicts)
	}
}

// TestWorkerDiesWhileFinishing: the last write of HEAD is on its way when a worker is born again. The job has finished:
// nothing is started any more.
func TestWorkerDiesWhileFinishing(t *testing.T) {
	w, err := protocoltest.NewWorld(protocoltest.Words(1, true), protocoltest.Config())
	if err != nil {
		t.Fatal(err)
	}
	w.Log.Feed(protocoltest.Input, 0, "", "apple")
	w.BootCoordinator(protocoltest.CoordinatorNode, 1, protocoltest.WorkerNode)
	w.BootWorker(protocoltest.WorkerNode, 2)
	w.Held = func(_ *protocoltest.Machine, it *protocoltest.Item) bool {
		if it == nil {
			return false
		}
		s, ok := it.Effect.(protocol.Store)
		h, head := s.Object.(*checkpoint.Head)
		return ok && head && h.Finished
	}
	w.Pass(second(1), true)
	w.Crash(protocoltest.WorkerNode)
	w.BootWorker(protocoltest.WorkerNode, 3)
	w.Pass(second(3), true)
	w.Held = nil
	n := notes(w)
	w.Pass(second(30), true)
	if len(w.Verdicts) != 1 || w.Verdicts[0].Kind != protocol.Finished || n[protocol.NoteRestart]+n[protocol.NoteClaimed] > 0 {
		t.Errorf("verdicts %v, notes %v; want finished, and no new attempt", w.Verdicts, n)
	}
}
