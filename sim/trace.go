package sim

import (
	"fmt"
	"strconv"

	"weir/faults"
	"weir/protocol"
)

// mark is one line of a trace before it is text.
type mark struct {
	at     protocol.Time
	step   uint64
	addr   protocol.Address
	what   any   // an event, an effect, a fault's id or a string
	size   int32 // of the batch, which is another one's by the time the line is written
	effect bool
}

// trace keeps the newest marks in a ring; text is made only when somebody wants it.
type trace struct {
	ring []mark
	next int // in the ring
	full bool
	out  func(string)
	see  func(mark)
}

func newTrace(size int, out func(string)) trace {
	return trace{ring: make([]mark, max(size, 1)), out: out}
}

// line is where the next mark goes.
func (t *trace) line() *mark {
	m := &t.ring[t.next]
	if t.next++; t.next == len(t.ring) {
		t.next, t.full = 0, true
	}
	return m
}

// tell tells of a mark that was written.
func (t *trace) tell(m *mark) {
	if t.out != nil {
		t.out(m.String())
	}
	if t.see != nil {
		t.see(*m)
	}
}

func (t *trace) event(w *World, m *machine, ev protocol.Event) {
	k := t.line()
	k.at, k.step, k.addr, k.what, k.size, k.effect = w.now, w.steps, m.addr, ev, 0, false
	switch ev := ev.(type) {
	case protocol.Received:
		k.size = frameSize(ev.Frame)
	case protocol.Fetched:
		if ev.Batch != nil {
			k.size = int32(ev.Batch.Len())
		}
	}
	t.tell(k)
}

func (t *trace) effect(w *World, m *machine, ef protocol.Effect) {
	size := int32(0)
	switch ef := ef.(type) {
	case protocol.Send:
		size = frameSize(ef.Frame)
	case protocol.Produce:
		size = int32(ef.Batch.Len())
	case protocol.Resume:
		return
	}
	k := t.line()
	k.at, k.step, k.addr, k.what, k.size, k.effect = w.now, w.steps, m.addr, ef, size, true
	t.tell(k)
}

func (t *trace) add(m mark) {
	k := t.line()
	*k = m
	t.tell(k)
}

func (t *trace) fault(w *World, id faults.ID) {
	t.add(mark{at: w.now, step: w.steps, what: id})
}

func (t *trace) say(w *World, what string, n uint64) {
	t.add(mark{at: w.now, step: w.steps, what: what + strconv.FormatUint(n, 10)})
}

func frameSize(f protocol.Frame) int32 {
	if d, ok := f.(protocol.Data); ok {
		return int32(d.Batch.Len())
	}
	return 0
}

// lines is the ring as text, oldest first.
func (t *trace) lines() (out []string) {
	if t.full {
		for _, m := range t.ring[t.next:] {
			out = append(out, m.String())
		}
	}
	for _, m := range t.ring[:t.next] {
		out = append(out, m.String())
	}
	return out
}

// String is the line: time, step, machine, then the event, or indented the effect.
func (m mark) String() string {
	head := fmt.Sprintf("%12d.%06d #%-7d ", int64(m.at)/1_000_000, int64(m.at)%1_000_000, m.step)
	switch what := m.what.(type) {
	case faults.ID:
		return head + "!! " + what.String()
	case string:
		return head + "!! " + what
	}
	arrow := "▶ "
	if m.effect {
		arrow = "    → "
	}
	return head + place(m.addr) + " " + arrow + m.text()
}

func place(a protocol.Address) string {
	switch a.Task {
	case protocol.CoordinatorTask:
		return fmt.Sprintf("n%d/coordinator", a.Node)
	case protocol.WorkerTask:
		return fmt.Sprintf("n%d/worker", a.Node)
	}
	return fmt.Sprintf("n%d/t%d", a.Node, a.Task)
}

func (m mark) text() string {
	switch v := m.what.(type) {
	case protocol.Received:
		return fmt.Sprintf("Received c%d %s", v.Channel, frameText(v.Frame, m.size))
	case protocol.Send:
		return fmt.Sprintf("Send c%d %s", v.Channel, frameText(v.Frame, m.size))
	case protocol.Fetched:
		return fmt.Sprintf("Fetched op%d %v %d records, next %d", v.Op, v.Outcome, m.size, v.Next)
	case protocol.Produce:
		return fmt.Sprintf("Produce %s seq%d %s/%d %d records", v.ID, v.Seq, v.Topic, v.Partition, m.size)
	case protocol.Release:
		return "Release"
	case protocol.Store:
		return fmt.Sprintf("Store op%d %s if-match %q", v.Op, v.Key, v.IfMatch)
	case protocol.Loaded:
		return fmt.Sprintf("Loaded op%d %v %d bytes", v.Op, v.Outcome, len(v.Body))
	case protocol.Recalled:
		return fmt.Sprintf("Recalled op%d %v %d bytes", v.Op, v.Outcome, len(v.Body))
	case protocol.Keep:
		return fmt.Sprintf("Keep %s", v.Key)
	}
	return protocol.Format(m.what)
}

func frameText(f protocol.Frame, size int32) string {
	switch f := f.(type) {
	case protocol.Data:
		return fmt.Sprintf("Data %d records", size)
	case protocol.Barrier:
		return fmt.Sprintf("Barrier %d", f.Checkpoint)
	}
	return "End"
}
