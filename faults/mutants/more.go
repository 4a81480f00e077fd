package mutants

// More are mutants of every part of the protocol, each of which stands for a bug that others have had.
func More() []Mutant {
	return []Mutant{
		positionsNotRestored(),
		offsetAtFetch(),
		ackBeforeFlush(),
		fenceNotAwaited(),
		triggerAgain(),
		foreignScopeObeyed(),
		lastRecordMissed(),
		answersCountedTwice(),
		headUnknownTakenForWon(),
		newestDeltaNotRestored(),
		tombstoneNotRestored(),
		deleteNotInDelta(),
		creditNotGranted(),
		idsReused(),
		commitRetriedAsAbort(),
		copyNotVerified(),
	}
}

func positionsNotRestored() Mutant {
	return Mutant{
		Name:      "positions-not-restored",
		Breaks:    "a restored source reads on where its snapshot says: here it begins at the log's start again",
		StandsFor: "a consumer whose group has no committed offset and auto.offset.reset=earliest",
		Edits: []Edit{
			{"protocol/task/source.go",
				`		return p, ""
`,
				`		return fresh, ""
`},
		},
	}
}

func offsetAtFetch() Mutant {
	return Mutant{
		Name:      "offset-at-fetch",
		Breaks:    "a position passes records when they were processed: here when they were fetched, so that a barrier in between loses them",
		StandsFor: "auto-commit of Kafka's consumer, which commits what poll has returned",
		Edits: []Edit{
			{"protocol/task/source.go",
				`		sp.fetching, sp.full, sp.fetched = false, true, ev
`,
				`		sp.fetching, sp.full, sp.fetched = false, true, ev
		sp.fetched.Next, sp.position.Next = max(ev.Next, sp.position.Next), ev.Next
`},
		},
	}
}

func ackBeforeFlush() Mutant {
	return Mutant{
		Name:      "ack-before-flush",
		Breaks:    "an ack waits until its transactions are flushed: here it does not, and lists only those that are",
		StandsFor: "a pre-commit that does not wait for the producer's flush",
		Edits: []Edit{
			{"protocol/txn/pool.go",
				`		if s.state == slotFlushing && s.c.Checkpoint <= id {
			return false`,
				`		if s.state == slotFlushing && s.c.Checkpoint < id {
			return false`},
		},
	}
}

func fenceNotAwaited() Mutant {
	return Mutant{
		Name:      "fence-not-awaited",
		Breaks:    "tasks start when every fence was answered: here when they were sent",
		StandsFor: "a recovery that does not wait for InitProducerId",
		Unseen:    "the ids are fenced all the same, only later, and what counts is what the ledger says",
		Edits: []Edit{
			{"protocol/txn/recovery.go",
				`	if r.phase == recoveryFence && r.fences.Len() == 0 {`,
				`	if r.phase == recoveryFence {`},
		},
	}
}

func triggerAgain() Mutant {
	return Mutant{
		Name:      "trigger-again",
		Breaks:    "a trigger that was seen before is answered from memory: here it sends its barrier again, at other offsets",
		StandsFor: "a trigger that a retry repeats",
		Edits: []Edit{
			{"protocol/task/source.go",
				`	if m.Checkpoint <= s.acks.seen {
		s.again(m.Checkpoint, out)
		return
	}
`,
				`	if m.Checkpoint < s.acks.seen {
		s.again(m.Checkpoint, out)
		return
	}
`},
		},
	}
}

func foreignScopeObeyed() Mutant {
	return Mutant{
		Name:      "foreign-scope-obeyed",
		Breaks:    "tasks obey their own attempt only: here any",
		StandsFor: "tasks that outlive their execution attempt",
		Unseen:    "an assertion of the machines stops the process before anything wrong is written",
		Edits: []Edit{
			{"protocol/task/base.go",
				`	if s.SameAttempt(b.scope()) {`,
				`	if s.Job == b.scope().Job {`},
		},
	}
}

func lastRecordMissed() Mutant {
	return Mutant{
		Name:      "last-record-missed",
		Breaks:    "bounded input ends at the offset asked at the start: here one record before it",
		StandsFor: "an end offset that is taken for the last record's",
		Edits: []Edit{
			{"protocol/task/source.go",
				`sp.position.Next >= sp.position.End }`,
				`sp.position.Next >= sp.position.End-1 }`},
		},
	}
}

func answersCountedTwice() Mutant {
	return Mutant{
		Name:      "answers-counted-twice",
		Breaks:    "a task owes one answer: here each repetition counts, and a checkpoint is taken for sealed when one sink has said so twice",
		StandsFor: "acknowledgements that are counted and not kept apart",
		Edits: []Edit{
			{"protocol/checkpoint/owes.go",
				`	if int(t) >= len(o.open) || !o.open[t] {`,
				`	if int(t) >= len(o.open) || o.left == 0 {`},
		},
	}
}

