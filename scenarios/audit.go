package scenarios

import (
	"weir"
	"weir/checker"
	"weir/faults"
	"weir/sim"
)

// Audit runs a seed twice and compares the runs step by step; the result fails as nondeterministic at the first event
// that differs.
func (s *Scenario) Audit(seed uint64, opt Options) sim.Result {
	return sim.Audit(func() sim.Config { return s.config(seed, opt) })
}

// StageOf is the id of the stage that a task of a seed's first job belongs to, or "".
func (s *Scenario) StageOf(seed uint64, task int) string {
	p := s.plan(s.Factory, s.draw(faults.NewChoice(seed)).cfg)
	if task < 1 || task > len(p.Tasks) {
		return ""
	}
	return p.Graph.Stages[p.Tasks[task-1].Stage].ID
}

// Canary is a scenario whose job is not deterministic: it shows that an audit can fail. It is in no list.
func Canary() *Scenario {
	s := linear()
	s.Name, s.About, s.Spec = "canary", "a job that emits in the order of a map", checker.Spec{}
	s.Factory = func() *weir.Job {
		j := weir.New("linear")
		ids := weir.From(j, "in", weir.Topic("linear-in", weir.String{}))
		parts := weir.FlatMap(ids, "scatter", func(id string, emit func(string)) {
			//tidy:allow maprange this is the planted bug
			for part := range map[string]bool{"a": true, "b": true, "c": true, "d": true} {
				emit(id + part)
			}
		})
		text := func(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
		weir.To(parts, "out", weir.SinkTopic("linear-out", text, text))
		return j
	}
	return s
}
