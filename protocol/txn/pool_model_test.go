package txn

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
	"weir/protocol/batch"
)

// naive is what a pool must be: a list of transactions and a broker that watches what is asked of it.
type naive struct {
	*poolDesk
	rt    *rapid.T
	ill   bool // some answers are not OK
	slots map[protocol.TransactionalID]*naiveSlot
	order []protocol.TransactionalID // of slots
	// used are producers that a transaction was written with, and the first record of which.
	used    map[protocol.Producer]protocol.CheckpointID
	flushes map[protocol.TransactionalID]protocol.Flush
	offset  protocol.Offset
	broken  bool // something was answered in a way that ends the attempt
	highest protocol.CheckpointID
}

type naiveState string

const (
	naiveIdle      naiveState = "idle"
	naiveOpening   naiveState = "opening"
	naiveOpen      naiveState = "open"
	naiveFilling   naiveState = "filling"
	naiveFlushing  naiveState = "flushing"
	naivePrepared  naiveState = "prepared"
	naiveSealed    naiveState = "sealed" // read back
	naiveAbandoned naiveState = "abandoned"
)

type naiveSlot struct {
	state      naiveState
	producer   protocol.Producer
	checkpoint protocol.CheckpointID
	count      uint64
	partitions []protocol.Partition
	ledger     protocol.Offset
	unacked    []protocol.Produce
	seq        uint64
	opening    protocol.OpenSlot
}

func newNaive(t *testing.T, rt *rapid.T) *naive {
	n := &naive{poolDesk: newPoolDesk(t), rt: rt, ill: rapid.Bool().Draw(rt, "ill"), slots: map[protocol.TransactionalID]*naiveSlot{},
		used: map[protocol.Producer]protocol.CheckpointID{}, flushes: map[protocol.TransactionalID]protocol.Flush{}}
	for i := range n.cfg.PoolSize() {
		id := SlotName{Job: "words", Sink: "sink", Epoch: 2, Attempt: 3, Slot: i}.ID()
		n.slots[id] = &naiveSlot{state: naiveIdle, producer: protocol.Producer{ID: int64(100 + i), Epoch: -1}}
		n.order = append(n.order, id)
	}
	return n
}

// in lists the slots in one of these states.
func (n *naive) in(states ...naiveState) (list []protocol.TransactionalID) {
	for _, id := range n.order {
		if slices.Contains(states, n.slots[id].state) {
			list = append(list, id)
		}
	}
	return list
}

func (n *naive) pick(what string, list []protocol.TransactionalID) (protocol.TransactionalID, *naiveSlot) {
	if len(list) == 0 || n.broken {
		n.rt.Skip(what)
	}
	id := rapid.SampledFrom(list).Draw(n.rt, what)
	return id, n.slots[id]
}

// advance: one slot is opened ahead of need; never one that is in use, because that would abort what is open.
func (n *naive) advance(*rapid.T) {
	want := len(n.in(naiveOpen, naiveOpening)) == 0 && len(n.in(naiveIdle)) > 0
	n.p.Advance(n.now, &n.out)
	list := all[protocol.OpenSlot](n.desk)
	if want != (len(list) == 1) || len(list) > 1 {
		n.rt.Fatalf("asked to open %v; want one: %v", list, want)
	}
	for _, o := range list {
		s := n.slots[o.ID]
		if s == nil || s.state != naiveIdle {
			n.rt.Fatalf("opens %q, which is %+v: what is open in it would be aborted", o.ID, s)
		}
		s.state, s.opening = naiveOpening, o
	}
}

// fails draws whether an answer is not OK: once in a number of times, if at all.
func (n *naive) fails(what string, times int) bool {
	return n.ill && rapid.IntRange(1, times).Draw(n.rt, what) == times
}

func (n *naive) opened(*rapid.T) {
	id, s := n.pick("opening", n.in(naiveOpening))
	ev := protocol.Opened{Op: s.opening.Op, ID: id, Outcome: protocol.OK, Version: 5}
	s.producer.Epoch++ // the broker's, whether we hear of it or not
	if n.fails("lost", 20) {
		ev.Outcome, s.state = protocol.Unknown, naiveAbandoned
		n.broken = len(n.order)-len(n.in(naiveAbandoned)) < leastSlots
	} else {
		ev.Producer = s.producer
		*s = naiveSlot{state: naiveOpen, producer: s.producer, opening: s.opening}
	}
	n.p.OnOpened(ev, &n.out)
	n.quiet()
}

