package kafka

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"weir/protocol"
)

// oneOf reports whether err is one of these.
func oneOf(err error, these ...error) bool {
	for _, e := range these {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// denied reports whether err is a matter of permission, which no retry changes.
func denied(err error) bool {
	return oneOf(err, kerr.TopicAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism)
}

// endOutcome reads the answer to an EndTxn. The codes of Ask occur for committed and for lost transactions alike.
func endOutcome(err error) protocol.Outcome {
	switch {
	case err == nil:
		return protocol.OK
	case oneOf(err, kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable):
		return protocol.Retry
	case oneOf(err, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping, kerr.InvalidProducerEpoch, kerr.UnknownProducerID):
		return protocol.Ask
	case denied(err):
		return protocol.Denied
	}
	return protocol.Unknown
}

// fenceOutcome reads the answer to an InitProducerID of a fence. That another InitProducerID came between is a reason
// to try again: the last one wins.
func fenceOutcome(err error) protocol.Outcome {
	switch out := endOutcome(err); {
	case out == protocol.Ask:
		return protocol.Retry
	case oneOf(err, kerr.InvalidTransactionTimeout):
		return protocol.Denied
	default:
		return out
	}
}

// plainOutcome reads an error of anything else.
func plainOutcome(err error) protocol.Outcome {
	switch {
	case err == nil:
		return protocol.OK
	case denied(err), oneOf(err, kerr.InvalidTransactionTimeout, kerr.MessageTooLarge):
		return protocol.Denied
	case oneOf(err, kerr.OffsetOutOfRange):
		return protocol.OutOfRange
	case oneOf(err, errGone, errOtherTopic):
		return protocol.NotFound
	}
	return protocol.Unknown
}
