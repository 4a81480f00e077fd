package engine

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
)

// Recorder writes every step of every machine as text: a line "node/task now event", a line per effect behind a tab, and a
// line with a dot. What a killed process leaves is whole up to the last dot.
type Recorder struct {
	mu    sync.Mutex
	w     *bufio.Writer
	left  int64 // bytes until the recording ends
	ended bool
}

// NewRecorder records to w until limit bytes are written. Its Observe is for Options.Observe.
func NewRecorder(w io.Writer, limit int64) *Recorder {
	return &Recorder{w: bufio.NewWriterSize(w, 64<<10), left: limit}
}

// Observe records a step.
func (r *Recorder) Observe(self protocol.Address, now protocol.Time, ev protocol.Event, effects []protocol.Effect) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d/%d %d %s\n", self.Node, self.Task, now, protocol.Format(ev))
	for _, ef := range effects {
		b.WriteByte('\t')
		b.WriteString(protocol.Format(ef))
		b.WriteByte('\n')
	}
	b.WriteString(".\n")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left -= int64(b.Len()); r.left < 0 {
		r.ended = true
	}
	if !r.ended {
		r.w.WriteString(b.String()) // an error shows at Flush
	}
}

// Flush writes out what is buffered.
func (r *Recorder) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.w.Flush()
}

// Replayed counts what a replay has done.
type Replayed struct{ Steps, Machines int }

// Replay feeds the recorded events of one life of a process to fresh machines of its plan. The error names the first
// step whose effects are not, byte for byte, the recorded ones.
func Replay(recording io.Reader, plan *job.Plan, newState func(state.Groups, int) state.Keyed) (done Replayed, err error) {
	p := &player{plan: plan, deps: job.Deps{Pool: scribbler{}, NewState: newState}, machines: map[protocol.Address]protocol.Machine{}, starts: map[protocol.TaskID]protocol.TaskStart{}}
	lines := bufio.NewReader(recording)
	var s recorded
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return p.done, nil // what follows the last dot is not a whole step
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == ".":
			if err := p.step(&s); err != nil {
				return p.done, fmt.Errorf("step %d of the recording, %s: %w", p.done.Steps+1, s.head, err)
			}
			s = recorded{}
		case strings.HasPrefix(line, "\t"):
			s.effects = append(s.effects, line[1:])
		default:
			s.head = line
		}
	}
}

// recorded is one step as text.
type recorded struct {
	head    string
	effects []string
}

// player holds the fresh machines of a replay.
type player struct {
	plan     *job.Plan
	deps     job.Deps
	machines map[protocol.Address]protocol.Machine
	starts   map[protocol.TaskID]protocol.TaskStart // of the newest Spawn
	done     Replayed
	out      protocol.Effects
}

// scribbler is a pool that spoils what it is given, so that a machine that kept an alias shows.
type scribbler struct{}

func (scribbler) Get() *batch.Batch  { return new(batch.Batch) }
func (scribbler) Put(b *batch.Batch) { b.Scribble() }

func (p *player) step(s *recorded) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the fresh machine panicked: %v", r)
		}
	}()
	var self protocol.Address
	var now protocol.Time
	place, rest, _ := strings.Cut(s.head, " ")
	clock, text, _ := strings.Cut(rest, " ")
	if _, err := fmt.Sscanf(place+" "+clock, "%d/%d %d", &self.Node, &self.Task, &now); err != nil {
		return fmt.Errorf("not a step: %w", err)
	}
	ev, err := protocol.Parse(text)
	if err != nil {
		return err
	}
	if _, begins := ev.(protocol.Started); begins {
		p.machines[self] = p.fresh(self)
		p.done.Machines++
	}
	m := p.machines[self]
	if m == nil {
		return fmt.Errorf("no machine has been started there")
	}
	p.out.Reset()
	m.Step(now, ev.(protocol.Event), &p.out)
	p.done.Steps++
	return p.compare(s)
}

// fresh makes the machine that begins at an address.
func (p *player) fresh(self protocol.Address) protocol.Machine {
	switch self.Task {
	case protocol.CoordinatorTask:
		return p.plan.NewCoordinator([]protocol.NodeID{Self})
	case protocol.WorkerTask:
		return p.plan.NewWorker()
	}
	return p.plan.NewTask(p.starts[self.Task], p.deps)
}

// compare holds the effects against the recorded ones, and remembers whom they spawn.
func (p *player) compare(s *recorded) error {
	var got []string
	for _, ef := range p.out.All() {
		got = append(got, protocol.Format(ef))
		if spawn, ok := ef.(protocol.Spawn); ok {
			p.starts[spawn.Start.Task] = spawn.Start
		}
	}
	if !slices.Equal(got, s.effects) {
		return fmt.Errorf("the fresh machine's effects are\n%q\nrecorded are\n%q", got, s.effects)
	}
	for _, ef := range p.out.All() {
		if r, ok := ef.(protocol.Release); ok {
			r.Batch.Scribble()
		}
	}
	return nil
}