// produced files a Produce: it must be for the slot that is filling, or being flushed, and in order.
func (n *naive) produced(id protocol.TransactionalID, list []protocol.Effect) {
	s := n.slots[id]
	for _, ef := range list {
		p, ok := ef.(protocol.Produce)
		if !ok || p.ID != id || p.Seq != s.seq+1 {
			n.rt.Fatalf("asked for %s, want record %d of %q", protocol.Format(ef), s.seq+1, id)
		}
		s.seq++
		s.unacked = append(s.unacked, p)
	}
}

func (n *naive) produce(rt *rapid.T) {
	if !n.p.Ready() || n.broken {
		rt.Skip("not ready")
	}
	filling := n.in(naiveFilling)
	part := protocol.Partition(rapid.IntRange(0, 3).Draw(rt, "partition"))
	records := records(rapid.IntRange(1, 3).Draw(rt, "records"))
	count := uint64(records.Len())
	n.p.Produce(n.now, part, records, &n.out)
	list := n.take()
	if len(list) != 1 {
		rt.Fatalf("asked for %s, want one record", formats(list))
	}
	id := list[0].(protocol.Produce).ID
	if len(filling) == 0 && n.slots[id].state == naiveOpen {
		s := n.slots[id]
		if x, ok := n.used[s.producer]; ok {
			rt.Fatalf("%q begins a second transaction as %v: the first one was of checkpoint %d", id, s.producer, x)
		}
		n.used[s.producer] = 0
		s.state = naiveFilling
	}
	if s := n.slots[id]; s.state != naiveFilling {
		rt.Fatalf("a record for %q, which is %s", id, s.state)
	}
	n.produced(id, list)
	s := n.slots[id]
	s.count += count
	if !slices.Contains(s.partitions, part) {
		s.partitions = append(s.partitions, part)
		slices.Sort(s.partitions)
	}
}

// barrier ends the transaction, if there is one.
func (n *naive) barrier(rt *rapid.T) {
	filling := n.in(naiveFilling)
	if len(n.in(naiveFlushing)) > 0 || n.broken {
		rt.Skip("one flush at a time: the sink holds the next barrier back")
	}
	n.highest++
	if len(filling) == 0 {
		return
	}
	id := filling[0]
	s := n.slots[id]
	n.p.Prepare(n.now, n.highest, new(batch.Batch), &n.out)
	list := n.take()
	f, ok := list[len(list)-1].(protocol.Flush)
	if len(list) != 2 || !ok || f.ID != id {
		rt.Fatalf("asked for %s, want the ledger's record and a flush of %q", formats(list), id)
	}
	n.produced(id, list[:1])
	n.flushes[id] = f
	n.used[s.producer] = n.highest
	s.state, s.checkpoint = naiveFlushing, n.highest
}

// acknowledged answers a record of any slot, in any order.
func (n *naive) acknowledged(rt *rapid.T) {
	var list []protocol.TransactionalID
	for _, id := range n.in(naiveFilling, naiveFlushing) {
		if len(n.slots[id].unacked) > 0 {
			list = append(list, id)
		}
	}
	id, s := n.pick("unacknowledged", list)
	at := rapid.IntRange(0, len(s.unacked)-1).Draw(rt, "record")
	p := s.unacked[at]
	n.offset++
	ev := protocol.Produced{ID: id, Seq: p.Seq, Outcome: protocol.OK, Partition: p.Partition, Offset: n.offset}
	if n.fails("refused", 100) {
		ev.Outcome, n.broken = protocol.Unknown, true
	} else {
		s.unacked = slices.Delete(s.unacked, at, at+1)
		if p.Topic == n.pc.Ledger.Topic {
			s.ledger = n.offset
		}
	}
	n.p.OnProduced(n.now, ev)
	n.quiet()
}

// flushed answers a flush: OK only if every record was acknowledged.
func (n *naive) flushed(rt *rapid.T) {
	id, s := n.pick("flushing", n.in(naiveFlushing))
	ev := protocol.Flushed{Op: n.flushes[id].Op, ID: id, Outcome: protocol.OK}
	switch {
	case n.fails("failed", 50):
		ev.Outcome, n.broken = protocol.Unknown, true
	case len(s.unacked) > 0:
		rt.Skip("not before every record is answered")
	default:
		s.state = naivePrepared
	}
	n.p.OnFlushed(ev, &n.out)
	n.quiet()
}

// sealed: a transaction was read back, in any order.
func (n *naive) sealed(*rapid.T) {
	id, s := n.pick("prepared", n.in(naivePrepared))
	n.p.Sealed(id)
	n.quiet()
	s.state = naiveSealed
}

