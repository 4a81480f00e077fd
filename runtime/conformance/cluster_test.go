package conformance

import (
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"weir/protocol"
)

// TestDeadCoordinator: the broker that coordinates a prepared transaction dies, or stands still, around its end. The same
// request, repeated, commits it once, whatever the answers were.
func TestDeadCoordinator(t *testing.T) {
	Need(t, "kafka", "cluster")
	k := StartKafka(t, KafkaOptions{Brokers: 3})
	for _, c := range []struct {
		name       string
		stop, back func(int) error
		end        bool // one EndTxn is sent before, and its answer not waited for
	}{
		{"killed before the end", k.Kill, k.Restart, false},
		{"killed with the end on its way", k.Kill, k.Restart, true},
		{"standing still after the end", k.Pause, k.Resume, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSceneOn(t, k.Brokers)
			s.produce("a")
			s.w.signal(syscall.SIGKILL)
			at := s.adm.FindTxnCoordinators(soon(t), string(s.ID))
			if err := at.Error(); err != nil {
				t.Fatal(err)
			}
			broker := int(at[string(s.ID)].NodeID)
			if c.end {
				s.node(2).Perform(protocol.Address{}, s.endTxn(), func(protocol.Event) {})
			}
			began := time.Now()
			if err := c.stop(broker); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { // whatever the verdict: the next one needs all three
				if err := c.back(broker); err != nil {
					t.Error(err)
				}
				whole(t, s.adm)
				s.shows("a")
			})
			s.expect("commit", s.commit(), protocol.OK)
			decided := time.Since(began)
			s.shows("a")
			t.Logf("decided after %v, visible after %v", decided.Round(10*time.Millisecond), time.Since(began).Round(10*time.Millisecond))
		})
	}
}

// whole waits until all three brokers are in every partition's set of replicas again.
func whole(t *testing.T, adm *kadm.Client) {
	t.Helper()
	eventually(t, "every replica is in sync", func() bool {
		topics, err := adm.ListTopicsWithInternal(soon(t))
		if err != nil {
			return false
		}
		ok := true
		topics.EachPartition(func(p kadm.PartitionDetail) { ok = ok && len(p.ISR) == 3 })
		return ok
	})
}
