package txn

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
	"weir/protocol/batch"
)

// poolDesk is a desk with a pool, and what it has open.
type poolDesk struct {
	*desk
	p      *Pool
	pc     *PoolConfig
	unsure []protocol.Produce // not answered
	opens  []protocol.OpenSlot
	flush  protocol.Flush
}

func newPoolDesk(t *testing.T) *poolDesk {
	t.Helper()
	d := &poolDesk{desk: newDesk(t)}
	d.pc = &PoolConfig{Config: d.cfg, Scope: protocol.Scope{Job: "words", Epoch: 2, Attempt: 3}, Sink: "sink", Task: 3, Topic: "out",
		Ledger: protocol.LedgerRef{Topic: "ledger", TopicID: protocol.TopicID{1}}}
	d.p = NewPool(d.pc, 2, 4)
	return d
}

// gather files what has been asked for.
func (d *poolDesk) gather() {
	d.t.Helper()
	for _, ef := range d.take() {
		switch ef := ef.(type) {
		case protocol.OpenSlot:
			d.opens = append(d.opens, ef)
		case protocol.Produce:
			d.unsure = append(d.unsure, ef)
		case protocol.Flush:
			d.flush = ef
		default:
			d.t.Fatalf("asked for %s", protocol.Format(ef))
		}
	}
}

// advance opens what the pool wants open.
func (d *poolDesk) advance() {
	d.t.Helper()
	d.p.Advance(d.now, &d.out)
	d.gather()
	for _, o := range d.opens {
		d.p.OnOpened(protocol.Opened{Op: o.Op, ID: o.ID, Outcome: protocol.OK, Producer: protocol.Producer{ID: 7}, Version: 5}, &d.out)
	}
	d.opens = nil
	d.gather()
}

func (d *poolDesk) produce(n int) {
	d.t.Helper()
	d.p.Produce(d.now, 0, records(n), &d.out)
	d.gather()
}

// acknowledge answers every Produce with OK; the ledger's record stands at the offset.
func (d *poolDesk) acknowledge(offset protocol.Offset) {
	for _, p := range d.unsure {
		d.p.OnProduced(d.now, protocol.Produced{ID: p.ID, Seq: p.Seq, Outcome: protocol.OK, Partition: p.Partition, Offset: offset})
	}
	d.unsure = nil
}

// prepare takes a transaction of n records to the end of its flush.
func (d *poolDesk) prepare(id protocol.CheckpointID, n int, offset protocol.Offset) {
	d.t.Helper()
	d.advance()
	d.produce(n)
	d.p.Prepare(d.now, id, new(batch.Batch), &d.out)
	d.gather()
	d.acknowledge(offset)
	d.p.OnFlushed(protocol.Flushed{Op: d.flush.Op, ID: d.flush.ID, Outcome: protocol.OK}, &d.out)
	d.gather()
}

func (d *poolDesk) whole() {
	d.t.Helper()
	if why, _ := d.p.Broken(); why != "" {
		d.t.Fatalf("broken: %s", why)
	}
}

func (d *poolDesk) broken(text string, service bool) {
	d.t.Helper()
	if why, s := d.p.Broken(); !strings.Contains(why, text) || why == "" || s != service {
		d.t.Fatalf("broken: %q, service %v; want %q, %v", why, s, text, service)
	}
}

