package simtest

import (
	"slices"

	"weir/checker"
	"weir/scenarios"
)

// A Model says what the records of an input topic must lead to in an output topic. Its functions are pure, and written
// from what the job is for, not from its code.
type Model struct {
	split func(in Record) []Record
	spec  func(topic string) checker.Spec
}

// Each is the model of a job in which each input has exactly one output, such as a filter, a map, or a count that says
// what it counted: the output in which observe finds the id that id gave the input. An output with an id that no input
// has is a failure. Ids should be unique; inputs that share one owe one output each. The order is not judged.
func Each(id, observe func(Record) string) Model {
	return Model{spec: func(topic string) checker.Spec {
		return checker.Spec{
			Expect: func(in *checker.Input, out []checker.Effect) []checker.Effect {
				return append(out, checker.Effect{Topic: topic, ID: []byte(id(Record{in.Topic, in.Key, in.Value}))})
			},
			Observe: func(_ string, r *checker.Record) ([]byte, bool) {
				return []byte(observe(Record{topic, r.Key, r.Value})), true
			},
		}
	}}
}

// Fold is the model of an aggregate that has one output per input: key is the key of an input, and so of its output;
// apply folds an input into the state of its key, nil at first, and returns the next state and the value of the output.
// It must leave state as it was. The outputs of a key must be those of some order of its inputs that keeps the order of
// each input partition; to find it is a search unless [Model.AnyOrder] or [Model.Alike] says what the order does not matter to.
func Fold(key func(in Record) string, apply func(state []byte, in Record) (next, value []byte)) Model {
	return Model{spec: func(topic string) checker.Spec {
		return checker.Spec{Folds: []checker.Fold{{
			Topic: topic,
			Key:   func(in *checker.Input) ([]byte, bool) { return []byte(key(Record{in.Topic, in.Key, in.Value})), true },
			Apply: func(state []byte, in *checker.Input) ([]byte, []byte) {
				return apply(state, Record{in.Topic, in.Key, in.Value})
			},
		}}}
	}}
}

// Split is m for a job that makes of each input several records, as FlatMap does, or none, as Filter does: m's functions
// get what split returns instead of the input. Its topic is the input's.
func (m Model) Split(split func(in Record) []Record) Model {
	m.split = split
	return m
}

// AnyOrder is m for a fold that comes to the same once it has had the same inputs, as a sum or a maximum does.
func (m Model) AnyOrder() Model { return m.ordered(checker.OrderFree) }

// Alike is m for a fold to which every input of a key does the same, as in a count.
func (m Model) Alike() Model { return m.ordered(checker.Alike) }

func (m Model) ordered(order checker.Order) Model {
	spec := m.spec
	m.spec = func(topic string) checker.Spec {
		s := spec(topic)
		for i := range s.Folds {
			s.Folds[i].Order = order
		}
		return s
	}
	return m
}

// parts is what m's functions get of an input.
func (m Model) parts(in Record) []Record {
	if m.split == nil {
		return []Record{in}
	}
	return m.split(in)
}

// partOf makes room between the offsets of inputs for the parts of each.
const partOf = 1 << 20

// reading is what was seen of one output topic, with every part of an input as an input of its own.
func (m Model) reading(topic string, h *checker.History) scenarios.Reading {
	own := checker.History{Complete: h.Complete}
	for _, in := range h.Inputs {
		at := in.Offset * partOf
		for i, p := range m.parts(Record{in.Topic, in.Key, in.Value}) {
			in.Offset, in.Key, in.Value = at+int64(i), p.Key, p.Value
			own.Inputs = append(own.Inputs, in)
		}
	}
	for _, f := range h.Fetches {
		if f.Topic == topic {
			own.Fetches = append(own.Fetches, f)
		}
	}
	return scenarios.Reading{History: own, Spec: m.spec(topic)}
}

// judge judges one output topic.
func (m Model) judge(topic string, h *checker.History) checker.Verdict {
	r := m.reading(topic, h)
	v := checker.Check(&r.History, r.Spec)
	for _, f := range v.Failures {
		for i := range f.Inputs {
			f.Inputs[i].Offset /= partOf
		}
	}
	return v
}

// add adds the verdict of one more output.
func add(all *checker.Verdict, v checker.Verdict) {
	if all.Result == checker.Pass || v.Result == checker.Fail {
		all.Result = v.Result
	}
	all.Failures = append(all.Failures, v.Failures...)
	all.Unjudged = append(all.Unjudged, v.Unjudged...)
	for _, t := range v.Tally {
		i := slices.IndexFunc(all.Tally, func(x checker.Tally) bool { return x.Kind == t.Kind })
		if i < 0 {
			i, all.Tally = len(all.Tally), append(all.Tally, checker.Tally{Kind: t.Kind})
		}
		all.Tally[i].N += t.N
	}
	all.Scope.Records += v.Scope.Records
	all.Scope.Effects += v.Scope.Effects
	all.Scope.Values += v.Scope.Values
}
