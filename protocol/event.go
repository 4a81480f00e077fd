package protocol

import "weir/protocol/batch"

// Event is the outcome of an effect, or what arrives.
//
//sumtype:decl
type Event interface{ event() }

type (
	// Started is a machine's first event.
	Started struct {
		Self        Address
		Incarnation Incarnation
	}
	// Resumed answers Resume.
	Resumed struct{}
	// Woken says that a timer's time has come.
	Woken struct{ Timer TimerID }

	// Received brings a frame; the machine owns its batch until Release.
	Received struct {
		Channel ChannelID
		Frame   Frame
	}
	// Granted brings credit for a channel this machine sends on.
	Granted struct {
		Channel ChannelID
		N       int
	}
	// Lost says that a channel is broken for good in this attempt.
	Lost struct{ Channel ChannelID }
	// Told brings a control message.
	Told struct {
		From    Address
		Message Message
	}
)

type (
	// Stored answers Store: OK, Conflict, Denied, or Unknown (everything else, also a lost reply).
	// Size and Sum are of the bytes this Store encoded, whatever the outcome; zero if it did not get so far.
	Stored struct {
		Op      OpID
		Outcome Outcome
		Version Version
		Size    int64
		Sum     Sum
	}
	// Loaded answers Load: OK, NotFound, Denied, Corrupt, or Unknown.
	Loaded struct {
		Op      OpID
		Outcome Outcome
		Version Version
		Body    []byte
	}
	// Deleted answers Delete: OK, Denied or Unknown.
	Deleted struct {
		Op      OpID
		Outcome Outcome
	}
)

// Recalled answers Recall: OK, NotFound or Unknown. Nothing vouches for Body but what the reader knows of it.
type Recalled struct {
	Op      OpID
	Outcome Outcome
	Body    []byte
}

type (
	// Surveyed answers Survey: OK, NotFound, Denied or Unknown. Ranges is indexed by partition.
	Surveyed struct {
		Op      OpID
		Outcome Outcome
		TopicID TopicID
		Ranges  []Range
	}
	// Fetched answers Fetch: OK, OutOfRange, NotFound (the topic, or its id, is gone), Denied or Unknown.
	// Next is the offset to read next; it passes control records and aborted ones, so Batch may be empty (or nil) while Next moved.
	Fetched struct {
		Op      OpID
		Outcome Outcome
		Batch   *batch.Batch
		Next    Offset
	}
	// Opened answers OpenSlot: OK, Denied, or Unknown (it may have fenced, may fence later: the id is abandoned).
	// OK: every earlier transaction of the id has ended and its markers are written.
	Opened struct {
		Op       OpID
		ID       TransactionalID
		Outcome  Outcome
		Producer Producer
		Version  int16 // of EndTxn, the highest that every broker advertises
	}
	// Produced answers Produce. OK: appended once, in this transaction, under exactly the slot's pair; Offset is the
	// first record's. Anything else: the slot is dead; requests on the wire may still land, later, under that pair only.
	Produced struct {
		ID        TransactionalID
		Seq       uint64
		Outcome   Outcome
		Partition Partition
		Offset    Offset
	}
	// Flushed answers Flush, after every Produced of the slot. OK iff all of them were OK.
	Flushed struct {
		Op      OpID
		ID      TransactionalID
		Outcome Outcome
	}
	// Ended answers EndTxn: OK (decided, not yet visible), Retry, Ask, Denied or Unknown.
	Ended struct {
		Op      OpID
		ID      TransactionalID
		Outcome Outcome
	}
	// LedgerRead answers ReadLedger: OK with the record's value, NotFound (something of a higher offset came, or the
	// stable offset passed, and it did not), Corrupt (the topic is another one), or Unknown (not yet to be told).
	LedgerRead struct {
		Op      OpID
		Outcome Outcome
		Value   []byte
	}
	// Fenced answers Fence: OK, Retry, Denied or Unknown.
	Fenced struct {
		Op      OpID
		ID      TransactionalID
		Outcome Outcome
	}
	// Erased answers Erase: OK, NotFound, Denied or Unknown.
	Erased struct {
		Op      OpID
		Outcome Outcome
	}
	// TxnsListed answers ListTxns: OK, Denied or Unknown.
	TxnsListed struct {
		Op      OpID
		Outcome Outcome
		Open    []TransactionalID
	}
)

type (
	// Died tells a worker machine that one of its tasks has failed.
	Died struct {
		Scope   Scope
		Task    TaskID
		Failure Failure
	}
	// StopAsked tells a coordinator that the operator wants the job to stop, with a last checkpoint.
	StopAsked struct{}
)

// Range is what a partition holds: offsets from Start up to, not including, End (the last stable offset).
type Range struct{ Start, End Offset }

func (Started) event()    {}
func (Resumed) event()    {}
func (Woken) event()      {}
func (Received) event()   {}
func (Granted) event()    {}
func (Lost) event()       {}
func (Told) event()       {}
func (Stored) event()     {}
func (Loaded) event()     {}
func (Deleted) event()    {}
func (Recalled) event()   {}
func (Surveyed) event()   {}
func (Fetched) event()    {}
func (Opened) event()     {}
func (Produced) event()   {}
func (Flushed) event()    {}
func (Ended) event()      {}
func (LedgerRead) event() {}
func (Fenced) event()     {}
func (Erased) event()     {}
func (TxnsListed) event() {}
func (Died) event()       {}
func (StopAsked) event()  {}
