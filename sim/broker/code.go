package broker

import "weir/protocol"

// Code is an error code of the Kafka protocol, with its number there.
type Code int16

// The codes that the cluster answers.
const (
	None                     Code = 0
	OffsetOutOfRange         Code = 1
	UnknownTopicOrPartition  Code = 3
	UnsupportedVersion       Code = 35
	OutOfOrderSequence       Code = 45
	InvalidProducerEpoch     Code = 47
	InvalidTxnState          Code = 48
	InvalidProducerIDMapping Code = 49
	InvalidTxnTimeout        Code = 50
	ConcurrentTransactions   Code = 51
	ProducerFenced           Code = 90
	UnknownTopicID           Code = 100
	TransactionAbortable     Code = 120
)

// String is the code's name in Kafka's documentation.
func (c Code) String() string {
	switch c {
	case None:
		return "NONE"
	case OffsetOutOfRange:
		return "OFFSET_OUT_OF_RANGE"
	case UnknownTopicOrPartition:
		return "UNKNOWN_TOPIC_OR_PARTITION"
	case UnsupportedVersion:
		return "UNSUPPORTED_VERSION"
	case OutOfOrderSequence:
		return "OUT_OF_ORDER_SEQUENCE_NUMBER"
	case InvalidProducerEpoch:
		return "INVALID_PRODUCER_EPOCH"
	case InvalidTxnState:
		return "INVALID_TXN_STATE"
	case InvalidProducerIDMapping:
		return "INVALID_PRODUCER_ID_MAPPING"
	case InvalidTxnTimeout:
		return "INVALID_TRANSACTION_TIMEOUT"
	case ConcurrentTransactions:
		return "CONCURRENT_TRANSACTIONS"
	case ProducerFenced:
		return "PRODUCER_FENCED"
	case UnknownTopicID:
		return "UNKNOWN_TOPIC_ID"
	case TransactionAbortable:
		return "TRANSACTION_ABORTABLE"
	}
	return "UNKNOWN"
}

// State is the state of a transactional id at its coordinator.
type State uint8

// The states. A prepared end is decided; it is complete when every partition has its marker.
const (
	Empty State = 1 + iota
	Ongoing
	PrepareCommit
	PrepareAbort
	CompleteCommit
	CompleteAbort
)

// String is the state's name in Kafka's documentation.
func (s State) String() string {
	switch s {
	case Empty:
		return "Empty"
	case Ongoing:
		return "Ongoing"
	case PrepareCommit:
		return "PrepareCommit"
	case PrepareAbort:
		return "PrepareAbort"
	case CompleteCommit:
		return "CompleteCommit"
	case CompleteAbort:
		return "CompleteAbort"
	}
	return "none"
}

func prepared(commit bool) State {
	if commit {
		return PrepareCommit
	}
	return PrepareAbort
}

// ended is what an EndTxn request with this answer has come to.
func ended(c Code) protocol.Outcome {
	switch c {
	case None:
		return protocol.OK
	case ConcurrentTransactions:
		return protocol.Retry
	case ProducerFenced, InvalidTxnState, InvalidProducerIDMapping, InvalidProducerEpoch:
		return protocol.Ask
	}
	return protocol.Unknown // an unsupported version closes the connection
}
