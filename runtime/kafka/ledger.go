package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/protocol"
)

const (
	// ledgerWait is how long a read waits in the broker for the stable offset to pass; markers take some 10 ms.
	ledgerWait  = 250 * time.Millisecond
	ledgerBytes = 64 << 10
)

var (
	errNotStable = errors.New("the stable offset has not passed the record yet")
	errAbsent    = errors.New("the stable offset has passed and the record is not there")
	errBeyond    = fmt.Errorf("%w", kerr.OffsetOutOfRange)
)

// erase appends a tombstone outside any transaction.
func (d *Device) erase(ctx context.Context, ef protocol.Erase) protocol.Event {
	r := &kgo.Record{Topic: ef.Topic, Partition: int32(ef.Partition), Key: ef.Key}
	err := d.admin.ProduceSync(ctx, r).FirstErr()
	return protocol.Erased{Op: ef.Op, Outcome: d.report("erase", fmt.Sprintf("%s/%d", ef.Topic, ef.Partition), plainOutcome(err), err)}
}

// readLedger looks for one record at one offset.
func (d *Device) readLedger(ctx context.Context, ef protocol.ReadLedger) protocol.Event {
	at := place{ef.Topic, ef.TopicID, ef.Partition}
	value, err := d.recordAt(ctx, at, ef.Offset)
	out := ledgerOutcome(err)
	object := fmt.Sprintf("%s at %d", at, ef.Offset)
	if errors.Is(err, errNotStable) {
		d.log.Debug("kafka: read ledger", "object", object, "outcome", out.String(), "cause", err)
	} else {
		d.report("read ledger", object, out, err)
	}
	return protocol.LedgerRead{Op: ef.Op, Outcome: out, Value: value}
}

func ledgerOutcome(err error) protocol.Outcome {
	switch {
	case err == nil:
		return protocol.OK
	case errors.Is(err, errAbsent):
		return protocol.NotFound
	case errors.Is(err, errOtherTopic):
		return protocol.Corrupt
	}
	return protocol.Unknown
}

// ledger finds or makes what reads a ledger partition. It survives CloseSlots: the coordinator reads too.
func (d *Device) ledger(at place) (*cursor, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.ledgers[at]; l != nil {
		return l, nil
	}
	l, err := d.newCursor(at)
	if err == nil {
		d.ledgers[at] = l
	}
	return l, err
}

func (d *Device) recordAt(ctx context.Context, at place, offset protocol.Offset) ([]byte, error) {
	l, err := d.ledger(at)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	got, err := l.rd.fetch(ctx, ask{from: offset, wait: ledgerWait, bytes: ledgerBytes})
	if errors.Is(err, kerr.OffsetOutOfRange) {
		return nil, d.outside(ctx, at, offset)
	}
	if err != nil {
		return nil, err
	}
	for _, r := range got.recs {
		if r.Offset == int64(offset) {
			return r.Value, nil
		}
	}
	if got.next > offset || got.stable > offset {
		return nil, errAbsent
	}
	return nil, errNotStable
}

// outside tells an offset that the log has lost (absent) from one that it has not reached (not to be told).
func (d *Device) outside(ctx context.Context, at place, offset protocol.Offset) error {
	ranges, err := d.ranges(ctx, at.topic, []int32{int32(at.partition)})
	if err != nil {
		return err
	}
	if offset < ranges[0].Start {
		return fmt.Errorf("%w: the log begins at %d", errAbsent, ranges[0].Start)
	}
	return fmt.Errorf("%w: the log's stable offset is %d", errNotStable, ranges[0].End)
}
