package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/protocol"
)

// inflight is one Produce on its way: a promise per record, one answer for all.
type inflight struct {
	s     *slot
	ef    protocol.Produce
	done  func(protocol.Event)
	left  int // records without an answer; promises of one client are called one after the other
	first protocol.Offset
	err   error
	late  *time.Timer // kills the slot when the answer takes too long; the client itself would try for ever
}

// produce hands a batch to the slot's client, which copies nothing and never blocks.
func (d *Device) produce(ef protocol.Produce, done func(protocol.Event)) {
	s := d.slot(ef.ID)
	if s == nil || !s.enter() {
		d.run(func(context.Context) {
			out := d.report("produce", string(ef.ID), protocol.Unknown, errNotOpen)
			done(protocol.Produced{ID: ef.ID, Seq: ef.Seq, Outcome: out, Partition: ef.Partition, Offset: -1})
		})
		return
	}
	n := ef.Batch.Len()
	f := &inflight{s: s, ef: ef, done: done, left: n, first: -1}
	if n == 0 {
		d.run(func(context.Context) { f.finish() })
		return
	}
	f.late = time.AfterFunc(d.opts.IOTimeout, s.kill)
	recs := make([]kgo.Record, n)
	promise := f.promise
	for i := range recs {
		r := &recs[i]
		r.Topic, r.Partition = ef.Topic, int32(ef.Partition)
		if key := ef.Batch.Key(i); len(key) > 0 {
			r.Key = key
		}
		r.Value = ef.Batch.Value(i)
		s.cl.TryProduce(context.Background(), r, promise)
	}
}

// enter counts a produce in, unless the slot is dead.
func (s *slot) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.shut || s.drained != nil {
		return false
	}
	s.pending++
	return true
}

// promise takes one record's answer. The pair is compared for every record, because the client can take a new one
// without a word, and a record under another pair is in no transaction that anybody will commit.
func (f *inflight) promise(r *kgo.Record, err error) {
	if pair := (protocol.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}); err == nil && pair != f.s.pair {
		err = fmt.Errorf("written as producer %d epoch %d instead of %d epoch %d", pair.ID, pair.Epoch, f.s.pair.ID, f.s.pair.Epoch)
	}
	if err != nil && f.err == nil {
		f.err = err
	}
	if f.first < 0 && err == nil {
		f.first = protocol.Offset(r.Offset)
	}
	if f.left--; f.left == 0 {
		f.finish()
	}
}

// finish answers before it counts the produce out, so that Produced comes before Flushed.
func (f *inflight) finish() {
	s, d := f.s, f.s.d
	if f.late != nil {
		f.late.Stop()
	}
	out := plainOutcome(f.err)
	if out == protocol.NotFound || out == protocol.OutOfRange {
		out = protocol.Unknown
	}
	if out == protocol.OK {
		d.opts.Pool.Put(f.ef.Batch)
	} else {
		d.report("produce", fmt.Sprintf("%s to %s/%d", s.id, f.ef.Topic, f.ef.Partition), out, f.err)
		f.first = -1
		s.kill() // the batch is left to the collector: what is on the wire may still be read from it
	}
	f.done(protocol.Produced{ID: s.id, Seq: f.ef.Seq, Outcome: out, Partition: f.ef.Partition, Offset: f.first})
	s.leave()
}

func (s *slot) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending--; s.pending == 0 && s.drained != nil {
		close(s.drained)
	}
}
