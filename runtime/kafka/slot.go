package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/protocol"
)

const (
	// The limits of one slot's client. The machine's credit is far below; passing them kills the slot.
	slotRecords = 1 << 20
	slotBytes   = 256 << 20
)

var (
	errNotOpen = errors.New("the slot is not open")
	errHalted  = errors.New("halted meanwhile")
)

// slot is one client that lives for one transaction.
type slot struct {
	d    *Device
	id   protocol.TransactionalID
	cl   *kgo.Client
	pair protocol.Producer // captured at open, never asked for again: the client would re-initialise

	mu      sync.Mutex
	dead    bool          // Invariant: set by the first produce that failed, or by kill; never reset
	pending int           // produces without an answer
	drained chan struct{} // not nil once a flush waits; closed at pending == 0
	shut    bool          // the client is being closed
}

// open makes a slot's client and takes the transactional id with it.
func (d *Device) open(ef protocol.OpenSlot, done func(protocol.Event)) {
	d.mu.Lock()
	life := d.life
	d.mu.Unlock()
	d.run(func(ctx context.Context) {
		s, version, err := d.openSlot(ctx, ef)
		if err == nil {
			err = d.keep(s, life)
		}
		opened := protocol.Opened{Op: ef.Op, ID: ef.ID, Outcome: d.report("open slot", string(ef.ID), plainOutcome(err), err)}
		switch opened.Outcome {
		case protocol.OK:
			opened.Producer, opened.Version = s.pair, version
		case protocol.NotFound: // of an output topic: OpenSlot has no such outcome
			opened.Outcome = protocol.Unknown
		}
		done(opened)
	})
}

// keep registers an opened slot, unless everything was halted since it was asked for.
func (d *Device) keep(s *slot, life uint64) error {
	d.mu.Lock()
	late := d.closed || d.life != life
	drop := s
	if !late {
		drop = d.slots[s.id]
		d.slots[s.id] = s
	}
	d.mu.Unlock()
	if drop != nil {
		drop.kill()
	}
	if late {
		return errHalted
	}
	return nil
}

func (d *Device) openSlot(ctx context.Context, ef protocol.OpenSlot) (*slot, int16, error) {
	version, err := d.endTxnVersion(ctx)
	if err != nil {
		return nil, 0, err
	}
	cl, err := d.opts.client(
		kgo.TransactionalID(string(ef.ID)), kgo.TransactionTimeout(time.Duration(ef.Timeout)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(slotRecords), kgo.MaxBufferedBytes(slotBytes))
	if err != nil {
		return nil, 0, err
	}
	s := &slot{d: d, id: ef.ID, cl: cl}
	if err := s.begin(ctx, ef.Topics); err != nil {
		d.closeLater(cl)
		return nil, 0, err
	}
	return s, version, nil
}

// begin asks for the topics before it takes the id, so that a missing topic fences nobody; then it warms the way.
func (s *slot) begin(ctx context.Context, topics []string) error {
	leaders, err := leadersOf(ctx, s.cl, topics)
	if err != nil {
		return err
	}
	pid, epoch, err := s.cl.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("InitProducerID: %w", err)
	}
	s.pair = protocol.Producer{ID: pid, Epoch: epoch}
	if err := s.cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if len(leaders) == 0 {
		return nil
	}
	if err := s.know(ctx, topics); err != nil {
		return err
	}
	return s.cl.EnsureProduceConnectionIsOpen(ctx, leaders...)
}

// nowhere is a partition that no topic has: a record for it fails when the client knows the topic, and is never sent.
const nowhere = -1

// know makes the client's producer know topics. It learns of a topic by a record for it only, and the first one would
// wait for it; all are asked for at once, because it asks no more often than MetadataMinAge.
func (s *slot) know(ctx context.Context, topics []string) error {
	known := make(chan struct{}, len(topics))
	for _, topic := range topics {
		s.cl.TryProduce(ctx, &kgo.Record{Topic: topic, Partition: nowhere}, func(*kgo.Record, error) { known <- struct{}{} })
	}
	for range topics {
		select {
		case <-known:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// leadersOf is the brokers that lead the partitions of these topics.
func leadersOf(ctx context.Context, cl *kgo.Client, topics []string) ([]int32, error) {
	var leaders []int32
	for _, topic := range topics {
		t, err := describe(ctx, cl, topic)
		if err != nil {
			return nil, err
		}
		for _, p := range t.Partitions {
			if p.Leader >= 0 && !slices.Contains(leaders, p.Leader) {
				leaders = append(leaders, p.Leader)
			}
		}
	}
	return leaders, nil
}

// describe is the metadata of one topic.
func describe(ctx context.Context, cl *kgo.Client, topic string) (*kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("metadata of topic %q: %w", topic, err)
	}
	if len(resp.Topics) != 1 {
		return nil, fmt.Errorf("metadata of topic %q: %d topics in the answer", topic, len(resp.Topics))
	}
	err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	if oneOf(err, kerr.UnknownTopicOrPartition, kerr.InvalidTopicException) {
		err = fmt.Errorf("%w: %w", errGone, err)
	}
	if err != nil {
		return nil, fmt.Errorf("metadata of topic %q: %w", topic, err)
	}
	return &resp.Topics[0], nil
}

func (d *Device) slot(id protocol.TransactionalID) *slot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slots[id]
}

// flush waits for a slot's produces, closes its client and forgets it.
func (d *Device) flush(ef protocol.Flush, done func(protocol.Event)) {
	s := d.slot(ef.ID)
	limit := d.opts.IOTimeout
	if d.opts.Now != nil {
		limit = time.Duration(ef.Deadline.Sub(d.opts.Now()))
	}
	d.run(func(context.Context) {
		ctx, cancel := context.WithTimeout(d.ctx, limit)
		defer cancel()
		err := errNotOpen
		if s != nil {
			err = s.flush(ctx)
			d.forget(s)
		}
		out := protocol.OK
		if err != nil {
			out = protocol.Unknown
		}
		done(protocol.Flushed{Op: ef.Op, ID: ef.ID, Outcome: d.report("flush", string(ef.ID), out, err)})
	})
}

func (d *Device) forget(s *slot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slots[s.id] == s {
		delete(d.slots, s.id)
	}
}

// flush never ends the transaction: only the resolver does, and only after the decision.
func (s *slot) flush(ctx context.Context) error {
	drained := s.awaitDrained()
	err := s.cl.Flush(ctx)
	if err == nil {
		select {
		case <-drained:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.mu.Lock()
	dead := s.dead
	s.mu.Unlock()
	if err != nil || dead {
		s.kill()
		return errors.Join(err, errors.New("not every record of the transaction is known to be written"))
	}
	s.close()
	return nil
}

func (s *slot) awaitDrained() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained == nil {
		s.drained = make(chan struct{})
		if s.pending == 0 {
			close(s.drained)
		}
	}
	return s.drained
}

// kill closes the client undrained, in the background; requests on the wire may still land. The goroutine is counted
// while the lock is held, so that a Close of the device that finds the slot shut waits for it.
func (s *slot) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shut {
		s.d.closeLater(s.cl)
	}
	s.dead, s.shut = true, true
}

// close closes the drained client and waits for it: after Flushed nothing of it is left.
func (s *slot) close() {
	s.mu.Lock()
	shut := s.shut
	s.shut = true
	s.mu.Unlock()
	if !shut {
		s.cl.Close()
	}
}
