package protocol

import "weir/protocol/batch"

// Frame is what travels on a channel: Data, Barrier or End.
//
//sumtype:decl
type Frame interface{ frame() }

type (
	// Data carries records; it costs one credit.
	Data struct{ Batch *batch.Batch }
	// Barrier separates what belongs to a checkpoint from what comes after it. It costs no credit.
	Barrier struct{ Checkpoint CheckpointID }
	// End is the last frame of a channel, always behind the final barrier. It costs no credit.
	End struct{}
)

func (Data) frame()    {}
func (Barrier) frame() {}
func (End) frame()     {}
