package checkpoint

import (
	"strings"
	"testing"

	"weir/protocol"
	"weir/protocol/txn"
)

func TestResolve(t *testing.T) {
	stages := []StageShape{{ID: "source", Parallelism: 1}, {ID: "sink", Parallelism: 1, Sink: true}}
	committable := func(id protocol.CheckpointID) protocol.Committable {
		return protocol.Committable{ID: "words/sink/0/1.1/0", Checkpoint: id, Sink: "sink", Count: 7, Ledger: protocol.LedgerRef{Topic: "l", Offset: 3}}
	}
	manifest := func(change func(*Manifest)) *Manifest {
		m := &Manifest{Job: "words", Checkpoint: 42, KeyGroups: 8, Stages: stages,
			Snapshots: []protocol.Snapshot{{Task: 2, Committables: []protocol.Committable{committable(41), committable(42)}}}}
		if change != nil {
			change(m)
		}
		return m
	}
	head := func(sealed protocol.CheckpointID) *Head { return &Head{Job: "words", Sealed: sealed} }
	judged := func(v txn.Verdict) []txn.Judged {
		return []txn.Judged{{Committable: committable(41), Verdict: txn.Present}, {Committable: committable(42), Verdict: v}}
	}
	for _, c := range []struct {
		name   string
		facts  Facts
		plan   Plan
		commit []protocol.CheckpointID
		reason string
	}{
		{"an empty bucket", Facts{}, StartFresh, nil, ""},
		{"nothing decided", Facts{Head: head(0)}, StartFresh, nil, ""},
		{"another job", Facts{Head: &Head{Job: "other"}}, StopForeign, nil, `job "other"`},
		{"another job, finished", Facts{Head: &Head{Job: "other", Finished: true}}, StopForeign, nil, `job "other"`},
		{"finished", Facts{Head: &Head{Job: "words", Finished: true}}, StopFinished, nil, "earlier run"},
		{"finished, whatever else", Facts{Head: &Head{Job: "words", Finished: true}, Newest: manifest(nil)}, StopFinished, nil, ""},
		{"manifest of another job", Facts{Head: head(0), Newest: manifest(func(m *Manifest) { m.Job = "other" })}, StopForeign, nil, `of job "other"`},
		{"other key groups", Facts{Head: head(0), Newest: manifest(func(m *Manifest) { m.KeyGroups = 16 })}, StopForeign, nil, "16 key groups"},
		{"other stages", Facts{Head: head(0), Newest: manifest(func(m *Manifest) { m.Stages = stages[:1] })}, StopForeign, nil, "stages"},
		{"other parallelism", Facts{Head: head(0), Newest: manifest(func(m *Manifest) { m.Stages = []StageShape{stages[0], {ID: "sink", Parallelism: 2, Sink: true}} })}, StopForeign, nil, "parallelism"},
		{"nothing sealed", Facts{Head: head(0), Newest: manifest(nil)}, CommitThenRestore, []protocol.CheckpointID{41, 42}, ""},
		{"the first is sealed", Facts{Head: head(41), Newest: manifest(nil)}, CommitThenRestore, []protocol.CheckpointID{42}, ""},
		{"both are sealed", Facts{Head: head(42), Newest: manifest(nil)}, Restore, nil, ""},
		{"no transactions", Facts{Head: head(0), Newest: manifest(func(m *Manifest) { m.Snapshots = nil })}, Restore, nil, ""},
		{"judged present", Facts{Head: head(0), Newest: manifest(nil), Judged: judged(txn.Present)}, Restore, nil, ""},
		{"judged lost", Facts{Head: head(0), Newest: manifest(nil), Judged: judged(txn.Absent)}, StopLost, nil, "7 records of sink \"sink\" are LOST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.facts.Job, c.facts.Stages, c.facts.KeyGroups = "words", stages, 8
			d := Resolve(c.facts)
			if d.Plan != c.plan || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("plan %d, reason %q; want %d, %q", d.Plan, d.Reason, c.plan, c.reason)
			}
			if len(d.Commit) != len(c.commit) {
				t.Fatalf("commits %v, want %v", d.Commit, c.commit)
			}
			for i, x := range d.Commit {
				if x.Checkpoint != c.commit[i] {
					t.Errorf("commits %v, want %v", d.Commit, c.commit)
				}
			}
		})
	}
}
