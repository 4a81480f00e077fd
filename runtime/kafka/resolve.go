package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"weir/protocol"
)

const (
	endTxnKey = int16(kmsg.EndTxn)
	// maxEndTxn is the highest version of EndTxn whose answers are known (measured on 4.1 and 4.3).
	maxEndTxn = 5
	// fenceTimeout is the transaction timeout that a fence leaves behind; nothing is written under it.
	fenceTimeout = 60 * time.Second
)

// end sends one EndTxn of exactly the version the transaction was prepared for.
func (d *Device) end(ctx context.Context, ef protocol.EndTxn) protocol.Event {
	err := d.sendEnd(ctx, ef)
	object := fmt.Sprintf("%s pid %d epoch %d v%d commit %t", ef.ID, ef.Producer.ID, ef.Producer.Epoch, ef.Version, ef.Commit)
	return protocol.Ended{Op: ef.Op, ID: ef.ID, Outcome: d.report("end transaction", object, endOutcome(err), err)}
}

func (d *Device) sendEnd(ctx context.Context, ef protocol.EndTxn) error {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID = string(ef.ID)
	req.ProducerID, req.ProducerEpoch, req.Commit = ef.Producer.ID, ef.Producer.Epoch, ef.Commit
	got, err := d.coordinate(ctx, string(ef.ID), ef.Version, req)
	if err != nil {
		return err
	}
	resp := got.(*kmsg.EndTxnResponse)
	protocol.Assert(resp.Version == ef.Version, "EndTxn went out in another version than it was pinned to")
	return kerr.ErrorForCode(resp.ErrorCode)
}

// coordinate sends a request to a transactional id's coordinator, once. Who that is is asked each time: the client would
// go on asking the broker that it knows, which may stand still while another has the office.
func (d *Device) coordinate(ctx context.Context, id string, version int16, req kmsg.Request) (kmsg.Response, error) {
	cl, err := d.resolver(version)
	if err != nil {
		return nil, err
	}
	at := d.adm.FindTxnCoordinators(ctx, id)[id]
	if at.Err != nil {
		return nil, fmt.Errorf("find the coordinator: %w", at.Err)
	}
	return cl.Broker(int(at.NodeID)).Request(ctx, req)
}

// anyVersion stands for a client that no version is pinned of: for requests that mean the same in all.
const anyVersion = 0

// resolver is the client that speaks exactly this version of EndTxn: a plain one would silently take the broker's,
// and the version is part of a transaction's identity.
func (d *Device) resolver(version int16) (*kgo.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cl := d.resolvers[version]; cl != nil {
		return cl, nil
	}
	opts := []kgo.Opt{kgo.RequestRetries(0)}
	if version != anyVersion {
		highest, lowest := kversion.Stable(), new(kversion.Versions)
		highest.SetMaxKeyVersion(endTxnKey, version)
		lowest.SetMaxKeyVersion(endTxnKey, version)
		opts = append(opts, kgo.MaxVersions(highest), kgo.MinVersions(lowest))
	}
	cl, err := d.opts.client(opts...)
	if err == nil {
		d.resolvers[version] = cl
	}
	return cl, err
}

// takeOver fences a transactional id by one InitProducerID that names no producer.
func (d *Device) takeOver(ctx context.Context, ef protocol.Fence) protocol.Event {
	id := string(ef.ID)
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = &id
	req.TransactionTimeoutMillis = int32(fenceTimeout / time.Millisecond)
	req.ProducerID, req.ProducerEpoch = -1, -1
	resp, err := d.coordinate(ctx, id, anyVersion, req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.InitProducerIDResponse).ErrorCode)
	}
	return protocol.Fenced{Op: ef.Op, ID: ef.ID, Outcome: d.report("fence", id, fenceOutcome(err), err)}
}

// list asks every broker for its open transactions; one broker that does not answer makes the list unknown.
func (d *Device) list(ctx context.Context, ef protocol.ListTxns) protocol.Event {
	open, err := d.openTxns(ctx, ef.Prefix)
	out := d.report("list transactions", ef.Prefix+"*", plainOutcome(err), err)
	if out != protocol.OK {
		open = nil
	}
	return protocol.TxnsListed{Op: ef.Op, Outcome: out, Open: open}
}

func (d *Device) openTxns(ctx context.Context, prefix string) ([]protocol.TransactionalID, error) {
	req := kmsg.NewPtrListTransactionsRequest()
	req.StateFilters = []string{"Ongoing"} // what is decided and waits for its markers nobody can end any more
	var open []protocol.TransactionalID
	for _, shard := range d.admin.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, fmt.Errorf("broker %d: %w", shard.Meta.NodeID, shard.Err)
		}
		resp := shard.Resp.(*kmsg.ListTransactionsResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return nil, fmt.Errorf("broker %d: %w", shard.Meta.NodeID, err)
		}
		for _, txn := range resp.TransactionStates {
			if strings.HasPrefix(txn.TransactionalID, prefix) {
				open = append(open, protocol.TransactionalID(txn.TransactionalID))
			}
		}
	}
	slices.Sort(open)
	return slices.Compact(open), nil
}

// versions remembers which EndTxn the brokers can do, for a while: a rolling upgrade changes it.
type versions struct {
	mu sync.Mutex
	v  int16 // zero: not known yet
	at time.Time
}

const versionsKept = 30 * time.Second

// endTxnVersion is the highest version of EndTxn that every broker advertises, capped. When a broker does not answer,
// the version known from before stands.
func (d *Device) endTxnVersion(ctx context.Context) (int16, error) {
	d.versions.mu.Lock()
	v, at := d.versions.v, d.versions.at
	d.versions.mu.Unlock()
	if v > 0 && time.Since(at) < versionsKept {
		return v, nil
	}
	now, err := d.askVersions(ctx)
	if err != nil && v > 0 {
		return v, nil
	}
	if err == nil {
		d.versions.mu.Lock()
		d.versions.v, d.versions.at = now, time.Now()
		d.versions.mu.Unlock()
	}
	return now, err
}

func (d *Device) askVersions(ctx context.Context) (int16, error) {
	brokers, err := d.adm.ApiVersions(ctx)
	if err != nil {
		return 0, fmt.Errorf("versions of the brokers: %w", err)
	}
	lowest := int16(maxEndTxn)
	for _, b := range brokers.Sorted() {
		if b.Err != nil {
			return 0, fmt.Errorf("versions of broker %d: %w", b.NodeID, b.Err)
		}
		if v, ok := b.KeyMaxVersion(endTxnKey); ok {
			lowest = min(lowest, v)
		}
	}
	return lowest, nil
}
