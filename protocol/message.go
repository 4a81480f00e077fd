package protocol

// Message is what machines tell each other. Any message may be lost, doubled, late or out of order.
//
//sumtype:decl
type Message interface{ message() }

// Between coordinator and worker processes.
type (
	// Ping asks a worker whether it lives; the answer is Pong.
	Ping struct{ Scope Scope }
	// Pong says which incarnation answers, and which attempt it runs (zero: none).
	Pong struct {
		Scope   Scope // of the Ping, with the worker's incarnation
		Running Scope
	}
	// Start orders a worker to drop what it runs and to spawn these tasks. Scope.Incarnation must be the worker's.
	Start struct {
		Scope Scope
		Tasks []TaskStart
	}
	// Stop orders a worker to drop what it runs of this attempt or an older one.
	Stop struct{ Scope Scope }
	// TaskFailed reports a Fail; the worker repeats it with every Pong until another attempt begins.
	TaskFailed struct {
		Scope   Scope
		Task    TaskID
		Failure Failure
	}
)

// Between coordinator and tasks.
type (
	// Ready says that a task is restored and works. Repeated until the first trigger.
	Ready struct{ Scope Scope }
	// Drained says that a bounded source has read its input to the end. Repeated until the final trigger.
	Drained struct{ Scope Scope }
	// Trigger orders a source to inject barrier n. Other tasks answer it from memory if they have acked n.
	Trigger struct {
		Scope      Scope
		Checkpoint CheckpointID
		Final      bool // End follows the barrier
	}
	// Ack hands a task's part of checkpoint n to the coordinator. It is repeated unchanged, but for ages.
	Ack struct {
		Scope      Scope
		Checkpoint CheckpointID
		Snapshot   Snapshot
	}
	// Decline says that a task cannot take part in checkpoint n.
	Decline struct {
		Scope      Scope
		Checkpoint CheckpointID
		Reason     string
	}
	// Abort says that checkpoint n will not be decided. It never aborts a transaction. The answer is Aborted.
	Abort struct {
		Scope      Scope
		Checkpoint CheckpointID
	}
	// Aborted answers Abort.
	Aborted struct {
		Scope      Scope
		Checkpoint CheckpointID
	}
	// Confirm says that checkpoint n is decided: commit everything up to n. The answer is Sealed.
	Confirm struct {
		Scope      Scope
		Checkpoint CheckpointID
	}
	// Sealed says that this sink task's transactions up to n were read back from the ledger.
	Sealed struct {
		Scope      Scope
		Checkpoint CheckpointID
	}
	// Settled says that the seal of n is durable: slots of n are free, what waited for n is done with.
	// Sent along with triggers and on a timer; it needs no answer, because every Ack shows what a task still holds.
	Settled struct {
		Scope      Scope
		Checkpoint CheckpointID
	}
)

func (Ping) message()       {}
func (Pong) message()       {}
func (Start) message()      {}
func (Stop) message()       {}
func (TaskFailed) message() {}
func (Ready) message()      {}
func (Drained) message()    {}
func (Trigger) message()    {}
func (Ack) message()        {}
func (Decline) message()    {}
func (Abort) message()      {}
func (Aborted) message()    {}
func (Confirm) message()    {}
func (Sealed) message()     {}
func (Settled) message()    {}

// TaskStart is what one task needs to begin: who it is, whom it answers, where its peers live, what it restores.
type TaskStart struct {
	Scope       Scope
	Task        TaskID
	Coordinator Address
	Nodes       []NodeID // by TaskID; index 0 is the coordinator's
	Restored    CheckpointID
	Snapshot    Snapshot // zero for a fresh start
}

// Snapshot is one task's part of a checkpoint.
type Snapshot struct {
	Task         TaskID
	Positions    []Position    // of a source
	Runs         []Run         // of keyed state: the whole lineage, oldest first
	Committables []Committable // of a sink: every transaction flushed and not known to be durably sealed
}

// Position is where a source stands in one partition.
type Position struct {
	Topic     string
	TopicID   TopicID
	Partition Partition
	Next      Offset // to read next
	End       Offset // where bounded input ends; negative: unbounded
}

// Run names an immutable object that holds a sorted delta of keyed state.
type Run struct {
	Key  ObjectKey
	Size int64
	Sum  Sum
}

// LedgerRef is where a transaction's ledger record stands.
type LedgerRef struct {
	Topic     string
	TopicID   TopicID
	Partition Partition
	Offset    Offset
}

// Committable is what anybody needs to end a flushed transaction and to learn whether it is in the log.
type Committable struct {
	ID         TransactionalID
	Producer   Producer
	Version    int16 // of EndTxn; every try uses this one
	Checkpoint CheckpointID
	Scope      Scope // of the sink task that wrote it
	Sink       string
	Task       TaskID
	Partitions []Partition
	Count      uint64 // records
	Digest     uint64 // of the records
	Ledger     LedgerRef
	Age        Duration // since the first record was handed over; recomputed at every send
	Timeout    Duration
}

// LedgerRecord is the proof, inside a transaction, that it was committed.
type LedgerRecord struct {
	Job        string
	Sink       string
	Task       TaskID
	Checkpoint CheckpointID
	Epoch      Epoch
	Attempt    Attempt
	Count      uint64
	Digest     uint64
}

// FailureKind says what follows from a failure.
type FailureKind uint8

// The kinds of failure.
const (
	FailService FailureKind = 1 + iota // a service was away or a peer lost: does not count against the restart limit
	FailUser                           // an operator returned an error or panicked: counts
	FailState                          // state or input that should be there is not, or is another one: counts
	FailTimeout                        // something took too long: does not count
)

// String is the kind's name.
func (k FailureKind) String() string {
	switch k {
	case FailService:
		return "service"
	case FailUser:
		return "user"
	case FailState:
		return "state"
	case FailTimeout:
		return "timeout"
	}
	return "none"
}

// Failure says why a task gave up.
type Failure struct {
	Kind      FailureKind
	Operator  string // stable id, where a user's function failed
	Partition Partition
	Offset    Offset // of the input record it failed on; negative: none
	Text      string
}

// VerdictKind says how a process ends.
type VerdictKind uint8

// The kinds of end. The process's exit code is 0 for Finished and Stopped, 2 for Refused, else 1.
const (
	Finished  VerdictKind = 1 + iota // bounded input read to its end, sealed
	Stopped                          // as asked, after a last checkpoint
	Deposed                          // another coordinator has the office
	LostWork                         // a decided transaction is not in the log
	Exhausted                        // restart limit reached
	Refused                          // the job must not start on what it found
)

// String is the kind's name.
func (k VerdictKind) String() string {
	switch k {
	case Finished:
		return "finished"
	case Stopped:
		return "stopped"
	case Deposed:
		return "deposed"
	case LostWork:
		return "lost"
	case Exhausted:
		return "exhausted"
	case Refused:
		return "refused"
	}
	return "none"
}

// Verdict is how a process ends and why.
type Verdict struct {
	Kind VerdictKind
	Text string // what happened, and what the operator can do
}
