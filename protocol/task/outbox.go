package task

import (
	"cmp"
	"slices"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/state"
)

// outbox holds a task's output buffers: one per channel, sealed by size, by linger, and always before a barrier.
type outbox struct {
	cfg   *Config
	edges []outEdge
	// Invariant: flat is every output, by channel.
	flat []*output
	// Invariant: no open buffer got its first record before since; zero if none is open.
	since   protocol.Time
	opened  int // buffers
	now     protocol.Time
	queued  int // frames that wait for credit, over all outputs
	lingers bool
}

type outEdge struct {
	shuffle bool
	outputs []*output
}

type output struct {
	channel protocol.ChannelID
	credit  int
	open    *batch.Batch // nil: empty
	// Invariant: in order; a Data frame at the head waits for credit; nothing overtakes.
	queue []protocol.Frame
}

func newOutbox(cfg *Config) *outbox {
	o := &outbox{cfg: cfg}
	for _, e := range cfg.Edges {
		edge := outEdge{shuffle: e.Shuffle}
		for _, ch := range e.Channels {
			p := &output{channel: ch}
			edge.outputs = append(edge.outputs, p)
			o.flat = append(o.flat, p)
		}
		o.edges = append(o.edges, edge)
	}
	return o
}

// begin readies the outbox for code that emits within this step.
func (o *outbox) begin(now protocol.Time) { o.now = now }

// Emit implements Emitter.
func (o *outbox) Emit(edge int, key, value []byte, r batch.Record) {
	e := &o.edges[edge]
	p := e.outputs[0]
	if e.shuffle {
		p = e.outputs[state.OwnerOf(state.GroupOf(r.Hash, o.cfg.KeyGroups), o.cfg.KeyGroups, len(e.outputs))]
	}
	if p.open == nil {
		p.open = o.cfg.Pool.Get()
		o.opened++
		if o.since == 0 {
			o.since = o.now
		}
	}
	p.open.Append(key, value, r)
	if p.open.Len() >= o.cfg.BatchRecords || p.open.Size() >= o.cfg.BatchBytes {
		o.enqueue(p)
	}
}

// flush sends what Emit has sealed, once the batch is known to be good: nothing of a failed one leaves the step.
func (o *outbox) flush(out *protocol.Effects) {
	for _, p := range o.flat {
		if len(p.queue) > 0 {
			o.drain(p, out)
		}
	}
}

// enqueue seals the open buffer of p without sending it.
func (o *outbox) enqueue(p *output) {
	p.queue = append(p.queue, protocol.Data{Batch: p.open})
	p.open = nil
	o.queued++
	if o.opened--; o.opened == 0 {
		o.since = 0
	}
}

// linger arms the timer for open buffers; call it at the end of a step that emitted.
func (o *outbox) linger(out *protocol.Effects) {
	if o.since != 0 && !o.lingers {
		o.lingers = true
		out.Append(protocol.Wake{Timer: timerLinger, At: o.since.Add(o.cfg.Linger)})
	}
}

// lingered seals every open buffer: the timer has fired.
func (o *outbox) lingered(out *protocol.Effects) {
	o.lingers = false
	o.sealAll(out)
}

// broadcast seals every buffer and puts f behind it on every channel.
func (o *outbox) broadcast(f protocol.Frame, out *protocol.Effects) {
	o.sealAll(out)
	for _, p := range o.flat {
		o.push(p, f, out)
	}
}

func (o *outbox) sealAll(out *protocol.Effects) {
	for _, p := range o.flat {
		o.seal(p, out)
	}
}

func (o *outbox) seal(p *output, out *protocol.Effects) {
	if p.open != nil {
		o.enqueue(p)
		o.drain(p, out)
	}
}

func (o *outbox) push(p *output, f protocol.Frame, out *protocol.Effects) {
	p.queue = append(p.queue, f)
	o.queued++
	o.drain(p, out)
}

// drain sends from the head of the queue what credit allows; barriers and ends need none.
func (o *outbox) drain(p *output, out *protocol.Effects) {
	n := 0
	for ; n < len(p.queue); n++ {
		if _, data := p.queue[n].(protocol.Data); data {
			if p.credit == 0 {
				break
			}
			p.credit--
		}
		out.Append(protocol.Send{Channel: p.channel, Frame: p.queue[n]})
	}
	o.queued -= n
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
}

// grant takes credit for a channel.
func (o *outbox) grant(ch protocol.ChannelID, n int, out *protocol.Effects) {
	at, ok := slices.BinarySearchFunc(o.flat, ch, func(p *output, ch protocol.ChannelID) int { return cmp.Compare(p.channel, ch) })
	protocol.Assert(ok, "credit for a channel that is not an output")
	o.flat[at].credit += n
	o.drain(o.flat[at], out)
}

// full reports whether frames wait for credit: the task then takes no more input.
func (o *outbox) full() bool { return o.queued > 0 }
