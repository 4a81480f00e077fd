package task

import (
	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/state"
)

// Config is what makes one task of a plan; both worlds build it in package job.
type Config struct {
	protocol.Config
	Start  protocol.TaskStart
	Stage  string // stable id of the stage
	Index  int    // of this task among its stage's
	Width  int    // the stage's parallelism
	Topic  string // read by a source, written by a sink
	Ledger string // topic of a sink's ledger
	// Bounded sources end at the stable offset found at the first start.
	Bounded bool
	Inputs  []protocol.ChannelID
	Edges   []Edge
	Code    Code        // nil for a sink
	State   state.Keyed // nil where the stage has none
	Pool    batch.Pool
}

// Edge is one outgoing edge of a task: a channel per task at its other end.
type Edge struct {
	Shuffle  bool // by key group; else the one channel
	Channels []protocol.ChannelID
}

// Timers of a task.
const (
	timerDeadline protocol.TimerID = 1 + iota // of what is pending
	timerLinger                               // of output buffers
	timerRepeat                               // of Ready and Drained
)