// settle frees what is sealed up to a checkpoint, and nothing else.
func (n *naive) settle(rt *rapid.T) {
	upTo := protocol.CheckpointID(rapid.Uint64Range(0, uint64(n.highest)).Draw(rt, "settled up to"))
	n.p.Settle(upTo)
	n.quiet()
	for _, id := range n.in(naiveSealed) {
		if s := n.slots[id]; s.checkpoint <= upTo {
			*s = naiveSlot{state: naiveIdle, producer: s.producer}
		}
	}
}

// stale repeats an answer that was given before: it must change nothing.
func (n *naive) stale(*rapid.T) {
	id, s := n.pick("open or later", n.in(naiveOpen, naiveFilling, naivePrepared, naiveSealed))
	n.p.OnOpened(protocol.Opened{Op: s.opening.Op, ID: id, Outcome: protocol.Unknown}, &n.out)
	n.p.OnFlushed(protocol.Flushed{Op: n.flushes[id].Op, ID: id, Outcome: protocol.Unknown}, &n.out)
	if len(s.unacked) == 0 {
		n.p.OnProduced(n.now, protocol.Produced{ID: id, Seq: 1, Outcome: protocol.Unknown})
	}
	n.quiet()
}

// check compares everything that can be asked of the pool.
func (n *naive) check(rt *rapid.T) {
	why, service := n.p.Broken()
	if (why != "") != n.broken || why != "" && !service {
		rt.Fatalf("broken: %q, service %v; want broken: %v", why, service, n.broken)
	}
	if n.broken {
		return
	}
	filling, flushing := n.in(naiveFilling), n.in(naiveFlushing)
	if len(filling) > 1 {
		rt.Fatalf("%d slots are filling", len(filling))
	}
	unacked := 0
	for _, s := range n.slots {
		unacked += len(s.unacked)
	}
	ready := len(filling) == 1 || len(n.in(naiveOpen)) > 0 && len(flushing) == 0
	if n.p.Ready() != ready || n.p.Filling() != (len(filling) == 1) || n.p.Flushing() != (len(flushing) > 0) || n.p.Unacked() != unacked {
		rt.Fatalf("ready %v, filling %v, flushing %v, %d unacknowledged; want %v, %v, %v, %d", n.p.Ready(), n.p.Filling(), n.p.Flushing(), n.p.Unacked(),
			ready, filling, flushing, unacked)
	}
	for upTo := range n.highest + 2 {
		n.checkUpTo(rt, upTo)
	}
}

func (n *naive) checkUpTo(rt *rapid.T, upTo protocol.CheckpointID) {
	flushed := true
	for _, id := range n.in(naiveFlushing) {
		flushed = flushed && n.slots[id].checkpoint > upTo
	}
	if n.p.Flushed(upTo) != flushed {
		rt.Fatalf("flushed up to %d: %v, want %v", upTo, !flushed, flushed)
	}
	n.compare(rt, "committables", n.p.Committables(upTo), upTo, naivePrepared, naiveSealed)
	n.compare(rt, "unsealed", n.p.Unsealed(upTo), upTo, naivePrepared)
}

func (n *naive) compare(rt *rapid.T, what string, got []protocol.Committable, upTo protocol.CheckpointID, states ...naiveState) {
	var want []protocol.TransactionalID
	for _, id := range n.in(states...) {
		if n.slots[id].checkpoint <= upTo {
			want = append(want, id)
		}
	}
	if len(got) != len(want) {
		rt.Fatalf("%s up to %d: %v, want %v", what, upTo, got, want)
	}
	for i, c := range got {
		s := n.slots[want[i]]
		if c.ID != want[i] || c.Producer != s.producer || c.Checkpoint != s.checkpoint || c.Count != s.count || c.Ledger.Offset != s.ledger || !slices.Equal(c.Partitions, s.partitions) {
			rt.Fatalf("%s up to %d: %+v, want %q %+v", what, upTo, c, want[i], *s)
		}
	}
}

// long is how many of rapid's runs of about 30 steps make one: a slot needs about ten steps to come round.
const long = 8

// TestPoolAgainstNaive: whatever is asked and answered, in whatever order, the pool is what the naive list is.
func TestPoolAgainstNaive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := newNaive(t, rt)
		for i := 0; i < long && !n.broken; i++ {
			rt.Repeat(map[string]func(*rapid.T){
				"advance": n.advance, "opened": n.opened, "produce": n.produce, "acknowledged": n.acknowledged, "barrier": n.barrier,
				"flushed": n.flushed, "sealed": n.sealed, "settle": n.settle, "stale": n.stale, "": n.check,
			})
		}
	})
}
