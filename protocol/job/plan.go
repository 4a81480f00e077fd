package job

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/checkpoint"
	"weir/protocol/state"
	"weir/protocol/task"
	"weir/protocol/txn"
)

// Plan is a graph spread over tasks and channels. Equal graphs and configurations give equal plans.
type Plan struct {
	Graph  *Graph
	Config protocol.Config
	// Invariant: Tasks[i] has id i+1; tasks of a stage are neighbours, in order of index.
	Tasks []Task
	// Invariant: Channels[i] has id i+1.
	Channels []Channel
}

// Task is one parallel instance of a stage.
type Task struct {
	ID    protocol.TaskID
	Stage int
	Index int
}

// Channel joins two tasks.
type Channel struct {
	ID       protocol.ChannelID
	Edge     int
	From, To protocol.TaskID
}

// Deps is what a world gives its tasks.
type Deps struct {
	Pool batch.Pool
	// NewState makes an empty table for the key groups that a task owns.
	NewState func(owned state.Groups, total int) state.Keyed
}

// NewPlan spreads g.
func NewPlan(g *Graph, cfg protocol.Config) (*Plan, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("job %q: %w", g.Name, err)
	}
	p := &Plan{Graph: g, Config: cfg}
	for s := range g.Stages {
		if w := p.width(s); w > cfg.KeyGroups {
			return nil, fmt.Errorf("job %q: stage %q has parallelism %d, above the %d key groups", g.Name, g.Stages[s].ID, w, cfg.KeyGroups)
		}
		for i := range p.width(s) {
			p.Tasks = append(p.Tasks, Task{ID: protocol.TaskID(len(p.Tasks) + 1), Stage: s, Index: i})
		}
	}
	for e := range g.Edges {
		p.join(e)
	}
	return p, nil
}

// width is the parallelism of a stage.
func (p *Plan) width(stage int) int {
	if n := p.Graph.Stages[stage].Parallelism; n > 0 {
		return n
	}
	return p.Config.Parallelism
}

// shuffles reports whether every task at one end of an edge is joined to every task at the other.
func (p *Plan) shuffles(edge int) bool {
	e := p.Graph.Edges[edge]
	return e.Kind == Shuffle || p.width(e.From) != p.width(e.To)
}

func (p *Plan) join(edge int) {
	e := p.Graph.Edges[edge]
	for _, from := range p.of(e.From) {
		for _, to := range p.of(e.To) {
			if p.shuffles(edge) || from.Index == to.Index {
				p.Channels = append(p.Channels, Channel{ID: protocol.ChannelID(len(p.Channels) + 1), Edge: edge, From: from.ID, To: to.ID})
			}
		}
	}
}

// of lists the tasks of a stage.
func (p *Plan) of(stage int) []Task {
	var list []Task
	for _, t := range p.Tasks {
		if t.Stage == stage {
			list = append(list, t)
		}
	}
	return list
}

// Channel is the channel of an id.
func (p *Plan) Channel(id protocol.ChannelID) Channel { return p.Channels[id-1] }

// NewTask makes the machine of a spawned task.
func (p *Plan) NewTask(start protocol.TaskStart, deps Deps) protocol.Machine {
	t := p.Tasks[start.Task-1]
	s := &p.Graph.Stages[t.Stage]
	cfg := task.Config{Config: p.Config, Start: start, Stage: s.ID, Index: t.Index, Width: p.width(t.Stage), Topic: s.Topic, Bounded: s.Bounded, Pool: deps.Pool}
	p.wire(&cfg, t)
	if s.Code != nil {
		cfg.Code = s.Code()
	}
	switch s.Kind {
	case SourceStage:
		return task.NewSource(cfg)
	case SinkStage:
		cfg.Ledger = txn.LedgerTopic(p.Graph.Name, s.ID)
		return task.NewSink(cfg)
	case OperatorStage:
		if s.Keyed {
			cfg.State = deps.NewState(state.Owned(t.Index, p.Config.KeyGroups, cfg.Width), p.Config.KeyGroups)
		}
	}
	return task.NewOperator(cfg)
}

// wire gives a task its channels.
func (p *Plan) wire(cfg *task.Config, t Task) {
	for e := range p.Graph.Edges {
		if p.Graph.Edges[e].From != t.Stage {
			continue
		}
		edge := task.Edge{Shuffle: p.shuffles(e)}
		for _, c := range p.Channels {
			if c.Edge == e && c.From == t.ID {
				edge.Channels = append(edge.Channels, c.ID)
			}
		}
		cfg.Edges = append(cfg.Edges, edge)
	}
	for _, c := range p.Channels {
		if c.To == t.ID {
			cfg.Inputs = append(cfg.Inputs, c.ID)
		}
	}
}

// NewWorker makes the worker machine of a process.
func (p *Plan) NewWorker() protocol.Machine { return task.NewWorker(p.Graph.Name) }

// NewCoordinator makes a coordinator machine over the processes that may run tasks.
func (p *Plan) NewCoordinator(workers []protocol.NodeID) protocol.Machine {
	opt := checkpoint.Options{Config: p.Config, Job: p.Graph.Name, KeyGroups: p.Config.KeyGroups, Workers: workers}
	for i, s := range p.Graph.Stages {
		opt.Stages = append(opt.Stages, checkpoint.StageShape{ID: s.ID, Parallelism: p.width(i), Sink: s.Kind == SinkStage})
	}
	for _, t := range p.Tasks {
		s := p.Graph.Stages[t.Stage]
		opt.Tasks = append(opt.Tasks, checkpoint.TaskInfo{Task: t.ID, Source: s.Kind == SourceStage, Bounded: s.Bounded, Sink: s.Kind == SinkStage})
	}
	return checkpoint.NewCoordinator(opt)
}

// Topics lists what the job reads, and what it writes with the partitions its ledgers need.
func (p *Plan) Topics() (reads, writes []string, ledgers []Ledger) {
	for i, s := range p.Graph.Stages {
		switch s.Kind {
		case SourceStage:
			reads = append(reads, s.Topic)
		case SinkStage:
			writes = append(writes, s.Topic)
			ledgers = append(ledgers, Ledger{txn.LedgerTopic(p.Graph.Name, s.ID), p.width(i)})
		case OperatorStage:
		}
	}
	return reads, writes, ledgers
}

// Ledger is a sink's ledger topic: compacted, without time retention.
type Ledger struct {
	Topic      string
	Partitions int
}