func headUnknownTakenForWon() Mutant {
	return Mutant{
		Name:      "head-unknown-taken-for-won",
		Breaks:    "a write of HEAD without an answer is read back: here it is taken for done",
		StandsFor: "a client that takes silence for success",
		Edits: []Edit{
			{"protocol/checkpoint/writer.go",
				`	if ev.Outcome == protocol.OK {
		return w.win(ev.Version)`,
				`	if ev.Outcome == protocol.OK || ev.Outcome == protocol.Unknown {
		return w.win(ev.Version)`},
		},
	}
}

func newestDeltaNotRestored() Mutant {
	return Mutant{
		Name:      "newest-delta-not-restored",
		Breaks:    "a restore applies every run of the lineage: here all but the newest",
		StandsFor: "a restore from the last full snapshot, without its increments",
		Edits: []Edit{
			{"protocol/task/snapshot.go",
				`	for i, body := range s.bodies {
		if err := s.cfg.State.Restore(body)`,
				`	for i, body := range s.bodies[:max(1, len(s.bodies)-1)] {
		if err := s.cfg.State.Restore(body)`},
		},
	}
}

func tombstoneNotRestored() Mutant {
	return Mutant{
		Name:      "tombstone-not-restored",
		Breaks:    "a tombstone deletes its key when it is restored: here it is passed over, and what was deleted comes back",
		StandsFor: "incremental restores that resurrect what was deleted",
		Edits: []Edit{
			{"protocol/state/memory/table.go",
				`	case r.Tombstone && found:
		e := &t.entries[t.index.id(slot)]
		t.unset(e)
		t.bury(t.index.id(slot))
	case r.Tombstone:`,
				`	case r.Tombstone:
		_ = t.bury`},
		},
	}
}

func deleteNotInDelta() Mutant {
	return Mutant{
		Name:      "delete-not-in-delta",
		Breaks:    "a delete leaves a tombstone in the delta: here only in the table, so that a restore brings the key back",
		StandsFor: "an increment that forgets deletes",
		Edits: []Edit{
			{"protocol/state/memory/table.go",
				`	t.delta.drop(e.pos)
`,
				``},
		},
	}
}

func creditNotGranted() Mutant {
	return Mutant{
		Name:      "credit-not-granted",
		Breaks:    "a frame that was processed gives its credit back: here a sink keeps it",
		StandsFor: "a leak of credit, after which a channel stands still",
		Edits: []Edit{
			{"protocol/task/sink.go",
				`		out.Append(s.in.inputs[in].one)
`,
				`		if in > 0 {
			out.Append(s.in.inputs[in].one)
		}
`},
		},
	}
}

func idsReused() Mutant {
	return Mutant{
		Name:      "ids-reused",
		Breaks:    "checkpoint ids are never used twice: a recovery goes on behind those that HEAD has reserved, here behind the newest it retains",
		StandsFor: "FLINK-13593: ids that a failure gives out again",
		Edits: []Edit{
			{"protocol/checkpoint/claim.go",
				`	c.nextID = h.Next - c.reserve()
`,
				`	c.nextID = h.Sealed + 1
`},
		},
	}
}

func commitRetriedAsAbort() Mutant {
	return Mutant{
		Name:      "commit-retried-as-abort",
		Breaks:    "an EndTxn is repeated as it was: here the repetition aborts",
		StandsFor: "KAFKA-9274: a time-out of commitTransaction that is answered by abortTransaction",
		Edits: []Edit{
			{"protocol/txn/sealing.go",
				`Version: it.c.Version, Commit: true})
		return
	}
	l := it.c.Ledger`,
				`Version: it.c.Version, Commit: !it.tried})
		it.tried = true
		return
	}
	l := it.c.Ledger`},
			{"protocol/txn/sealing.go",
				`	ended bool
}`,
				`	ended bool
	tried bool
}`},
		},
	}
}

func copyNotVerified() Mutant {
	return Mutant{
		Name:      "copy-not-verified",
		Breaks:    "a copy on a local disk is believed where it has the length and the hash of the run: here whatever is there is restored",
		StandsFor: "RocksDB and file systems that return what a crash has left; local recovery without checksums",
		Edits: []Edit{
			{"protocol/task/copies.go",
				`	case !written(s.subject(op.then, op.at).Run, ev.Body):
`,
				`	case len(ev.Body) == 0:
`},
		},
	}
}
