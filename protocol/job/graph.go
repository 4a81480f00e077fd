package job

import (
	"errors"
	"fmt"
	"strings"

	"weir/protocol/task"
)

// StageKind says what the tasks of a stage do.
type StageKind uint8

// The kinds of stage.
const (
	SourceStage   StageKind = 1 + iota // reads a topic, runs code on the records
	OperatorStage                      // runs code on what arrives, with keyed state if Keyed
	SinkStage                          // writes a topic in transactions; has no code
)

// EdgeKind says how records choose the task at the other end of an edge.
type EdgeKind uint8

// The kinds of edge.
const (
	Forward EdgeKind = 1 + iota // task i to task i; between different parallelisms it is a Shuffle
	Shuffle                     // by key group
)

// Graph is a job with its operators fused: a stage is what lies between two shuffles.
type Graph struct {
	Name   string
	Stages []Stage // every edge leads from a lower to a higher index
	Edges  []Edge
}

// Stage is a group of parallel tasks that do the same.
type Stage struct {
	ID          string // stable: names state, transactional ids and ledger
	Kind        StageKind
	Topic       string
	Parallelism int  // zero: the configuration's
	Bounded     bool // source: ends at the stable offset found at the first start
	Keyed       bool // operator: has keyed state
	Code        func() task.Code
}

// Edge joins two stages by their indexes.
type Edge struct {
	From, To int
	Kind     EdgeKind
}

// Validate says in words what is wrong with g, or returns nil.
func (g *Graph) Validate() error {
	if g.Name == "" || strings.ContainsAny(g.Name, "/ \t\n") {
		return fmt.Errorf("job %q: the name must not be empty and has no slash or space, because it begins keys and transactional ids", g.Name)
	}
	for i := range g.Stages {
		if err := g.validateStage(i); err != nil {
			return fmt.Errorf("job %q: %w", g.Name, err)
		}
	}
	for _, e := range g.Edges {
		if e.From < 0 || e.From >= e.To || e.To >= len(g.Stages) {
			return fmt.Errorf("job %q: edge %d → %d: a cycle, or no such stage", g.Name, e.From, e.To)
		}
	}
	if len(g.Stages) == 0 {
		return fmt.Errorf("job %q: it has no source and no sink", g.Name)
	}
	return nil
}

func (g *Graph) validateStage(i int) error {
	s := &g.Stages[i]
	for j := range i {
		if g.Stages[j].ID == s.ID {
			return fmt.Errorf("stage id %q is used twice: ids name state and must be unique", s.ID)
		}
	}
	in, out := g.degree(i)
	switch {
	case s.ID == "" || strings.ContainsAny(s.ID, "/ \t\n"):
		return fmt.Errorf("stage id %q: it must not be empty and has no slash or space", s.ID)
	case s.Kind == SourceStage && (in > 0 || out == 0 || s.Topic == "" || s.Code == nil):
		return fmt.Errorf("source %q needs a topic, code, no input and at least one output", s.ID)
	case s.Kind == OperatorStage && (in == 0 || out == 0 || s.Code == nil):
		return fmt.Errorf("operator %q needs code, an input and an output: nothing it computes reaches a sink", s.ID)
	case s.Kind == SinkStage && (in == 0 || out > 0 || s.Topic == ""):
		return fmt.Errorf("sink %q needs a topic, an input and no output", s.ID)
	case s.Kind == 0 || s.Kind > SinkStage:
		return errors.New("a stage has no kind")
	}
	return nil
}

func (g *Graph) degree(stage int) (in, out int) {
	for _, e := range g.Edges {
		if e.To == stage {
			in++
		}
		if e.From == stage {
			out++
		}
	}
	return in, out
}
