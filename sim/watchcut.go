package sim

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/batch"
)

// flow is what was sent and processed on one connection.
type flow struct {
	sent      int // Data frames
	processed int
	inbox     []*batch.Batch // delivered, not processed, in order
	barriers  []barrier
	ended     bool     // End was delivered
	high      []origin // newest origins sent, by partition
}

// barrier is one barrier on one connection.
type barrier struct {
	id      protocol.CheckpointID
	before  int // Data frames sent before it
	arrived bool
	high    []origin // newest origins sent before it
	low     []origin // oldest origins sent after it, up to the next one
}

// origin is an input record, as records that it causes name it.
type origin struct {
	partition int32
	offset    int64
}

// arrives notes that a frame was delivered.
func (f *flow) arrives(frame protocol.Frame) {
	switch frame := frame.(type) {
	case protocol.Data:
		f.inbox = append(f.inbox, frame.Batch)
	case protocol.Barrier:
		for i := range f.barriers {
			if f.barriers[i].id == frame.Checkpoint {
				f.barriers[i].arrived = true
			}
		}
	case protocol.End:
		f.ended = true
	}
}

// watchSend notes what goes into a connection.
func (w *World) watchSend(m *machine, c *conn, frame protocol.Frame) {
	f := &c.flow
	switch frame := frame.(type) {
	case protocol.Data:
		f.sent++
		if w.cfg.Off&CheckOrigins == 0 {
			w.watchOrigins(m, c, frame.Batch)
		}
	case protocol.Barrier:
		if len(f.barriers) == rememberedCheckpoints {
			f.barriers = f.barriers[1:]
		}
		high := append([]origin(nil), f.high...)
		f.barriers = append(f.barriers, barrier{id: frame.Checkpoint, before: f.sent, high: high})
	}
}

// passesOn notes that m gives a batch away: if it is one that it received, it has processed that frame.
func (w *World) passesOn(m *machine, b *batch.Batch) {
	if len(m.held) > 0 && m.lets(b) {
		w.watchProcessed(m, b)
	}
}

// watchProcessed notes that m is done with a batch.
func (w *World) watchProcessed(m *machine, b *batch.Batch) {
	for _, c := range m.ins {
		f := &c.flow
		if len(f.inbox) == 0 || f.inbox[0] != b {
			continue
		}
		f.inbox = append(f.inbox[:0], f.inbox[1:]...)
		f.processed++
		return
	}
}

// watchStep checks, after a step, the cuts that it made.
func (w *World) watchStep(m *machine) {
	for _, n := range m.froze {
		w.checkCut(m, n)
	}
	m.froze = m.froze[:0]
}

// checkCut checks a snapshot of m for n: on each input, exactly what was sent before barrier n is in it.
func (w *World) checkCut(m *machine, n protocol.CheckpointID) {
	if !m.isTask() || w.cfg.Off&CheckCut != 0 {
		return
	}
	for id, ch := range m.proc.node.job.channels {
		if ch.To == m.addr.Task {
			w.checkInput(m, protocol.ChannelID(id), n)
		}
	}
}

func (w *World) checkInput(m *machine, id protocol.ChannelID, n protocol.CheckpointID) {
	var f *flow
	for _, c := range m.ins {
		if c.id == id {
			f = &c.flow
		}
	}
	channel := m.proc.node.job.channelName(id)
	if f == nil {
		w.breach(CheckCut, fmt.Sprintf("%s froze for %d before anything came on channel %s", w.addressName(m.addr), n, channel))
		return
	}
	if f.ended {
		return
	}
	for _, b := range f.barriers {
		if b.id != n {
			continue
		}
		switch {
		case !b.arrived:
			w.breach(CheckCut, fmt.Sprintf("%s froze for %d before the barrier arrived on channel %s", w.addressName(m.addr), n, channel))
		case f.processed < b.before:
			w.breach(CheckCut, fmt.Sprintf("%s froze for %d with %d of %d frames of channel %s: frames sent before the barrier are missing", w.addressName(m.addr), n, f.processed, b.before, channel))
		case f.processed > b.before:
			w.breach(CheckCut, fmt.Sprintf("%s froze for %d with %d frames of channel %s, %d were sent before the barrier: it was not aligned", w.addressName(m.addr), n, f.processed, channel, b.before))
		}
		return
	}
	w.breach(CheckCut, fmt.Sprintf("%s froze for %d and no such barrier was ever sent on channel %s", w.addressName(m.addr), n, channel))
}

// watchOrigins notes on which side of the newest barrier a batch's origins are.
func (w *World) watchOrigins(m *machine, c *conn, b *batch.Batch) {
	f := &c.flow
	var last *barrier
	if n := len(f.barriers); n > 0 {
		last = &f.barriers[n-1]
	}
	for i := range b.Len() {
		r := b.Record(i)
		f.high = raise(f.high, r.Partition, r.Offset)
		if last != nil {
			last.low = sink(last.low, r.Partition, r.Offset)
		}
	}
	if last == nil {
		return
	}
	epochs := m.proc.node.job.epochs
	for i := len(epochs) - 1; i >= 0; i-- {
		if a := &epochs[i]; a.id == last.id && a.decided {
			w.checkOrigins(c, last, a)
		}
	}
}

func raise(list []origin, p int32, offset int64) []origin {
	for i := range list {
		if list[i].partition == p {
			list[i].offset = max(list[i].offset, offset)
			return list
		}
	}
	return append(list, origin{p, offset})
}

func sink(list []origin, p int32, offset int64) []origin {
	for i := range list {
		if list[i].partition == p {
			list[i].offset = min(list[i].offset, offset)
			return list
		}
	}
	return append(list, origin{p, offset})
}

// decided checks every connection's cut of a checkpoint of j against the sources' positions.
func (w *World) decided(j *tenant, a *attempt) {
	a.decided = true
	if w.cfg.Off&CheckOrigins != 0 {
		return
	}
	for _, n := range j.nodes {
		if n.proc == nil {
			continue
		}
		for _, m := range n.proc.machines {
			for _, c := range m.outs {
				for i := range c.flow.barriers {
					if b := &c.flow.barriers[i]; b.id == a.id {
						w.checkOrigins(c, b, a)
					}
				}
			}
		}
	}
}

// checkOrigins checks one cut: what was sent before the barrier came from before the source's position, what was sent
// after it from there on. It says nothing where sources of several topics have partitions of the same number.
func (w *World) checkOrigins(c *conn, b *barrier, a *attempt) {
	for _, o := range b.high {
		if p := a.only(o.partition); p != nil && o.offset >= int64(p.Next) {
			w.breach(CheckOrigins, fmt.Sprintf("channel %d carried before barrier %d what came from %s/%d@%d, and the source's position is %d", c.id, b.id, p.Topic, p.Partition, o.offset, p.Next))
		}
	}
	for _, o := range b.low {
		if p := a.only(o.partition); p != nil && o.offset < int64(p.Next) {
			w.breach(CheckOrigins, fmt.Sprintf("channel %d carried after barrier %d what came from %s/%d@%d, and the source's position is %d", c.id, b.id, p.Topic, p.Partition, o.offset, p.Next))
		}
	}
}

// only is the position of a partition if sources of one topic alone have one of that number.
func (a *attempt) only(partition int32) (found *protocol.Position) {
	for i := range a.positions {
		if int32(a.positions[i].Partition) != partition {
			continue
		}
		if found != nil {
			return nil
		}
		found = &a.positions[i]
	}
	return found
}