func TestATransaction(t *testing.T) {
	d := newPoolDesk(t)
	if d.p.Ready() {
		t.Fatal("ready without an open slot")
	}
	d.advance()
	if !d.p.Ready() || d.p.Filling() {
		t.Fatal("an open slot is ready, and takes nothing by itself")
	}
	d.p.Produce(d.now, 2, records(3), &d.out)
	d.p.Produce(d.now, 0, records(4), &d.out)
	d.p.Produce(d.now, 2, records(1), &d.out)
	d.gather()
	d.p.Prepare(d.now, 42, new(batch.Batch), &d.out)
	d.gather()
	if d.p.Filling() || d.p.Flushed(42) || !d.p.Flushed(41) || len(d.p.Committables(42)) != 0 {
		t.Fatal("a transaction that is being flushed can be acked")
	}
	last := d.unsure[len(d.unsure)-1]
	rec, err := DecodeLedger(last.Batch.Value(0))
	if last.Topic != "ledger" || err != nil || d.p.Unacked() != 4 {
		t.Fatalf("the last record is %s, %v; %d unacked", protocol.Format(last), err, d.p.Unacked())
	}
	for i, p := range d.unsure {
		if p.Seq != uint64(i+1) {
			t.Errorf("produce %d has seq %d", i, p.Seq)
		}
	}
	d.acknowledge(99)
	d.p.OnFlushed(protocol.Flushed{Op: d.flush.Op, ID: d.flush.ID, Outcome: protocol.OK}, &d.out)
	d.whole()
	list := d.p.Committables(42)
	if len(list) != 1 || !d.p.Flushed(42) {
		t.Fatalf("committables %v", list)
	}
	c := list[0]
	if c.Count != 8 || c.Ledger.Offset != 99 || c.Checkpoint != 42 || !slices.Equal(c.Partitions, []protocol.Partition{0, 2}) || c.Producer.ID != 7 || c.Version != 5 {
		t.Errorf("committable %+v", c)
	}
	if rec != Proof(c) {
		t.Errorf("the record in the ledger is %+v, the proof %+v", rec, Proof(c))
	}
}

// TestDigests: other records, another order, or another boundary between key and value give another digest.
func TestDigests(t *testing.T) {
	digestOf := func(kvs ...string) uint64 {
		h := uint64(0)
		for i := 0; i < len(kvs); i += 2 {
			h = digest(h, []byte(kvs[i]), []byte(kvs[i+1]))
		}
		return h
	}
	seen := map[uint64]bool{}
	for _, kvs := range [][]string{{}, {"", ""}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"b", "a"}, {"a", "b", "c", "d"}, {"c", "d", "a", "b"}, {"a", "bcd"}} {
		if h := digestOf(kvs...); seen[h] {
			t.Errorf("%q has a digest that another list has", kvs)
		} else {
			seen[h] = true
		}
	}
}

// TestNoRecordWhileFlushing: the next transaction begins when the last one is flushed.
func TestNoRecordWhileFlushing(t *testing.T) {
	d := newPoolDesk(t)
	d.advance()
	d.produce(1)
	d.advance()
	d.p.Prepare(d.now, 42, new(batch.Batch), &d.out)
	d.gather()
	if d.p.Ready() {
		t.Fatal("ready while a transaction is being flushed")
	}
	d.acknowledge(0)
	d.p.OnFlushed(protocol.Flushed{Op: d.flush.Op, Outcome: protocol.OK}, &d.out)
	if !d.p.Ready() {
		t.Fatal("not ready behind the flush")
	}
}

// TestOpened: every outcome of OpenSlot.
func TestOpened(t *testing.T) {
	for _, o := range []protocol.Outcome{0, protocol.OK, protocol.Unknown, protocol.Retry, protocol.Denied} {
		t.Run(o.String(), func(t *testing.T) {
			d := newPoolDesk(t)
			d.p.Advance(d.now, &d.out)
			first := asked[protocol.OpenSlot](d.desk)
			d.p.Advance(d.now, &d.out)
			d.quiet() // one at a time
			if o == 0 {
				d.wait()
				d.p.OnDeadline(d.now, &d.out)
				d.p.OnOpened(protocol.Opened{Op: first.Op, ID: first.ID, Outcome: protocol.OK}, &d.out) // too late
			} else {
				d.p.OnOpened(protocol.Opened{Op: first.Op, ID: first.ID, Outcome: o, Producer: protocol.Producer{ID: 1}}, &d.out)
			}
			d.p.Advance(d.now, &d.out)
			switch o {
			case protocol.OK:
				d.quiet()
				if !d.p.Ready() {
					t.Error("not ready")
				}
			case protocol.Denied:
				d.broken("denies", false)
			default: // it may have fenced and may fence later: that id is not used again
				if next := asked[protocol.OpenSlot](d.desk); next.ID == first.ID || d.p.Ready() {
					t.Errorf("opens %s after %s", next.ID, first.ID)
				}
				d.whole()
			}
		})
	}
}

