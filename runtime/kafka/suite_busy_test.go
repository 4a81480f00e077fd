package kafka

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
	"weir/protocol/devicetest"
)

// busyHarness is the harness on a cluster that is busy at first.
type busyHarness struct{ *harness }

func (h busyHarness) Lacks(p devicetest.Promise) string {
	if p == devicetest.FenceOnce {
		return "the answer is injected before the fake has decided anything"
	}
	return h.harness.Lacks(p)
}

// TestSuiteOnBusyKfake runs the suite with the answer that the fake never gives of itself: each EndTxn and each
// InitProducerID of a transactional id is CONCURRENT_TRANSACTIONS at first, as if markers were still being written.
func TestSuiteOnBusyKfake(t *testing.T) {
	var refused atomic.Int32
	t.Run("suite", func(t *testing.T) {
		devicetest.TestLog(t, func(t *testing.T) devicetest.LogHarness {
			t.Parallel()
			w := newWorld(t)
			w.busy(&refused)
			return busyHarness{&harness{world: w, nodes: map[protocol.NodeID]*Device{}}}
		})
	})
	if refused.Load() < 50 {
		t.Errorf("only %d requests were refused", refused.Load())
	}
}

// busy refuses every other request of the two kinds about an id.
func (w *world) busy(refused *atomic.Int32) {
	var mu sync.Mutex
	asked := map[string]int{}
	first := func(key kmsg.Key, id string) bool {
		mu.Lock()
		defer mu.Unlock()
		at := fmt.Sprint(key, id)
		asked[at]++
		if asked[at]%2 == 0 || strings.HasPrefix(id, "feeder-") { // the test's own client does not ask again
			return false
		}
		refused.Add(1)
		return true
	}
	code := kerr.ConcurrentTransactions.Code
	w.cluster.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		req := r.(*kmsg.EndTxnRequest)
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = code
		return resp, nil, first(kmsg.EndTxn, req.TransactionalID)
	})
	w.cluster.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		req := r.(*kmsg.InitProducerIDRequest)
		resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ErrorCode = code
		return resp, nil, req.TransactionalID != nil && first(kmsg.InitProducerID, *req.TransactionalID)
	})
}
