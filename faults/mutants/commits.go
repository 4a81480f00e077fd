package mutants

// Commits are mutants of the sink: transactions, their ids, the ledger.
func Commits() []Mutant {
	return []Mutant{
		manifestOwnTransactions(),
		commitTimeoutAborts(),
		slotIdsShared(),
		sealedBeforeReadBack(),
		failedProduceCommitted(),
		filledWhileFlushing(),
		ageNotRecomputed(),
		sealedJudgedAgain(),
		tombstoneBeforeSeal(),
	}
}

func manifestOwnTransactions() Mutant {
	return Mutant{
		Name:      "manifest-own-transactions",
		Breaks:    "an ack lists every transaction that is not durably sealed: here only its own checkpoint's, so that those of an aborted one are fenced by the next recovery",
		StandsFor: "a two-phase commit that forgets that notifications are cumulative (Flink's testSubsumedNotificationOfPreviousCheckpoint)",
		Edits: []Edit{{"protocol/txn/pool.go",
			`		if (s.state == slotPrepared || s.state == slotSealed) && s.c.Checkpoint <= id {`,
			`		if (s.state == slotPrepared || s.state == slotSealed) && s.c.Checkpoint == id {`,
		}},
	}
}

func commitTimeoutAborts() Mutant {
	return Mutant{
		Name:      "commit-timeout-aborts",
		Breaks:    "an EndTxn without an answer is repeated as it was: here it is taken for failed, and the transaction is aborted",
		StandsFor: "the documented answer to an unknown EndTransaction of franz-go and of Kafka's Java client: abort",
		Edits: []Edit{{"protocol/txn/sealing.go",
			`		out.Append(protocol.Note{Kind: protocol.NoteCommitUnknown, Checkpoint: it.c.Checkpoint})
`,
			`		out.Append(protocol.Note{Kind: protocol.NoteCommitUnknown, Checkpoint: it.c.Checkpoint})
		out.Append(protocol.EndTxn{ID: it.c.ID, Producer: it.c.Producer, Version: it.c.Version})
`,
		}},
	}
}

func slotIdsShared() Mutant {
	return Mutant{
		Name:      "slot-ids-shared",
		Breaks:    "every attempt has transactional ids of its own: here they share them, and the last InitProducerID, which may be a zombie's, wins",
		StandsFor: "KAFKA-17754 and every sink with a fixed transactional id per task",
		Unseen:    "what a zombie aborts by its InitProducerID is missed when it is read back; or the zombie's own transaction stays open and holds readers up for its timeout, who see nothing wrong",
		Edits: []Edit{{"protocol/txn/id.go",
			`n.Job, n.Sink, n.Index, n.Epoch, n.Attempt, n.Slot))`,
			`n.Job, n.Sink, n.Index, uint64(1)<<40, 0, n.Slot))`,
		}},
	}
}

func sealedBeforeReadBack() Mutant {
	return Mutant{
		Name:      "sealed-before-read-back",
		Breaks:    "a checkpoint is sealed when its ledger records have been read back: here when the commits are sent, so that a crash leaves transactions that no recovery commits",
		StandsFor: "Redpanda 21.10.1 (Jepsen), Flink's signalFailedWithKnownReason: a commit that is taken for done",
		Edits: []Edit{{"protocol/task/sink.go",
			`	if s.confirmed != 0 && s.sealing.Open(s.confirmed) == 0 {`,
			`	if s.confirmed != 0 {`,
		}},
	}
}

func failedProduceCommitted() Mutant {
	return Mutant{
		Name:      "failed-produce-committed",
		Breaks:    "a record that is not acknowledged ends the attempt: here its transaction is prepared and committed without it",
		StandsFor: "kgo commits whatever of a transaction has succeeded unless the caller counts the failures",
		Edits: []Edit{
			{"protocol/txn/pool.go",
				`	if ev.Outcome != protocol.OK {
		p.refused(s, ev)
		return
	}
`,
				``,
			},
			{"protocol/txn/pool.go",
				`	if ev.Outcome != protocol.OK || s.unacked > 0 {`,
				`	if s.unacked > 0 {`,
			},
		},
	}
}

func filledWhileFlushing() Mutant {
	return Mutant{
		Name:      "filled-while-flushing",
		Breaks:    "no record goes into the next transaction while the last one is being flushed: here one can be appended before an older one of its key",
		StandsFor: "our own bug until the checker found it in the hash chain",
		Edits: []Edit{{"protocol/txn/pool.go",
			` || p.find(slotOpen) != nil && !p.Flushing()`,
			` || p.find(slotOpen) != nil`,
		}},
	}
}

func ageNotRecomputed() Mutant {
	return Mutant{
		Name:   "age-not-recomputed",
		Breaks: "an ack's ages are of the moment it is sent: a repeated one has those of the first time, and a transaction that is too old is decided",
		Unseen: "the sink gives up a transaction at half its timeout by a clock of its own, so that what is decided too old is only ever a risk",
		Edits: []Edit{{"protocol/task/sink.go",
			`	aged.Snapshot.Committables = s.pool.Age(now, ack.Snapshot.Committables)
`,
			`	if len(aged.Snapshot.Committables) > 0 && aged.Snapshot.Committables[len(aged.Snapshot.Committables)-1].Age == 0 {
		copy(aged.Snapshot.Committables, s.pool.Age(now, ack.Snapshot.Committables))
	}
`,
		}},
	}
}

func sealedJudgedAgain() Mutant {
	return Mutant{
		Name:   "sealed-judged-again",
		Breaks: "transactions of sealed checkpoints are neither committed nor judged again: their ledger records may be compacted away, and a healthy job stops for a loss",
		Edits: []Edit{{"protocol/checkpoint/resolve.go",
			`		if c.Checkpoint > h.Sealed && len(f.Judged) == 0 {`,
			`		if len(f.Judged) == 0 {`,
		}},
	}
}

func tombstoneBeforeSeal() Mutant {
	return Mutant{
		Name:   "tombstone-before-seal",
		Breaks: "a ledger record gets its tombstone when HEAD says that its checkpoint is sealed: here when it was read back, so that a recovery in between misses it and a healthy job stops for a loss",
		Edits: []Edit{
			{"protocol/checkpoint/seal.go",
				`	c.sealing, c.sealed, c.restarts = nil, s.id, 0
`,
				`	c.sealing, c.sealed, c.restarts = nil, s.id, 0
	c.erase(now, out)
`},
			{"protocol/checkpoint/seal.go",
				`		if x.Checkpoint > c.head.head.Sealed {
			open = append(open, x)`,
				`		if x.Checkpoint > c.sealed {
			open = append(open, x)`},
		},
	}
}
