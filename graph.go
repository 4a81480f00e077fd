package weir

import (
	"errors"
	"fmt"
	"slices"

	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/task"
)

// Graph is the job's plan, with its operators fused into the code of stages. Each stage's Code calls the factory anew,
// once per task. The error holds all mistakes in how the job is put together.
func Graph(factory func() *Job) (*job.Graph, error) {
	if factory == nil {
		return nil, errors.New("the job's factory is nil")
	}
	first, second := factory(), factory()
	if first == nil || second == nil {
		return nil, errors.New("the job's factory returned nil")
	}
	if first == second {
		return nil, fmt.Errorf("job %q: its factory returned the same job twice: it must make a new one at each call, so that nothing outlives a crash", first.name)
	}
	g, err := first.Build()
	if err != nil {
		return nil, err
	}
	again, err := second.Build()
	if err == nil && !alike(g, again) {
		err = fmt.Errorf("job %q: its factory made two different jobs when called twice: it may depend on nothing but the binary", first.name)
	}
	for i := range g.Stages {
		if s := &g.Stages[i]; s.Code != nil {
			s.Code = func() task.Code { return anew(factory, g, i) }
		}
	}
	return g, err
}

// anew is the code of stage i of a new job.
func anew(factory func() *Job, plan *job.Graph, i int) task.Code {
	g, err := factory().Build()
	if err == nil && !alike(plan, g) {
		err = fmt.Errorf("job %q: its factory made another job than before: it may depend on nothing but the binary", plan.Name)
	}
	if err != nil {
		return broken{err}
	}
	return g.Stages[i].Code()
}

// broken is the code of a job that its factory could not make again; a Code has no other way to say so.
type broken struct{ err error }

// Process implements task.Code.
func (b broken) Process(*batch.Batch, state.Keyed, task.Emitter) error { return b.err }

// alike reports whether two plans are the same but for their code.
func alike(a, b *job.Graph) bool {
	return a.Name == b.Name && slices.Equal(a.Edges, b.Edges) && slices.EqualFunc(a.Stages, b.Stages, func(s, t job.Stage) bool {
		s.Code, t.Code = nil, nil
		return s.ID == t.ID && s.Kind == t.Kind && s.Topic == t.Topic && s.Bounded == t.Bounded && s.Keyed == t.Keyed
	})
}

// Build is the plan of this very job: to look at it. Its tasks would share what the job's closures captured; what is
// run comes from Graph.
func (j *Job) Build() (*job.Graph, error) {
	if err := j.check(); err != nil {
		return nil, err
	}
	g := &job.Graph{Name: j.name}
	for _, n := range j.nodes {
		if s, ok := n.begins(); ok {
			n.stage = len(g.Stages)
			g.Stages = append(g.Stages, s)
		}
	}
	for _, n := range j.nodes {
		if n.root != nil {
			n.addEdges(g)
		}
	}
	return g, g.Validate()
}

// begins is the stage that begins at n, if one does.
func (n *node) begins() (s job.Stage, ok bool) {
	s = job.Stage{ID: n.id, Topic: n.topic, Bounded: n.bounded, Keyed: n.keyed, Kind: n.kind()}
	return s, s.Kind != 0
}

func (n *node) kind() job.StageKind {
	switch {
	case n.keyed:
		return job.OperatorStage
	case n.root != nil:
		return job.SourceStage
	case n.verb == "To":
		return job.SinkStage
	}
	return 0
}

// addEdges gives the stage that begins at n its edges and its code.
func (n *node) addEdges(g *job.Graph) {
	var targets []int
	n.reach(func(to *node) {
		if slices.Contains(targets, to.stage) {
			return
		}
		targets = append(targets, to.stage)
		e := job.Edge{From: n.stage, To: to.stage, Kind: job.Forward}
		if to.keyed {
			e.Kind = job.Shuffle
		}
		g.Edges = append(g.Edges, e)
	})
	g.Stages[n.stage].Code = func() task.Code { return newChain(n, targets) }
}

// reach calls found for the nodes where the next stages begin.
func (n *node) reach(found func(*node)) {
	for _, u := range n.users {
		if u.stage >= 0 {
			found(u)
		} else {
			u.reach(found)
		}
	}
}

// check returns all mistakes that can be seen in a finished job.
func (j *Job) check() error {
	errs := slices.Clone(j.found)
	sinks := 0
	for _, n := range j.nodes {
		switch {
		case n.verb == "To":
			sinks++
		case len(n.users) > 0:
		case n.verb == "KeyBy":
			errs = append(errs, fmt.Errorf("%s: nothing uses the keyed stream: pass it to Aggregate or Process, or remove it", n))
		default:
			errs = append(errs, fmt.Errorf("%s: nothing uses its stream: end it in a sink with To, or remove it", n))
		}
	}
	if sinks == 0 {
		errs = append(errs, errors.New("it has no sink: end a stream with To"))
	}
	for i, err := range errs {
		errs[i] = fmt.Errorf("job %q: %w", j.name, err)
	}
	return errors.Join(errs...)
}
