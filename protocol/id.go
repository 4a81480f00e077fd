package protocol

import (
	"encoding/hex"
	"fmt"
)

type (
	// Time is nanoseconds since an origin of the driver's choice; strictly increasing per machine. Clocks of machines are never compared.
	Time int64
	// Duration is nanoseconds.
	Duration int64

	// NodeID is the address of a process; it survives the process.
	NodeID uint32
	// Incarnation is one life of a process: random, never zero.
	Incarnation uint64
	// TaskID names a parallel instance in the plan, from 1; see also CoordinatorTask and WorkerTask.
	TaskID uint32
	// ChannelID names an ordered pair of tasks of the plan.
	ChannelID uint32

	// Epoch counts take-overs of the coordinator's office; made durable in HEAD before it is used.
	Epoch uint64
	// Attempt counts lives of the region; made durable in HEAD before anything is fenced, restored or opened.
	Attempt uint64
	// CheckpointID strictly increases and is never reused; gaps are normal. Zero is no checkpoint.
	CheckpointID uint64

	// OpID pairs an effect with its outcome, per machine.
	OpID uint64
	// TimerID names a timer of one machine.
	TimerID uint32

	// Partition is a Kafka partition number.
	Partition int32
	// Offset is a Kafka offset: the position of the record to read next.
	Offset int64
	// TopicID is Kafka's id of a topic, which a recreated topic of the same name does not inherit.
	TopicID [16]byte

	// ObjectKey is a key in the bucket.
	ObjectKey string
	// Version is the bucket's token of one version of an object (an ETag); empty means: no object.
	Version string
	// Sum is a SHA-256.
	Sum [32]byte

	// TransactionalID is a Kafka transactional id, job/sink/task/epoch.attempt/slot.
	TransactionalID string
)

const (
	// CoordinatorTask is the coordinator's address within its process.
	CoordinatorTask TaskID = 0
	// WorkerTask is the address of the machine that starts and watches the tasks of a process.
	WorkerTask TaskID = 1<<32 - 1
)

// Durations, so that protocol needs no clock package.
const (
	Microsecond Duration = 1000
	Millisecond          = 1000 * Microsecond
	Second               = 1000 * Millisecond
	Minute               = 60 * Second
)

// Add is t shifted by d.
func (t Time) Add(d Duration) Time { return t + Time(d) }

// Sub is the duration from u to t.
func (t Time) Sub(u Time) Duration { return Duration(t - u) }

// String is the id as hex digits.
func (t TopicID) String() string { return hex.EncodeToString(t[:]) }

// String is the first half of the sum as hex digits, enough to tell sums apart.
func (s Sum) String() string { return hex.EncodeToString(s[:8]) }

// Address is where a machine is reached by control messages.
type Address struct {
	Node NodeID
	Task TaskID
}

// Producer is a Kafka producer's identity within a transactional id; one pair is used for one transaction only.
type Producer struct {
	ID    int64
	Epoch int16
}

// Scope says to which life of the job a message belongs. A message whose scope is not the receiver's is not acted on.
type Scope struct {
	Job         string
	Epoch       Epoch
	Attempt     Attempt
	Incarnation Incarnation // of the worker process the tasks live in
}

// SameAttempt reports whether s and t are of the same life of the same job, whatever the process.
func (s Scope) SameAttempt(t Scope) bool {
	return s.Job == t.Job && s.Epoch == t.Epoch && s.Attempt == t.Attempt
}

// Older reports whether s belongs to an earlier life than t.
func (s Scope) Older(t Scope) bool {
	return s.Epoch < t.Epoch || s.Epoch == t.Epoch && s.Attempt < t.Attempt
}

// String is epoch.attempt, as it stands in object keys and transactional ids.
func (s Scope) String() string { return fmt.Sprintf("%d.%d", s.Epoch, s.Attempt) }
