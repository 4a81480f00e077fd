package mutants

// Harmless are changes of the protocol that no run can tell from it, with the proof in words: a hunt for them is in vain,
// and that they live is no hole in it. A change of the code that makes a proof wrong must move its mutant to the others.
func Harmless() []Mutant {
	return []Mutant{
		ledgerNotCompared(),
		endTakenForBarrier(),
		staleBarrierCollected(),
		abortNotRemembered(),
	}
}

func ledgerNotCompared() Mutant {
	return Mutant{
		Name:   "ledger-not-compared",
		Breaks: "the ledger record at a transaction's offset is compared with what must stand there: here any will do",
		Unseen: "the offset is the one that the broker acked for this very record in this very transaction, of a topic that is found by its id, and a log gives an offset once: what stands there is this record, or nothing, if it was aborted or compacted, and nothing is Absent without a comparison. Only a log that loses what it has acked, by an unclean election, can have another record there; the guarantee excludes that, and the comparison is what makes it loud",
		Edits: []Edit{{"protocol/txn/sealing.go",
			`; err != nil || rec != Proof(it.c) {`,
			`; err != nil || rec.Job != it.c.Scope.Job {`,
		}},
	}
}

func endTakenForBarrier() Mutant {
	return Mutant{
		Name:   "end-taken-for-barrier",
		Breaks: "an input that has ended counts as having brought a barrier, others must bring it: here one end opens the gate for all",
		Unseen: "a source sends End when the final checkpoint is decided, and that is the last one of the attempt: a barrier is never awaited on an input that has ended, so that the count of the ended ones is never compared but with all of them",
		Edits: []Edit{{"protocol/align/gate.go",
			`	if g.brought.count()+g.ended.count() < g.inputs {`,
			`	if g.brought.count()+2*g.ended.count() < g.inputs {`,
		}},
	}
}

func staleBarrierCollected() Mutant {
	return Mutant{
		Name:   "stale-barrier-collected",
		Breaks: "a barrier of a checkpoint that was aborted is dropped: here it is collected, and holds its input back",
		Unseen: "one input alone is aligned at once, and the ack of an aborted checkpoint is ignored; of several, the one held back is let go by the next barrier on another, which supersedes. There always is a next one: a job ends with a checkpoint. What is lost is time",
		Edits: []Edit{{"protocol/align/gate.go",
			`	if id <= g.seen || id < g.current {`,
			`	if id < g.current {`,
		}},
	}
}

func abortNotRemembered() Mutant {
	return Mutant{
		Name:   "abort-not-remembered",
		Breaks: "a trigger that comes behind its abort is ignored: here it is obeyed",
		Unseen: "a source that obeys the trigger of an aborted checkpoint sends a barrier that its receivers drop as stale, or give up for the next one; its ack is of no pending checkpoint; and a trigger that is older than the last one obeyed is ignored anyway, so that barriers stay in order",
		Edits: []Edit{{"protocol/task/source.go",
			`	s.acks.seen = max(s.acks.seen, m.Checkpoint)
	s.acks.forget(m.Checkpoint)
`,
			`	s.acks.forget(m.Checkpoint)
`,
		}},
	}
}
