package conformance

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
	"weir/protocol/devicetest"
)

func TestCodesOnKafka(t *testing.T) {
	addrs := sharedKafka(t).Brokers
	testCodes(t, addrs, kindOf(t, addrs), func(r devicetest.Row) bool { return !r.Slow() })
}

// TestCodesOfTime has a cluster of its own, which forgets ids and producers within seconds, and takes a minute for the
// rows of the last epoch.
func TestCodesOfTime(t *testing.T) {
	Need(t, "kafka", "slow")
	t.Parallel()
	k := StartKafka(t, KafkaOptions{Set: []string{
		"transactional.id.expiration.ms=12000", "transaction.remove.expired.transaction.cleanup.interval.ms=1000",
		"producer.id.expiration.ms=2000", "producer.id.expiration.check.interval.ms=500",
	}})
	takes := devicetest.Row.Slow
	if len(k.Brokers) > 1 { // where 32,766 epochs take half an hour, and the coordinator that counts them is one all the same
		takes = devicetest.Row.Forgets
	}
	testCodes(t, k.Brokers, kindOf(t, k.Brokers), takes)
}

func kindOf(t *testing.T, addrs []string) string {
	w := &wire{t: t, ctx: soon(t), addrs: addrs}
	switch {
	case !w.second():
		return devicetest.Before
	case w.highest(kmsg.WriteTxnMarkers) < 2: // which 4.2 has
		return devicetest.Earlier
	}
	return devicetest.Kafka
}

// TestCodesOnKfake leaves out the rows of time: the fake forgets nothing.
func TestCodesOnKfake(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	testCodes(t, c.ListenAddrs(), devicetest.Fake, func(r devicetest.Row) bool { return !r.Slow() })
}

// again is how often a row is run in the hope of an answer from before the markers were written.
const again = 10

func testCodes(t *testing.T, addrs []string, kind string, takes func(devicetest.Row) bool) {
	var racy, early atomic.Int32
	adm := newHarness(t, addrs).adm
	has5 := (&wire{t: t, ctx: soon(t), addrs: addrs}).highest(kmsg.EndTxn) >= 5
	t.Run("rows", func(t *testing.T) {
		for _, r := range devicetest.Rows(kind) {
			if !takes(r) || r.Needs("5") && !has5 {
				continue
			}
			t.Run(r.Name, func(t *testing.T) {
				t.Parallel()
				h := newHarness(t, addrs)
				ctx := soon(t)
				if r.Slow() {
					ctx = t.Context()
				}
				w := &wire{t: t, ctx: ctx, addrs: addrs, adm: adm, by: map[int16]*kgo.Client{}}
				at := try(t, h, w, r)
				for i := 1; i < again && at != 0 && kind != devicetest.Fake; i++ { // whose markers are always there
					at = try(t, h, w, r)
				}
				if len(r.Wants) > 1 {
					racy.Add(1)
					early.Add(int32(1 - at))
				}
			})
		}
	})
	t.Logf("of %d rows whose answers depend on it, %d were answered before the markers were written", racy.Load(), early.Load())
	if kind != devicetest.Fake && racy.Load() > 0 && early.Load() == 0 {
		t.Error("no request was ever answered before the markers were written: the rows say less than they seem to")
	}
}

// try runs a row once and says which way it went.
func try(t *testing.T, h *harness, w *wire, r devicetest.Row) int {
	t.Helper()
	c := &realCodes{wire: w, h: h, topic: h.name + "out", timeout: 60000}
	h.CreateTopic(c.topic, 1)
	if strings.Contains(r.Do, "hours") {
		c.timeout = 1000
	}
	got := (&devicetest.Script{Codes: c, ID: h.name + rand.Text()[:6]}).Run(r.Do)
	at := slices.IndexFunc(r.Wants, func(want string) bool { return got == want || got == calledEmpty(want) })
	if at < 0 {
		t.Fatalf("%s\ngot  %s\nwant %s", r.Do, got, strings.Join(r.Wants, "\n  or "))
	}
	return at
}

// calledEmpty is a line in kfake's words.
func calledEmpty(line string) string {
	return strings.NewReplacer("CompleteCommit", "Empty", "CompleteAbort", "Empty").Replace(line)
}

// realCodes answers the rows of devicetest by real requests.
type realCodes struct {
	*wire
	h       *harness
	topic   string
	timeout int32 // of the transaction, ms
}

func (c *realCodes) Init(id string) (protocol.Producer, string) {
	pid, epoch, code := c.init(id, c.timeout)
	return protocol.Producer{ID: pid, Epoch: epoch}, code
}

func (c *realCodes) Put(id string, p protocol.Producer, seq int32) (protocol.Offset, string) {
	return c.put(c.topic, id, p.ID, p.Epoch, seq)
}

func (c *realCodes) Raw(id string, p protocol.Producer, seq int32) (protocol.Offset, string) {
	return c.write(c.topic, id, p.ID, p.Epoch, seq)
}

func (c *realCodes) End(id string, p protocol.Producer, version int16, commit bool) string {
	return c.end(id, p.ID, p.Epoch, version, commit)
}

func (c *realCodes) AbortByHand(p protocol.Producer) string {
	return c.abortByHand(c.topic, 0, p.ID, p.Epoch)
}

func (c *realCodes) Describe(id string) (string, protocol.Producer) {
	got, err := c.adm.DescribeTransactions(c.ctx, id)
	if err == nil {
		err = got[id].Err
	}
	if err != nil {
		return fmt.Sprint(err), protocol.Producer{}
	}
	return got[id].State, protocol.Producer{ID: got[id].ProducerID, Epoch: got[id].ProducerEpoch}
}

func (c *realCodes) Visible() int { return len(c.h.ReadCommitted(c.topic, 0)) }

func (c *realCodes) Markers(id string) {
	c.until("the markers are written", id, func(state string) bool { return !strings.HasPrefix(state, "Prepare") })
}

func (c *realCodes) Hours(id string) {
	c.until("the timeout passes", id, func(state string) bool { return state != "Ongoing" })
	time.Sleep(2 * look)
}

// Idle waits for the end of a companion that is younger than id. An id with nothing open must be gone too by then.
func (c *realCodes) Idle(id string) {
	state, _ := c.Describe(id)
	companion := id + "-companion"
	c.init(companion, c.timeout)
	known := func(state string) bool { return state == "Empty" || strings.HasPrefix(state, "Complete") }
	c.until("an idle id is forgotten", companion, func(state string) bool { return !known(state) })
	if state != "Ongoing" {
		c.until("the id is forgotten", id, func(state string) bool { return !known(state) })
	}
}

func (c *realCodes) Lull(p protocol.Producer) {
	var of kadm.TopicsSet
	of.Add(c.topic, 0)
	eventually(c.t, "the producer is forgotten", func() bool {
		got, err := c.adm.DescribeProducers(c.ctx, of)
		return err == nil && !slices.ContainsFunc(got.SortedProducers(), func(d kadm.DescribedProducer) bool { return d.ProducerID == p.ID })
	})
}

func (c *realCodes) until(what, id string, is func(state string) bool) {
	eventually(c.t, what, func() bool {
		state, _ := c.Describe(id)
		return is(state)
	})
}
