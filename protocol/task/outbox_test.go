package task

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/state"
)

type freshBatches struct{}

func (freshBatches) Get() *batch.Batch { return new(batch.Batch) }
func (freshBatches) Put(*batch.Batch)  {}

// outboxDesk is an outbox, and per channel what went in and what came out, as numbers: records from 1, barriers and
// ends negative.
type outboxDesk struct {
	cfg     Config
	o       *outbox
	out     protocol.Effects
	now     protocol.Time
	alarm   protocol.Time // what the linger timer is set to; zero: not set
	in, got [][]int64     // by channel-1
	frames  []int         // Data frames sent, by channel-1
	granted []int
	born    map[int64]protocol.Time
	last    int64
	idle    int // how often the timer was set and no buffer was open
}

func newOutboxDesk(shuffle, forward int) *outboxDesk {
	d := &outboxDesk{cfg: Config{Config: protocol.Defaults(), Pool: freshBatches{}}, now: 1, born: map[int64]protocol.Time{}}
	d.cfg.BatchRecords, d.cfg.BatchBytes, d.cfg.Linger, d.cfg.KeyGroups = 3, 100, 50, 8
	edge := Edge{Shuffle: true}
	for ch := range shuffle {
		edge.Channels = append(edge.Channels, protocol.ChannelID(ch+1))
	}
	d.cfg.Edges = append(d.cfg.Edges, edge)
	for ch := range forward {
		d.cfg.Edges = append(d.cfg.Edges, Edge{Channels: []protocol.ChannelID{protocol.ChannelID(shuffle + ch + 1)}})
	}
	n := shuffle + forward
	d.in, d.got, d.frames, d.granted = make([][]int64, n), make([][]int64, n), make([]int, n), make([]int, n)
	d.o = newOutbox(&d.cfg)
	return d
}

// emit puts one record on an edge; its key is its number, and size bytes of value.
func (d *outboxDesk) emit(edge int, hash uint32, size int) {
	d.last++
	key := binary.BigEndian.AppendUint64(nil, uint64(d.last))
	ch := d.cfg.Edges[edge].Channels[0]
	if e := d.cfg.Edges[edge]; e.Shuffle {
		ch = e.Channels[state.OwnerOf(state.GroupOf(hash, d.cfg.KeyGroups), d.cfg.KeyGroups, len(e.Channels))]
	}
	d.in[ch-1] = append(d.in[ch-1], d.last)
	d.born[d.last] = d.now
	d.o.begin(d.now)
	d.o.Emit(edge, key, make([]byte, size), batch.Record{Hash: hash})
	d.o.flush(&d.out)
}

func (d *outboxDesk) broadcast(id protocol.CheckpointID) {
	for i := range d.in {
		d.in[i] = append(d.in[i], -int64(id))
	}
	d.o.broadcast(protocol.Barrier{Checkpoint: id}, &d.out)
}

func (d *outboxDesk) grant(ch, n int) {
	d.granted[ch-1] += n
	d.o.grant(protocol.ChannelID(ch), n, &d.out)
}

// settle ends a step: what has been sent is filed.
func (d *outboxDesk) settle() {
	d.o.linger(&d.out)
	for _, ef := range d.out.All() {
		switch ef := ef.(type) {
		case protocol.Wake:
			d.alarm = ef.At
			if !slices.ContainsFunc(d.o.flat, func(p *output) bool { return p.open != nil }) {
				d.idle++
			}
		case protocol.Send:
			i := ef.Channel - 1
			switch f := ef.Frame.(type) {
			case protocol.Data:
				d.frames[i]++
				for r := range f.Batch.Len() {
					d.got[i] = append(d.got[i], int64(binary.BigEndian.Uint64(f.Batch.Key(r))))
				}
			case protocol.Barrier:
				d.got[i] = append(d.got[i], -int64(f.Checkpoint))
			}
		}
	}
	d.out.Reset()
}