// TestAbandoned: when too few ids are left, the attempt is over; a service that was away is the reason.
func TestAbandoned(t *testing.T) {
	d := newPoolDesk(t)
	for range d.cfg.PoolSize() {
		d.p.Advance(d.now, &d.out)
		for _, o := range all[protocol.OpenSlot](d.desk) {
			d.p.OnOpened(protocol.Opened{Op: o.Op, ID: o.ID, Outcome: protocol.Unknown}, &d.out)
		}
	}
	d.broken("abandoned", true)
}

// TestProduced: anything but OK is the end of the attempt, and so is silence.
func TestProduced(t *testing.T) {
	for _, o := range []protocol.Outcome{0, protocol.OK, protocol.Unknown, protocol.Retry, protocol.Denied} {
		t.Run(o.String(), func(t *testing.T) {
			d := newPoolDesk(t)
			d.advance()
			d.produce(1)
			p := d.unsure[0]
			if o == 0 {
				d.wait()
				d.p.OnDeadline(d.now, &d.out)
				d.broken("not acknowledged", true)
				return
			}
			d.p.OnProduced(d.now, protocol.Produced{ID: p.ID, Seq: p.Seq, Outcome: o})
			if o == protocol.OK {
				d.whole()
				d.wait()
				d.p.OnDeadline(d.now, &d.out)
				d.whole() // nothing is waited for
				return
			}
			if o == protocol.Denied { // it would come again at every try: it counts
				d.broken("refuses records", false)
				return
			}
			d.broken("not acknowledged", true)
		})
	}
}

// TestFlushed: anything but OK, or a record without an answer, is the end of the attempt.
func TestFlushed(t *testing.T) {
	for _, c := range []struct {
		outcome protocol.Outcome // 0: no answer
		acked   bool
		why     string
	}{{protocol.OK, true, ""}, {protocol.OK, false, "not acknowledged"}, {protocol.Unknown, true, "flush"}, {protocol.Denied, true, "flush"}, {0, true, "the flush was not answered"}} {
		d := newPoolDesk(t)
		d.advance()
		d.produce(1)
		d.p.Prepare(d.now, 42, new(batch.Batch), &d.out)
		d.gather()
		if c.acked {
			d.acknowledge(0)
		}
		if c.outcome == 0 {
			d.wait()
			d.p.OnDeadline(d.now, &d.out)
		} else {
			d.p.OnFlushed(protocol.Flushed{Op: d.flush.Op, ID: d.flush.ID, Outcome: c.outcome}, &d.out)
		}
		if c.why == "" {
			d.whole()
		} else {
			d.broken(c.why, true)
		}
	}
}

// TestSlotsComeBack: a slot is free when its seal is durable, not before, and then it is opened anew.
func TestSlotsComeBack(t *testing.T) {
	d := newPoolDesk(t)
	d.prepare(42, 1, 0)
	c := d.p.Committables(42)[0]
	d.p.Settle(42)
	if len(d.p.Committables(42)) != 1 {
		t.Fatal("a transaction that was not read back is settled")
	}
	d.p.Sealed(c.ID)
	if len(d.p.Unsealed(42)) != 0 || len(d.p.Committables(42)) != 1 {
		t.Fatal("sealed, and not durably: it is listed, and not committed again")
	}
	d.p.Settle(41)
	if len(d.p.Committables(42)) != 1 {
		t.Fatal("settled up to 41 is not 42")
	}
	d.p.Settle(42)
	if len(d.p.Committables(42)) != 0 {
		t.Fatal("not settled")
	}
	for id := protocol.CheckpointID(43); ; id++ {
		d.prepare(id, 1, 0)
		d.whole()
		if x := d.p.Committables(id); x[0].ID == c.ID {
			break
		}
		if id > 50 {
			t.Fatal("the slot is never used again")
		}
		for _, x := range d.p.Committables(id) {
			d.p.Sealed(x.ID)
		}
		d.p.Settle(id)
	}
}

