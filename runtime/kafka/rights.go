package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// clientAdd is the highest version of AddPartitionsToTxn that is for clients; later ones are for brokers.
const clientAdd = 3

// Rights finds out whether this user may write these topics in transactions of this id. It names a producer that is
// not there, so that the brokers check what is allowed and then refuse: nothing is written, and no id is made.
func (o Options) Rights(ctx context.Context, id string, topics ...string) error {
	highest := kversion.Stable()
	highest.SetMaxKeyVersion(addPartitionsKey, clientAdd)
	cl, err := o.Connect(kgo.MaxVersions(highest))
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, math.MaxInt64, 0
	for _, topic := range topics {
		t := kmsg.NewAddPartitionsToTxnRequestTopic()
		t.Topic, t.Partitions = topic, []int32{0}
		req.Topics = append(req.Topics, t)
	}
	resp, err := coordinated(ctx, cl, id, req)
	if err != nil {
		return fmt.Errorf("kafka: transactional id %q: %w%s", id, err, rightsHint(err, id, ""))
	}
	for _, t := range resp.(*kmsg.AddPartitionsToTxnResponse).Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); denied(err) {
				return fmt.Errorf("kafka: write topic %q in transactional id %q: %w%s", t.Topic, id, err, rightsHint(err, id, t.Topic))
			}
		}
	}
	return nil
}

func rightsHint(err error, id, topic string) string {
	switch {
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return fmt.Sprintf("; grant the job's user WRITE and DESCRIBE on transactional ids that begin with %q", prefixOf(id))
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Sprintf("; grant the job's user WRITE on topic %q", topic)
	}
	return ""
}

// prefixOf is an id's first part, with its slash.
func prefixOf(id string) string {
	for i, c := range id {
		if c == '/' {
			return id[:i+1]
		}
	}
	return id
}

// AllowsTimeout finds out whether the brokers accept a transaction timeout, where they do not tell their limit: they
// refuse one above it before anything else. If they accept it, the id is made, and expires unused.
func (o Options) AllowsTimeout(ctx context.Context, id string, timeout time.Duration) (bool, error) {
	cl, err := o.Connect()
	if err != nil {
		return false, err
	}
	defer cl.Close()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &id, int32(min(timeout.Milliseconds(), math.MaxInt32))
	req.ProducerID, req.ProducerEpoch = -1, -1
	resp, err := coordinated(ctx, cl, id, req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.InitProducerIDResponse).ErrorCode)
	}
	switch {
	case errors.Is(err, kerr.InvalidTransactionTimeout):
		return false, nil
	case err == nil, errors.Is(err, kerr.ConcurrentTransactions): // the timeout was looked at first
		return true, nil
	}
	return false, fmt.Errorf("kafka: transactional id %q: %w%s", id, err, rightsHint(err, id, ""))
}

// coordinated sends a request to an id's coordinator, and waits while there is none yet.
func coordinated(ctx context.Context, cl *kgo.Client, id string, req kmsg.Request) (kmsg.Response, error) {
	for {
		at := kadm.NewClient(cl).FindTxnCoordinators(ctx, id)[id]
		if at.Err == nil {
			resp, err := cl.Broker(int(at.NodeID)).RetriableRequest(ctx, req)
			if err != nil || !away(resp) {
				return resp, err
			}
			at.Err = kerr.NotCoordinator
		}
		if !oneOf(at.Err, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator) {
			return nil, fmt.Errorf("find the coordinator: %w", at.Err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("find the coordinator: %w", at.Err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// away reports whether a coordinator's answer is that it is not one now.
func away(resp kmsg.Response) bool {
	var code int16
	switch r := resp.(type) {
	case *kmsg.InitProducerIDResponse:
		code = r.ErrorCode
	case *kmsg.AddPartitionsToTxnResponse:
		if len(r.Topics) > 0 && len(r.Topics[0].Partitions) > 0 {
			code = r.Topics[0].Partitions[0].ErrorCode
		}
	}
	return oneOf(kerr.ErrorForCode(code), kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator)
}
