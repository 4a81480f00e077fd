package task

import (
	"weir/protocol"
	"weir/protocol/state/lineage"
	staterun "weir/protocol/state/run"
)

// merge is a consolidation under way: consecutive durable runs become one, in the background.
//
// The lineage changes only when the result is durable; every snapshot taken before lists the inputs, every later one
// the result. The coordinator deletes an input when no retained manifest lists it any more.
type merge struct {
	// Invariant: inputs are consecutive in the lineage and durable.
	inputs  []*run
	oldest  bool // the inputs begin the lineage: tombstones have nothing left to hide
	bodies  [][]byte
	missing int
	result  *run // nil until all inputs are loaded
}

// maybeMerge begins a consolidation if the lineage asks for one and none is under way.
func (s *snapshots) maybeMerge(now protocol.Time, out *protocol.Effects) {
	if s.merge != nil {
		return
	}
	var sizes []int64
	for _, r := range s.lineage {
		if !r.durable {
			break
		}
		sizes = append(sizes, r.Size)
	}
	from, to, ok := lineage.Defaults().Plan(sizes, 0)
	if !ok {
		return
	}
	m := &merge{inputs: append([]*run(nil), s.lineage[from:to]...), oldest: from == 0, bodies: make([][]byte, to-from), missing: to - from}
	s.merge = m
	for i := range m.inputs {
		s.read(now, stepGather, i, out)
	}
}

// onGathered stores the merged run once every input is here. The merge itself runs where the object is encoded.
func (s *snapshots) onGathered(now protocol.Time, op snapshotOp, ev protocol.Loaded, out *protocol.Effects) snapshotAnswer {
	m := s.merge
	if ev.Outcome == protocol.Unknown {
		s.ops.Add("back-off of load", now.Add(s.cfg.RetryDelay), snapshotOp{step: stepGatherBackoff, at: op.at})
		return snapshotAnswer{}
	}
	if broken := intact(m.inputs[op.at].Run, ev); broken != "" {
		return snapshotAnswer{broken: broken}
	}
	return s.gathered(now, op.at, ev.Body, out)
}

// gathered takes an input; the last one lets the merge begin.
func (s *snapshots) gathered(now protocol.Time, at int, body []byte, out *protocol.Effects) snapshotAnswer {
	m := s.merge
	m.bodies[at] = body
	if m.missing--; m.missing > 0 {
		return snapshotAnswer{}
	}
	object, err := staterun.Merge(m.bodies, m.oldest)
	if err != nil {
		return snapshotAnswer{broken: "consolidation of " + string(m.inputs[0].Key) + " and later: " + err.Error()}
	}
	m.bodies, m.result = nil, &run{Run: protocol.Run{Key: s.name()}, object: object, weight: m.weight()}
	s.store(now, m.result, out)
	return snapshotAnswer{}
}

// weight is at most the size of the result.
func (m *merge) weight() (n int64) {
	for _, r := range m.inputs {
		n += r.Size
	}
	return n
}

// consolidated puts the durable result in the place of its inputs.
func (s *snapshots) consolidated(out *protocol.Effects) {
	m := s.merge
	s.merge, s.copies.merged = nil, true
	for at, r := range s.lineage {
		if r == m.inputs[0] {
			rest := append([]*run{m.result}, s.lineage[at+len(m.inputs):]...)
			s.lineage = append(s.lineage[:at:at], rest...)
			break
		}
	}
	out.Append(protocol.Note{Kind: protocol.NoteConsolidated})
}
