package mutants

// First is the eight that no version of this repository may let live.
func First() []Mutant {
	return []Mutant{
		inputNotAligned(),
		oldAckAccepted(),
		commitBeforeDecision(),
		commitNotRetried(),
		fenceBeforeCommit(),
		offsetOfLastRecord(),
		abortedDeltaLost(),
		abortEndsTransaction(),
	}
}

func inputNotAligned() Mutant {
	return Mutant{
		Name:      "input-not-aligned",
		Breaks:    "an input that has brought the barrier is held back until all others have: input 0 is not, so the snapshot holds records from behind the barrier, which are read again after a restore",
		StandsFor: "the at-least-once mode of every engine, taken for exactly-once",
		Edits: []Edit{{"protocol/align/gate.go",
			`func (g *Gate) Blocked(in int) bool { return g.brought.has(in) }`,
			`func (g *Gate) Blocked(in int) bool { return in != 0 && g.brought.has(in) }`,
		}},
	}
}

func oldAckAccepted() Mutant {
	return Mutant{
		Name:      "old-ack-accepted",
		Breaks:    "messages of an ended attempt are not acted on, and checkpoint ids are never used twice: here acks are kept by checkpoint id alone, and one of the old attempt counts for the new one",
		StandsFor: "FLINK-13593, hazelcast-jet #2503, risingwave #20988",
		Edits: []Edit{
			{"protocol/checkpoint/workers.go",
				`	if !scopeOf(ev.Message).SameAttempt(c.scope()) || c.phase`,
				`	if a, ok := ev.Message.(protocol.Ack); ok && a.Scope.Older(c.scope()) {
		c.early = append(c.early, a)
	}
	if !scopeOf(ev.Message).SameAttempt(c.scope()) || c.phase`,
			},
			{"protocol/checkpoint/collect.go",
				`	c.pending = p
`,
				`	c.pending = p
	for _, a := range c.early {
		c.onAck(now, a.Snapshot.Task, a, out)
	}
`,
			},
			{"protocol/checkpoint/coordinator.go",
				`	nodes   []protocol.NodeID // by TaskID; index 0 is ours
`,
				`	nodes   []protocol.NodeID // by TaskID; index 0 is ours
	early   []protocol.Ack
`,
			},
			{"protocol/checkpoint/claim.go",
				`	c.nextID = h.Next - c.reserve()
`,
				`	c.nextID = 1
	if r, ok := h.Newest(); ok {
		c.nextID = r.Checkpoint + 1
	}
`,
			},
		},
	}
}

func commitBeforeDecision() Mutant {
	return Mutant{
		Name:      "commit-before-decision",
		Breaks:    "a transaction commits only after HEAD has been replaced: what is committed for a checkpoint that is never decided comes again",
		StandsFor: "laminardb #250 and #451, FLINK-31077, arroyo #1124: two commit authorities",
		Edits: []Edit{{"protocol/checkpoint/collect.go",
			`	p.manifest, p.stage = m, storingManifest
`,
			`	p.manifest, p.stage = m, storingManifest
	for _, t := range c.opt.Tasks {
		c.tellTask(t.Task, protocol.Confirm{Scope: s, Checkpoint: p.id}, out)
	}
`,
		}},
	}
}

func commitNotRetried() Mutant {
	return Mutant{
		Name:      "commit-not-retried",
		Breaks:    "recovery commits what was decided and not sealed: it fences it instead, and the output of a checkpoint is gone without a word",
		StandsFor: "Flink's TwoPhaseCommitSinkFunction without its commit on restore (its test is testFailBeforeNotify)",
		Edits: []Edit{{"protocol/checkpoint/resolve.go",
			`		return Decision{Plan: CommitThenRestore, Commit: open}`,
			`		return Decision{Plan: Restore}`,
		}},
	}
}

