package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/protocol"
	"weir/protocol/batch"
)

// cursor is where one partition is read: what a request brought beyond Fetch.Max, and the request ahead.
type cursor struct {
	rd   *reader
	turn chan struct{} // holds one token: whoever took it may use the rest, rd included

	have    chunk       // Invariant: have.recs lie in [have.from, have.next), in order
	ahead   chan result // not nil: a request for have.next is under way; it uses rd
	checked bool        // the position was seen to lie at or below the stable offset
}

type result struct {
	chunk
	err error
}

// cursor finds or makes the cursor of a partition.
func (d *Device) cursor(at place) (*cursor, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.cursors[at]; c != nil {
		return c, nil
	}
	c, err := d.newCursor(at)
	if err == nil {
		d.cursors[at] = c
	}
	return c, err
}

func (d *Device) newCursor(at place) (*cursor, error) {
	rd, err := d.newReader(at)
	if err != nil {
		return nil, err
	}
	c := &cursor{rd: rd, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c, nil
}

// read answers a Fetch.
func (d *Device) read(ctx context.Context, ef protocol.Fetch) protocol.Event {
	at := place{ef.Topic, ef.TopicID, ef.Partition}
	b, next, err := d.readAt(ctx, at, ef)
	out := d.report("fetch", fmt.Sprintf("%s from %d", at, ef.From), plainOutcome(err), err)
	if out != protocol.OK {
		return protocol.Fetched{Op: ef.Op, Outcome: out, Next: ef.From}
	}
	return protocol.Fetched{Op: ef.Op, Outcome: out, Batch: b, Next: next}
}

func (d *Device) readAt(ctx context.Context, at place, ef protocol.Fetch) (*batch.Batch, protocol.Offset, error) {
	c, err := d.cursor(at)
	if err != nil {
		return nil, 0, err
	}
	select {
	case <-c.turn:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	defer func() { c.turn <- struct{}{} }()
	if err := c.load(ctx, d, ef.From); err != nil {
		return nil, 0, d.halted(at, c, err)
	}
	b, next := c.take(d.opts.Pool, ef.Max)
	c.readAhead(d)
	return b, next, nil
}

// halted says of an error that it came of CloseSlots, if it did.
func (d *Device) halted(at place, c *cursor, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cursors[at] != c {
		err = fmt.Errorf("%w: %w", errHalted, err)
	}
	return err
}

// load makes the cursor's chunk begin at from: of what it has, of what was read ahead, or by a request of its own.
func (c *cursor) load(ctx context.Context, d *Device, from protocol.Offset) error {
	if c.have.from == from && len(c.have.recs) > 0 {
		return nil
	}
	got, err := c.awaitAhead(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || got.from != from || got.next == from {
		got, err = c.rd.fetch(ctx, d.tail(from))
	}
	if err == nil && !c.checked {
		err = c.check(ctx, d, got)
	}
	if err == nil {
		c.have, c.checked = got, true
	}
	return err
}

// tail asks for what follows an offset and waits for it a little.
func (d *Device) tail(from protocol.Offset) ask {
	return ask{from: from, wait: d.opts.MaxWait, bytes: d.opts.FetchBytes}
}

// awaitAhead takes what was read ahead; offset -1 stands for: nothing was.
func (c *cursor) awaitAhead(ctx context.Context) (chunk, error) {
	if c.ahead == nil {
		return chunk{from: -1}, nil
	}
	select {
	case r := <-c.ahead:
		c.ahead = nil
		return r.chunk, r.err
	case <-ctx.Done():
		return chunk{from: -1}, ctx.Err()
	}
}

// readAhead asks for what follows while the machine works, if something does: it never waits for records to come.
func (c *cursor) readAhead(d *Device) {
	if c.ahead != nil || c.have.next >= c.have.stable {
		return
	}
	ahead, a := make(chan result, 1), d.tail(c.have.next)
	c.ahead = ahead
	d.run(func(ctx context.Context) {
		got, err := c.rd.fetch(ctx, a)
		ahead <- result{got, err}
	})
}

// check compares a new position with the partition's range: the broker answers for an offset between the stable offset
// and the end of the log as if there were nothing yet. A leader that has just been elected may report less than it has,
// so the range is asked for by a request that such a leader refuses.
func (c *cursor) check(ctx context.Context, d *Device, got chunk) error {
	if got.from <= got.stable {
		return nil
	}
	ranges, err := d.ranges(ctx, c.rd.at.topic, []int32{int32(c.rd.at.partition)})
	if err != nil {
		return err
	}
	if end := ranges[0].End; got.from > end {
		return fmt.Errorf("%w: the position is %d, the stable offset %d", errBeyond, got.from, end)
	}
	return nil
}

// take moves up to limit records to a batch; next is the offset to ask for then.
func (c *cursor) take(pool batch.Pool, limit int) (*batch.Batch, protocol.Offset) {
	b := pool.Get()
	n := len(c.have.recs)
	if limit > 0 {
		n = min(n, limit)
	}
	for _, r := range c.have.recs[:n] {
		appendRecord(b, r)
	}
	next := c.have.next
	if n < len(c.have.recs) {
		next = protocol.Offset(c.have.recs[n-1].Offset) + 1
	}
	c.have.recs, c.have.from = c.have.recs[n:], next
	return b, next
}

func appendRecord(b *batch.Batch, r *kgo.Record) {
	b.Append(r.Key, r.Value, batch.Record{Partition: r.Partition, Offset: r.Offset})
}
