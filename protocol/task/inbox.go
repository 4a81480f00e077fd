package task

import (
	"weir/protocol"
	"weir/protocol/align"
)

// inbox holds the frames that have arrived and not been processed, per input, behind the alignment gate.
type inbox struct {
	gate   *align.Gate
	inputs []input
	index  map[protocol.ChannelID]int
	next   int // input that is looked at first, so that none starves
	// Invariant: ready counts frames; blocked inputs' frames are among them.
	ready int
}

type input struct {
	channel protocol.ChannelID
	queue   []protocol.Frame
	// Invariant: one grants one credit to the channel; it is made once, because each frame needs it.
	one protocol.Effect
}

func newInbox(cfg *Config) *inbox {
	b := &inbox{gate: align.New(len(cfg.Inputs)), index: make(map[protocol.ChannelID]int, len(cfg.Inputs))}
	for i, ch := range cfg.Inputs {
		b.inputs = append(b.inputs, input{channel: ch, one: protocol.Grant{Channel: ch, N: 1}})
		b.index[ch] = i
	}
	return b
}

// open grants every sender its first credit.
func (b *inbox) open(credit int, out *protocol.Effects) {
	for i := range b.inputs {
		out.Append(protocol.Grant{Channel: b.inputs[i].channel, N: credit})
	}
}

func (b *inbox) enqueue(ch protocol.ChannelID, f protocol.Frame) {
	in, ok := b.index[ch]
	protocol.Assert(ok, "a frame on a channel that is not an input")
	b.inputs[in].queue = append(b.inputs[in].queue, f)
	b.ready++
}

// pop takes the frame to process next: the head of the next input that is not blocked.
func (b *inbox) pop() (in int, f protocol.Frame, ok bool) {
	if in = b.find(); in < 0 {
		return 0, nil, false
	}
	b.next = in + 1
	q := &b.inputs[in].queue
	f = (*q)[0]
	rest := copy(*q, (*q)[1:])
	(*q)[rest] = nil
	*q = (*q)[:rest]
	b.ready--
	return in, f, true
}

// head is the frame that pop would take, or nil.
func (b *inbox) head() protocol.Frame {
	if in := b.find(); in >= 0 {
		return b.inputs[in].queue[0]
	}
	return nil
}

// find is the next input with a frame that may flow, or -1.
func (b *inbox) find() int {
	if b.ready == 0 {
		return -1
	}
	for i := range b.inputs {
		in := (b.next + i) % len(b.inputs)
		if len(b.inputs[in].queue) > 0 && !b.gate.Blocked(in) {
			return in
		}
	}
	return -1
}
