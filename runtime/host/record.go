package host

import (
	"fmt"
	"io"
	"os"

	"weir"
	"weir/protocol/job"
	"weir/runtime/engine"
)

// recordLimit is how many bytes -record writes; then the recording ends and the job goes on.
const recordLimit = 256 << 20

// record makes the recorder that -record asks for, or nil.
func (p *process) record(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("-record: %w", err)
	}
	p.file, p.recorder = f, engine.NewRecorder(f, recordLimit)
	return nil
}

// endRecording writes out what is buffered. A job that is killed leaves a recording that ends a little earlier.
func (p *process) endRecording() {
	if p.recorder == nil {
		return
	}
	if err := p.recorder.Flush(); err != nil {
		p.logger.Error("the recording is not whole", "file", p.file.Name(), "cause", err)
	}
	p.file.Close()
}

// Replay feeds a recording of a job's process to fresh machines. args are the flags that the process had.
func Replay(factory func() *weir.Job, args []string, recording io.Reader) (engine.Replayed, error) {
	cfg, err := Parse("replay", args, io.Discard)
	if err != nil {
		return engine.Replayed{}, err
	}
	graph, err := weir.Graph(factory)
	if err != nil {
		return engine.Replayed{}, err
	}
	plan, err := job.NewPlan(graph, cfg.Job)
	if err != nil {
		return engine.Replayed{}, err
	}
	return engine.Replay(recording, plan, newState)
}
