package task_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/task"
)

// pool is a stack of batches.
type pool struct{ free []*batch.Batch }

func (p *pool) Get() *batch.Batch {
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return new(batch.Batch)
}

func (p *pool) Put(b *batch.Batch) { b.Reset(); p.free = append(p.free, b) }

// forward emits every record as it is.
type forward struct{}

func (forward) Process(in *batch.Batch, _ state.Keyed, out task.Emitter) error {
	for i := range in.Len() {
		out.Emit(0, in.Key(i), in.Value(i), in.Record(i))
	}
	return nil
}

// swallow counts.
type swallow struct{ n *int }

func (s swallow) Process(in *batch.Batch, _ state.Keyed, _ task.Emitter) error {
	*s.n += in.Len()
	return nil
}

// seam is a shuffle from width sources to width operators, with the least of a driver between them.
type seam struct {
	plan     *job.Plan
	machines []protocol.Machine
	queue    []routed
	out      protocol.Effects
	now      protocol.Time
	pool     pool
	frames   int
	fetches  []routed
	records  int
}

type routed struct {
	to protocol.TaskID
	ev protocol.Event
}

func newSeam(b *testing.B, width int) *seam {
	s := new(seam)
	g := &job.Graph{Name: "seam", Stages: []job.Stage{
		{ID: "read", Kind: job.SourceStage, Topic: "in", Code: func() task.Code { return forward{} }},
		{ID: "count", Kind: job.OperatorStage, Code: func() task.Code { return swallow{&s.records} }},
		{ID: "write", Kind: job.SinkStage, Topic: "out"},
	}, Edges: []job.Edge{{From: 0, To: 1, Kind: job.Shuffle}, {From: 1, To: 2, Kind: job.Forward}}}
	cfg := protocol.Defaults()
	cfg.Parallelism, cfg.BatchRecords = width, seamFrame
	plan, err := job.NewPlan(g, cfg)
	if err != nil {
		b.Fatal(err)
	}
	s.plan = plan
	s.machines = make([]protocol.Machine, 2*width+1)
	for t := 1; t <= 2*width; t++ {
		s.machines[t] = plan.NewTask(protocol.TaskStart{Task: protocol.TaskID(t)}, job.Deps{Pool: &s.pool})
	}
	for t := 2 * width; t >= 1; t-- {
		s.step(routed{protocol.TaskID(t), protocol.Started{}})
	}
	return s
}

func (s *seam) step(r routed) {
	s.now += 1000
	s.out.Reset()
	s.machines[r.to].Step(s.now, r.ev, &s.out)
	for _, ef := range s.out.All() {
		s.perform(r.to, ef)
	}
}

func (s *seam) perform(from protocol.TaskID, ef protocol.Effect) {
	switch ef := ef.(type) {
	case protocol.Send:
		s.frames++
		s.queue = append(s.queue, routed{s.plan.Channel(ef.Channel).To, protocol.Received{Channel: ef.Channel, Frame: ef.Frame}})
	case protocol.Grant:
		s.queue = append(s.queue, routed{s.plan.Channel(ef.Channel).From, protocol.Granted{Channel: ef.Channel, N: ef.N}})
	case protocol.Release:
		s.pool.Put(ef.Batch)
	case protocol.Resume:
		s.queue = append(s.queue, routed{from, protocol.Resumed{}})
	case protocol.Survey:
		ranges := make([]protocol.Range, len(s.machines)/2)
		s.queue = append(s.queue, routed{from, protocol.Surveyed{Op: ef.Op, Outcome: protocol.OK, Ranges: ranges}})
	case protocol.Fetch:
		s.fetches = append(s.fetches, routed{from, protocol.Fetched{Op: ef.Op, Outcome: protocol.OK, Next: ef.From + 512}})
	}
}

// run goes on until there is nothing left to do but to answer fetches.
func (s *seam) run() {
	for i := 0; i < len(s.queue); i++ {
		s.step(s.queue[i])
	}
	s.queue = s.queue[:0]
}

// seamFrame is the records of a frame: few, so that the frame is what is measured.
const seamFrame = 16

// BenchmarkSeam is what a frame costs through a shuffle: both machines' steps, without operator work, I/O or threads.
// Sources are fed 512 records at a time; a lingering buffer is not waited for.
func BenchmarkSeam(b *testing.B) {
	for _, width := range []int{1, 8, 50} {
		b.Run(fmt.Sprint(width), func(b *testing.B) {
			s := newSeam(b, width)
			s.run()
			b.ReportAllocs()
			b.ResetTimer()
			s.frames, s.records = 0, 0
			fed := 0
			for s.frames < b.N {
				fetches := s.fetches
				s.fetches = nil
				for _, f := range fetches {
					ev := f.ev.(protocol.Fetched)
					ev.Batch = s.input(&fed)
					s.step(routed{f.to, ev})
				}
				s.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(s.frames), "ns/frame")
			b.ReportMetric(float64(s.records)/float64(max(s.frames, 1)), "records/frame")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(s.records, 1)), "ns/record")
		})
	}
}

// input is a batch of 512 records over 10,000 keys.
func (s *seam) input(fed *int) *batch.Batch {
	b := s.pool.Get()
	var key [8]byte
	for range 512 {
		binary.BigEndian.PutUint64(key[:], uint64(*fed%10_000))
		*fed++
		b.Append(key[:], key[:], batch.Record{Hash: state.Hash(key[:])})
	}
	return b
}