// TestAges: since the first record, on the clock of this machine; at half the timeout the attempt is over.
func TestAges(t *testing.T) {
	d := newPoolDesk(t)
	d.advance()
	began := d.now
	d.produce(1)
	d.p.Prepare(d.now, 42, new(batch.Batch), &d.out)
	d.gather()
	d.acknowledge(0)
	d.p.OnFlushed(protocol.Flushed{Op: d.flush.Op, Outcome: protocol.OK}, &d.out)
	list := d.p.Committables(42)
	d.now = d.now.Add(protocol.Minute)
	if aged := d.p.Age(d.now, list); aged[0].Age != d.now.Sub(began) || list[0].Age != 0 {
		t.Errorf("age %d, want %d; the list itself has %d", aged[0].Age, d.now.Sub(began), list[0].Age)
	}
	d.now = began.Add(d.cfg.TxnTimeout/2 - 1)
	d.p.OnDeadline(d.now, &d.out)
	d.whole()
	d.now = began.Add(d.cfg.TxnTimeout / 2)
	d.p.OnDeadline(d.now, &d.out)
	d.broken("half as old as its timeout", true)
}

// TestAgeOfASettledTransaction: an ack that is repeated may list a transaction whose slot is used again. It must not
// seem older than it is.
func TestAgeOfASettledTransaction(t *testing.T) {
	d := newPoolDesk(t)
	d.now = d.now.Add(100 * protocol.Minute)
	d.prepare(42, 1, 0)
	list := d.p.Committables(42)
	d.p.Sealed(list[0].ID)
	d.p.Settle(42)
	for range d.cfg.PoolSize() { // until the slot is open again
		d.prepare(43, 1, 0)
		for _, x := range d.p.Committables(43) {
			d.p.Sealed(x.ID)
		}
		d.p.Settle(43)
		d.advance()
	}
	if aged := d.p.Age(d.now, list); aged[0].Age > protocol.Minute {
		t.Errorf("age %d s", aged[0].Age/protocol.Second)
	}
}

// TestSealedIsNotTooOld: once it is read back, a transaction's age is nobody's concern.
func TestSealedIsNotTooOld(t *testing.T) {
	d := newPoolDesk(t)
	d.prepare(42, 1, 0)
	d.p.Sealed(d.p.Committables(42)[0].ID)
	d.now = d.now.Add(d.cfg.TxnTimeout)
	d.p.OnDeadline(d.now, &d.out)
	d.whole()
}

// TestPoolNeverRunsDry: as long as no more checkpoints are out than the coordinator lets there be, a barrier always
// finds its transaction and records always find a slot in the end.
func TestPoolNeverRunsDry(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newPoolDesk(t)
		var out []protocol.CheckpointID // triggered and not durably sealed
		sealedUpTo := protocol.CheckpointID(0)
		for id := protocol.CheckpointID(1); id <= 30; id++ {
			for len(out) >= d.cfg.PoolSize()-1 {
				sealedUpTo = out[len(out)-1]
				for _, c := range d.p.Unsealed(sealedUpTo) {
					d.p.Sealed(c.ID)
				}
				d.p.Settle(sealedUpTo)
				out = nil
			}
			out = append(out, id)
			if rapid.Bool().Draw(rt, "output") {
				d.advance()
				if !d.p.Ready() {
					rt.Fatalf("checkpoint %d finds no slot; out are %v", id, out)
				}
				d.prepare(id, 1, 0)
			}
			if rapid.Bool().Draw(rt, "sealed") {
				for _, c := range d.p.Unsealed(id) {
					d.p.Sealed(c.ID)
				}
				if rapid.Bool().Draw(rt, "settled") {
					d.p.Settle(id)
					out = nil
				}
			}
			d.whole()
		}
	})
}
