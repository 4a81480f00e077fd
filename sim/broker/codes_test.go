package broker

import (
	"testing"

	"weir/protocol"
	"weir/protocol/devicetest"
)

// codes answers the rows of devicetest.
type codes struct {
	h   *harness
	lag protocol.Duration // after each answer, for the markers to be written or not
}

// newCodes makes a cluster whose markers are written while a script goes on, or only when it waits for them.
func newCodes(opts Options, early bool) *devicetest.Script {
	c := &codes{h: newHarness(opts.Version), lag: 20 * protocol.Millisecond}
	if early {
		c.lag = 0
	}
	opts.MarkerDelay = func() protocol.Duration { return 10 * protocol.Millisecond }
	c.h.b = New(c.h.net, opts)
	c.h.b.CreateTopic("out", 1)
	return &devicetest.Script{Codes: c, ID: "id"}
}

// kindOf is how the tables call a release.
func kindOf(r Release) string {
	switch r {
	case Kafka43:
		return devicetest.Kafka
	case Kafka41:
		return devicetest.Earlier
	}
	return devicetest.Before
}

// TestCodes: what coordinators answer, row by row as real brokers were seen to, both before the markers of an end are
// written and after.
func TestCodes(t *testing.T) {
	for _, release := range Releases() {
		t.Run(release.String(), func(t *testing.T) {
			opts := Defaults()
			opts.Run(release)
			for _, row := range devicetest.Rows(kindOf(release)) {
				if row.Needs("5") && opts.Version < 5 {
					continue
				}
				t.Run(row.Name, func(t *testing.T) { testRow(t, opts, row) })
			}
		})
	}
}

func testRow(t *testing.T, opts Options, row devicetest.Row) {
	if row.Forgets() {
		opts.IDExpiry, opts.DedupExpiry = 12*protocol.Second, 2*protocol.Second
	}
	for i, early := range []bool{true, false} {
		want := row.Wants[min(i, len(row.Wants)-1)]
		if got := newCodes(opts, early).Run(row.Do); got != want {
			t.Errorf("%s, the markers before the next request %t\n got %s\nwant %s", row.Do, !early, got, want)
		}
	}
}

func (c *codes) Init(id string) (protocol.Producer, string) {
	p, code := c.h.b.InitProducerID(protocol.TransactionalID(id), protocol.Minute)
	if code == ConcurrentTransactions {
		c.h.Sleep(protocol.Millisecond)
	}
	c.h.Sleep(c.lag)
	return p, short(code)
}

func (c *codes) Put(id string, p protocol.Producer, seq int32) (protocol.Offset, string) {
	tid := protocol.TransactionalID(id)
	for c.h.b.opts.Registers {
		code := c.h.b.AddPartition(tid, p, "out", 0)
		if code == None {
			break
		}
		if code != ConcurrentTransactions {
			return 0, short(code)
		}
		c.h.Sleep(protocol.Millisecond)
	}
	return c.Raw(id, p, seq)
}

func (c *codes) Raw(id string, p protocol.Producer, seq int32) (protocol.Offset, string) {
	at, code := c.h.b.produce(protocol.TransactionalID(id), p, "out", 0, seq, c.h.b.arena.from([]KV{{[]byte("k"), []byte("v")}}))
	c.h.Sleep(c.lag)
	return at, short(code)
}

func (c *codes) End(id string, p protocol.Producer, version int16, commit bool) string {
	code := c.h.b.EndTxn(protocol.TransactionalID(id), p, version, commit)
	c.h.Sleep(c.lag)
	return short(code)
}

func (c *codes) AbortByHand(protocol.Producer) string {
	c.h.b.AbortByHand("out", 0)
	return "OK"
}

func (c *codes) Describe(id string) (string, protocol.Producer) {
	x, _ := c.h.b.Txn(protocol.TransactionalID(id))
	return x.State.String(), x.Producer
}

func (c *codes) Visible() int {
	got, _ := c.h.b.ReadCommitted("out", 0, 0, 100)
	return len(got)
}

func (c *codes) Markers(string)         { c.h.Sleep(protocol.Second) }
func (c *codes) Hours(string)           { c.h.Sleep(180 * protocol.Minute) }
func (c *codes) Idle(string)            { c.h.Sleep(15 * protocol.Second) }
func (c *codes) Lull(protocol.Producer) { c.h.Sleep(4 * protocol.Second) }

func short(c Code) string {
	switch c {
	case None:
		return "OK"
	case ConcurrentTransactions:
		return "CT"
	case InvalidTxnState:
		return "ITS"
	case ProducerFenced:
		return "PF"
	case InvalidProducerEpoch:
		return "IPE"
	case InvalidProducerIDMapping:
		return "IPM"
	case TransactionAbortable:
		return "TA"
	}
	return c.String()
}