func fenceBeforeCommit() Mutant {
	return Mutant{
		Name:      "fence-before-commit",
		Breaks:    "decided transactions are committed before their ids are fenced: InitProducerID aborts what it finds open",
		StandsFor: "initTransactions before the recommit: seen to lose decided transactions on Kafka 3 and 4",
		Edits: []Edit{
			{"protocol/txn/recovery.go",
				`	r.sealing.reset()
	for _, c := range decided {
		r.sealing.Commit(now, c, out)
		out.Append(protocol.Note{Kind: protocol.NoteRecommitted, Checkpoint: c.Checkpoint})
	}
`,
				`	r.sealing.reset()
	r.phase, r.decided = recoveryFence, decided
	for _, id := range ids {
		r.fence(now, id, out)
	}
`,
			},
			{"protocol/txn/recovery.go",
				`	if r.phase == recoveryCommit && r.sealing.AllEnded() {
		r.phase = recoveryFence
		for _, id := range r.ids {
			r.fence(now, id, out)
		}
		r.ids = nil
	}
	if r.phase == recoveryFence && r.fences.Len() == 0 {
`,
				`	if r.phase == recoveryFence && r.fences.Len() == 0 {
		r.phase = recoveryCommit
		for _, c := range r.decided {
			r.sealing.Commit(now, c, out)
			out.Append(protocol.Note{Kind: protocol.NoteRecommitted, Checkpoint: c.Checkpoint})
		}
	}
	if r.phase == recoveryCommit && r.sealing.AllEnded() {
`,
			},
			{"protocol/txn/recovery.go",
				`	judged []Judged
	denied protocol.TransactionalID
`,
				`	judged []Judged
	denied protocol.TransactionalID

	decided []protocol.Committable
`,
			},
		},
	}
}

func offsetOfLastRecord() Mutant {
	return Mutant{
		Name:      "offset-of-last-record",
		Breaks:    "a source's position is the record to read next: here it is the last one read, which is read again after a restore",
		StandsFor: "committing record.offset() in place of record.offset()+1, the oldest mistake of Kafka consumers",
		Edits: []Edit{{"protocol/task/source.go",
			`		list[i] = s.splits[i].position
`,
			`		list[i] = s.splits[i].position
		list[i].Next = max(0, list[i].Next-1)
`,
		}},
	}
}

func abortedDeltaLost() Mutant {
	return Mutant{
		Name:      "aborted-delta-lost",
		Breaks:    "an aborted checkpoint removes nothing from the lineage: the delta that it had frozen is thrown away with it, and no later snapshot holds those changes",
		StandsFor: "FLINK-25395 and its kin: increments counted from a checkpoint that was never confirmed",
		Edits: []Edit{
			{"protocol/task/snapshot.go",
				`	durable bool
`,
				`	durable bool

	frozen protocol.CheckpointID
`,
			},
			{"protocol/task/snapshot.go",
				`	snap := &snapshot{checkpoint: id, `,
				`	if frozen.Len() > 0 {
		s.lineage[len(s.lineage)-1].frozen = id
	}
	snap := &snapshot{checkpoint: id, `,
			},
			{"protocol/task/snapshot.go",
				`// name makes a key`,
				`// lose takes the run frozen for a checkpoint out of the lineage, unless it is being merged.
func (s *snapshots) lose(id protocol.CheckpointID) {
	kept := []*run(nil)
	for _, r := range s.lineage {
		merging := false
		for i := 0; s.merge != nil && i < len(s.merge.inputs); i++ {
			merging = merging || s.merge.inputs[i] == r
		}
		if r.frozen != id || merging {
			kept = append(kept, r)
		}
	}
	s.lineage = kept
}

// name makes a key`,
			},
			{"protocol/task/operator.go",
				`	o.drop(m.Checkpoint)
	o.tell(protocol.Aborted`,
				`	o.drop(m.Checkpoint)
	if o.snaps != nil {
		o.snaps.lose(m.Checkpoint)
	}
	o.tell(protocol.Aborted`,
			},
		},
	}
}

func abortEndsTransaction() Mutant {
	return Mutant{
		Name:      "abort-ends-transaction",
		Breaks:    "the abort of a checkpoint aborts no transaction: here it does, and since no source goes back, its records are gone",
		StandsFor: "two-phase commit as the books have it: the abort of a round aborts the participants",
		Edits: []Edit{
			{"protocol/task/sink.go",
				`	s.over(m.Checkpoint)
	s.tell(protocol.Aborted`,
				`	s.over(m.Checkpoint)
	if s.pool != nil {
		s.pool.Abort(m.Checkpoint, max(s.confirmed, s.cfg.Start.Restored), out)
	}
	s.tell(protocol.Aborted`,
			},
			{"protocol/txn/pool.go",
				`// Settle frees the slots`,
				`// Abort aborts the prepared transactions of checkpoints above decided and up to id.
func (p *Pool) Abort(id, decided protocol.CheckpointID, out *protocol.Effects) {
	for _, s := range p.slots {
		if s.state == slotPrepared && s.c.Checkpoint > decided && s.c.Checkpoint <= id {
			out.Append(protocol.EndTxn{ID: s.id, Producer: s.c.Producer, Version: s.c.Version})
			s.state = slotIdle
			p.forget(s, opAge)
		}
	}
}

// Settle frees the slots`,
			},
		},
	}
}
