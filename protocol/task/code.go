package task

import (
	"fmt"

	"weir/protocol/batch"
	"weir/protocol/state"
)

// Code is the user's operators of one stage, fused. It belongs to one task and keeps nothing that a crash must not
// drop: the job's factory makes it anew for every spawn.
type Code interface {
	// Process runs the records of in through the operators, in order. st is nil for a stage without keyed state.
	// An error, or a panic, fails the task; a *CodeError names operator and record.
	Process(in *batch.Batch, st state.Keyed, out Emitter) error
}

// Emitter takes what code emits. Edge counts the stage's outgoing edges in the graph's order; key and value are copied;
// r.Hash routes the record through a shuffle and chooses the output partition at a sink, r.Partition and r.Offset are
// those of the input record.
type Emitter interface {
	Emit(edge int, key, value []byte, r batch.Record)
}

// CodeError says which operator failed on which record of the batch.
type CodeError struct {
	Operator string
	Record   int // index in the batch
	Err      error
}

// Error is the operator and the cause; the task adds where the record stands.
func (e *CodeError) Error() string { return fmt.Sprintf("operator %q: %v", e.Operator, e.Err) }

// Unwrap is the cause.
func (e *CodeError) Unwrap() error { return e.Err }