// check holds what came out against what went in: a prefix, within the credit, and nothing held back without need.
func (d *outboxDesk) check(t *rapid.T) {
	waiting := 0
	for i := range d.in {
		if len(d.got[i]) > len(d.in[i]) {
			t.Fatalf("channel %d: %v went in, %v came out", i+1, d.in[i], d.got[i])
		}
		for n, x := range d.got[i] {
			if x != d.in[i][n] {
				t.Fatalf("channel %d: %v went in, %v came out", i+1, d.in[i], d.got[i])
			}
		}
		if d.frames[i] > d.granted[i] {
			t.Fatalf("channel %d: %d frames for %d credits", i+1, d.frames[i], d.granted[i])
		}
		p := d.o.flat[i]
		if len(p.queue) > 0 && d.frames[i] < d.granted[i] {
			t.Fatalf("channel %d: %d frames wait, %d credits are left", i+1, len(p.queue), d.granted[i]-d.frames[i])
		}
		waiting += len(p.queue)
		d.checkLinger(t, i)
	}
	if d.idle > 0 {
		t.Fatal("the timer was set and no buffer was open")
	}
	if d.o.full() != (waiting > 0) {
		t.Fatalf("full: %v with %d frames that wait", d.o.full(), waiting)
	}
}

// checkLinger holds that a record in an open buffer is not older than Linger, and that the timer will see to it.
func (d *outboxDesk) checkLinger(t *rapid.T, i int) {
	p := d.o.flat[i]
	if p.open == nil {
		return
	}
	if n := p.open.Len(); n >= d.cfg.BatchRecords || p.open.Size() >= d.cfg.BatchBytes {
		t.Fatalf("channel %d: %d records of %d bytes are not sealed", i+1, n, p.open.Size())
	}
	due := d.born[int64(binary.BigEndian.Uint64(p.open.Key(0)))].Add(d.cfg.Linger)
	if d.alarm == 0 || d.alarm > due {
		t.Fatalf("channel %d: a record is due at %d, the timer is set to %d", i+1, due, d.alarm)
	}
}

func TestOutboxAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shuffle, forward := rapid.IntRange(1, 4).Draw(t, "shuffle"), rapid.IntRange(0, 2).Draw(t, "forward")
		d := newOutboxDesk(shuffle, forward)
		id := protocol.CheckpointID(0)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			d.now += protocol.Time(rapid.IntRange(1, 20).Draw(t, "dt"))
			if d.alarm != 0 && d.now >= d.alarm {
				d.now, d.alarm = max(d.alarm, d.now-19), 0 // timers fire when they are due, or a little later
				d.o.lingered(&d.out)
				d.settle()
			}
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				id++
				d.broadcast(id)
			case 1, 2:
				d.grant(rapid.IntRange(1, shuffle+forward).Draw(t, "channel"), rapid.IntRange(1, 3).Draw(t, "credit"))
			default:
				for range rapid.IntRange(1, 5).Draw(t, "records") {
					d.emit(rapid.IntRange(0, forward).Draw(t, "edge"), rapid.Uint32().Draw(t, "hash"), rapid.SampledFrom([]int{0, 1, 60, 200}).Draw(t, "size"))
				}
			}
			d.settle()
			d.check(t)
		}
	})
}

// TestEverythingLeaves: with credit enough, everything before a barrier is out with it.
func TestEverythingLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newOutboxDesk(3, 1)
		for ch := range d.in {
			d.grant(ch+1, 1000)
		}
		for range rapid.IntRange(0, 50).Draw(t, "records") {
			d.emit(rapid.IntRange(0, 1).Draw(t, "edge"), rapid.Uint32().Draw(t, "hash"), 1)
		}
		d.broadcast(7)
		d.settle()
		for i := range d.in {
			if len(d.got[i]) != len(d.in[i]) {
				t.Fatalf("channel %d: %d of %d left with the barrier", i+1, len(d.got[i]), len(d.in[i]))
			}
		}
	})
}

// TestBarriersNeedNoCredit, but overtake nothing.
func TestBarriersNeedNoCredit(t *testing.T) {
	d := newOutboxDesk(1, 0)
	d.broadcast(1)
	d.settle()
	if len(d.got[0]) != 1 {
		t.Fatal("a barrier waits for credit")
	}
	d.emit(0, 0, 1)
	d.broadcast(2)
	d.settle()
	if len(d.got[0]) != 1 || !d.o.full() {
		t.Fatal("a barrier overtook a frame without credit")
	}
	d.grant(1, 1)
	d.settle()
	if len(d.got[0]) != 3 || d.o.full() {
		t.Fatalf("with credit: %v of %v", d.got[0], d.in[0])
	}
}
