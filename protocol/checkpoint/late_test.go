package checkpoint_test

import (
	"strings"
	"testing"

	"weir/protocol"
	"weir/protocol/checkpoint"
	"weir/protocol/protocoltest"
)

func second(n int) protocol.Time { return protocol.Time(n) * protocol.Time(protocol.Second) }

func newWorld(t *testing.T, bounded bool) *protocoltest.World {
	t.Helper()
	w, err := protocoltest.NewWorld(protocoltest.Words(1, bounded), protocoltest.Config())
	if err != nil {
		t.Fatal(err)
	}
	w.BootCoordinator(protocoltest.CoordinatorNode, 1, protocoltest.WorkerNode)
	w.BootWorker(protocoltest.WorkerNode, 2)
	return w
}

// TestStopWhileInputDrains: the operator asks for a stop; the last checkpoint's barrier leaves the source before it has
// read its bounded input; then it reads it, and says Drained. HEAD must not say that the job has finished.
func TestStopWhileInputDrains(t *testing.T) {
	w := newWorld(t, true)
	w.Log.Feed(protocoltest.Input, 0, "", "apple")
	w.Held = func(_ *protocoltest.Machine, it *protocoltest.Item) bool {
		if it == nil {
			return false
		}
		_, ok := it.Effect.(protocol.Fetch)
		return ok
	}
	w.Pass(second(1), true)
	w.Step(w.Find("coordinator"), protocol.StopAsked{})
	w.Held = func(_ *protocoltest.Machine, it *protocoltest.Item) bool { // the trigger comes first, then the fetch
		if it == nil {
			return false
		}
		s, ok := it.Effect.(protocol.Store)
		return ok && strings.HasPrefix(string(s.Key), "manifest/")
	}
	for _, it := range w.Items() {
		if tell, ok := it.Effect.(protocol.Tell); ok {
			if _, ok := tell.Message.(protocol.Trigger); ok {
				w.Deliver(it, protocoltest.How{})
				break
			}
		}
	}
	w.Pass(second(2), true)
	w.Held = nil
	w.Pass(second(3), true)
	h, err := checkpoint.DecodeHead(w.Bucket.Body(checkpoint.HeadKey))
	if err != nil {
		t.Fatal(err)
	}
	if h.Finished && len(w.Log.Committed(protocoltest.Output, 0)) == 0 {
		t.Error("the job is marked as finished and its output was never committed")
	}
}

func isEnd(it *protocoltest.Item) bool {
	_, ok := it.Effect.(protocol.EndTxn)
	return ok
}

func isConfirm(it *protocoltest.Item) bool {
	tell, _ := it.Effect.(protocol.Tell)
	_, ok := tell.Message.(protocol.Confirm)
	return ok
}

// first is the oldest item on its way that f chooses.
func first(w *protocoltest.World, f func(*protocoltest.Item) bool) *protocoltest.Item {
	for _, it := range w.Items() {
		if f(it) {
			return it
		}
	}
	return nil
}

// TestAnswerFromAnEarlierRecovery: the answer to a commit of one recovery is so late that the next recovery is under
// way. It must not be taken for the answer to a commit of that one.
func TestAnswerFromAnEarlierRecovery(t *testing.T) {
	w := newWorld(t, false)
	var late *protocoltest.Item
	hold := func(f func(*protocoltest.Item) bool) {
		w.Held = func(_ *protocoltest.Machine, it *protocoltest.Item) bool {
			return it != nil && (it == late || f != nil && f(it))
		}
	}
	reborn := func(inc protocol.Incarnation) {
		w.Crash(protocoltest.WorkerNode)
		w.BootWorker(protocoltest.WorkerNode, inc)
	}
	feed := func(word string) { w.Log.Feed(protocoltest.Input, 0, "", word) }

	feed("apple")
	hold(isConfirm)
	w.Pass(second(12), true) // a checkpoint is decided and not committed
	reborn(3)
	hold(func(it *protocoltest.Item) bool { return isConfirm(it) || isEnd(it) })
	w.Pass(second(17), true) // the recovery has asked for the commit
	if late = first(w, isEnd); late == nil {
		t.Fatal("the recovery did not commit")
	}
	hold(isConfirm)
	feed("pear")
	w.Pass(second(40), true) // it asked again, had its answer, and another checkpoint is decided and not committed
	reborn(4)
	hold(func(it *protocoltest.Item) bool { return isConfirm(it) || isEnd(it) })
	w.Pass(second(44), true)
	w.Deliver(late, protocoltest.How{})
	w.Pass(second(45), true)
	late = nil
	hold(nil)
	w.Pass(second(60), true)
	if len(w.Verdicts) > 0 {
		t.Errorf("the job ended: %+v", w.Verdicts)
	}
	if got := w.Log.Committed(protocoltest.Output, 0); len(got) != 2 {
		t.Errorf("committed: %v, want two records", got)
	}
}
