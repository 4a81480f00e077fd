package protocol

import "weir/protocol/batch"

// Effect is an instruction to the driver.
//
//sumtype:decl
type Effect interface{ effect() }

// Object is an immutable value whose encoding is pure and may run on any thread, once or several times.
type Object interface{ Encode(dst []byte) []byte }

// Self and clock.
type (
	// Resume asks for one Resumed, after other pending events had their chance.
	Resume struct{}
	// Wake asks for Woken{Timer}: not before At, maybe late. Setting a timer again replaces it; At zero clears it.
	Wake struct {
		Timer TimerID
		At    Time
	}
)

// Channels: first in first out, nothing lost or doubled within one attempt; a broken channel reports Lost to both ends.
type (
	// Send puts a frame on a channel; the batch of a Data frame is given away.
	Send struct {
		Channel ChannelID
		Frame   Frame
	}
	// Grant lets the sender of a channel send N more Data frames.
	Grant struct {
		Channel ChannelID
		N       int
	}
	// Release gives a received or fetched batch back: the machine holds no alias to it any more.
	Release struct{ Batch *batch.Batch }
)

// Tell sends a control message, which may be lost, doubled, delayed or reordered.
type Tell struct {
	To      Address
	Message Message
}

// The bucket. Every object is checked by length and hash when read back.
type (
	// Store writes an object if the present version is IfMatch (empty: if there is none). Answer: Stored.
	Store struct {
		Op      OpID
		Key     ObjectKey
		Object  Object
		IfMatch Version
	}
	// Load reads an object. Answer: Loaded.
	Load struct {
		Op  OpID
		Key ObjectKey
	}
	// Delete removes an object; removing what is not there is OK. Answer: Deleted.
	Delete struct {
		Op  OpID
		Key ObjectKey
	}
)

// The disk of the machine on which a process runs: copies of objects, by shelf, which may be missing, torn, old or another
// object's. They spare a restore the bucket and decide nothing.
type (
	// Keep puts a copy of an object on a shelf, over what is there under its key. There is no answer: a copy that cannot
	// be kept is one that is missing.
	Keep struct {
		Shelf  string
		Key    ObjectKey
		Object Object
	}
	// Recall reads a copy. Answer: Recalled.
	Recall struct {
		Op    OpID
		Shelf string
		Key   ObjectKey
	}
	// Retain takes every other copy off a shelf. There is no answer.
	Retain struct {
		Shelf string
		Keys  []ObjectKey
	}
)

// The log, read side: always read_committed, manual assignment.
type (
	// Survey asks for a topic's id and the range of each partition. Answer: Surveyed.
	Survey struct {
		Op    OpID
		Topic string
	}
	// Fetch reads committed records from an offset. The device may wait a little for records. Answer: Fetched.
	Fetch struct {
		Op        OpID
		Topic     string
		TopicID   TopicID
		Partition Partition
		From      Offset
		Max       int // records
	}
)

// The log, write side, at the level of requests.
type (
	// OpenSlot makes one fresh client for a transactional id, by InitProducerID, and warms it up. Answer: Opened.
	// No other effect but Fence ever causes an InitProducerID.
	OpenSlot struct {
		Op      OpID
		ID      TransactionalID
		Timeout Duration // transaction.timeout.ms of the transaction
		Topics  []string // what the slot will write to
	}
	// Produce appends a batch in the slot's transaction; per partition in order of Seq. Answer: Produced.
	Produce struct {
		ID        TransactionalID
		Seq       uint64
		Topic     string
		Partition Partition
		Batch     *batch.Batch
	}
	// Flush waits until every Produce of the slot is answered, then closes the slot's client. Answer: Flushed.
	// Past the deadline the client is killed and the outcome is Unknown.
	Flush struct {
		Op       OpID
		ID       TransactionalID
		Deadline Time
	}
	// EndTxn commits or aborts by a raw request of one version. Answer: Ended.
	// After Unknown, or the sender's death, it may be applied at any time, more than once.
	EndTxn struct {
		Op       OpID
		ID       TransactionalID
		Producer Producer
		Version  int16
		Commit   bool
	}
	// ReadLedger reads the record at exactly this offset, read_committed. Answer: LedgerRead.
	ReadLedger struct {
		Op        OpID
		Topic     string
		TopicID   TopicID
		Partition Partition
		Offset    Offset
	}
	// Fence takes a transactional id over by a raw InitProducerID, so that nothing of its earlier owners can commit. Answer: Fenced.
	Fence struct {
		Op OpID
		ID TransactionalID
	}
	// Erase appends a tombstone for a key, outside any transaction, so that compaction may remove what stands under it.
	// Answer: Erased. It may be appended again, or late: that changes nothing.
	Erase struct {
		Op        OpID
		Topic     string
		Partition Partition
		Key       []byte
	}
	// ListTxns lists the open transactions whose id has the prefix. Answer: TxnsListed.
	ListTxns struct {
		Op     OpID
		Prefix string
	}
)

// Processes and fate.
type (
	// Spawn builds a task's machine in this process, from the job's factory called anew, and steps it with Started.
	Spawn struct{ Start TaskStart }
	// Halt drops every task of this process, with its inbox, timers, slots and channels.
	Halt struct{}
	// Fail ends this task; the process's worker machine hears of it as Died.
	Fail struct{ Failure Failure }
	// Exit ends the process.
	Exit struct{ Verdict Verdict }
	// Note marks a decision that is not visible otherwise: a log line, a counter and a mark of coverage in one.
	Note struct {
		Kind       NoteKind
		Checkpoint CheckpointID
		Detail     string
	}
)

func (Resume) effect()     {}
func (Wake) effect()       {}
func (Send) effect()       {}
func (Grant) effect()      {}
func (Release) effect()    {}
func (Tell) effect()       {}
func (Store) effect()      {}
func (Load) effect()       {}
func (Delete) effect()     {}
func (Keep) effect()       {}
func (Recall) effect()     {}
func (Retain) effect()     {}
func (Survey) effect()     {}
func (Fetch) effect()      {}
func (OpenSlot) effect()   {}
func (Produce) effect()    {}
func (Flush) effect()      {}
func (EndTxn) effect()     {}
func (ReadLedger) effect() {}
func (Fence) effect()      {}
func (Erase) effect()      {}
func (ListTxns) effect()   {}
func (Spawn) effect()      {}
func (Halt) effect()       {}
func (Fail) effect()       {}
func (Exit) effect()       {}
func (Note) effect()       {}
