package mutants

// Others are mutants chosen from the bugs of other engines and clients, each in a place where only a fault shows it.
func Others() []Mutant {
	return []Mutant{
		fenceMissesOne(),
		slotUsedTwice(),
		openingRetried(),
		confirmOwnOnly(),
		headJudgedBySeq(),
		unreadableSkipped(),
		releasedBeforeDecision(),
		releaseKeepsNewest(),
		lineageNotRestored(),
		runsAsTheyCome(),
		mergeForgetsNewer(),
		staleCoordinatorObeyed(),
		unseenPartitionAtEnd(),
		emptyTransaction(),
		fetchUncommitted(),
		runNamesReused(),
		poolsDroppedEarly(),
		refusalTakenForCommit(),
		lostIgnored(),
	}
}

func fenceMissesOne() Mutant {
	return Mutant{
		Name:      "fence-misses-one",
		Breaks:    "a recovery fences every transactional id that an ended attempt may have opened: here all but the last",
		StandsFor: "a probing abort that stops one id too early, as with incrementing ids in Flink before it kept a list of them (FLINK-34554)",
		Unseen:    "the list of open transactions, asked for at each interval, finds what a recovery has left open; readers wait a little longer",
		Edits: []Edit{{"protocol/txn/recovery.go",
			`		for _, id := range r.ids {
			r.fence(now, id, out)
		}
`,
			`		for _, id := range r.ids[:max(0, len(r.ids)-1)] {
			r.fence(now, id, out)
		}
`,
		}},
	}
}

func slotUsedTwice() Mutant {
	return Mutant{
		Name:      "slot-used-twice",
		Breaks:    "a producer's id and epoch are used for one transaction: here for the next one too, which a late commit of the first one commits",
		StandsFor: "KAFKA-17754: reuse of a producer's id and epoch",
		Edits: []Edit{
			{"protocol/txn/pool.go",
				`			s.state = slotIdle
`,
				`			s.state = slotOpen
			s.c = protocol.Committable{ID: s.id, Producer: s.c.Producer, Version: s.c.Version, Scope: p.cfg.Scope,
				Sink: p.cfg.Sink, Task: p.cfg.Task, Ledger: p.cfg.Ledger, Timeout: p.cfg.TxnTimeout}
`},
			{"sim/broker/slot.go",
				`	life       uint32                 // of the process's clients
`,
				`	life       uint32                 // of the process's clients
	flushes    int
`},
			{"sim/broker/slot.go",
				`	s.flushing = answer
`,
				`	s.flushing = answer
	s.flushes++
`},
			{"sim/broker/slot.go",
				`	d.net.After(max(0, left), s.kill)
`,
				`	n := s.flushes
	d.net.After(max(0, left), func() {
		if s.flushing != nil && n == s.flushes {
			s.kill()
		}
	})
`},
			{"sim/broker/slot.go",
				`	s.dead = true
	s.remove()
	s.flushing(protocol.OK)
`,
				`	done := s.flushing
	s.flushing = nil
	for _, l := range s.lanes {
		l.admitted = !s.d.b.opts.Registers
	}
	done(protocol.OK)
`},
		},
	}
}

func openingRetried() Mutant {
	return Mutant{
		Name:      "opening-retried",
		Breaks:    "an id whose InitProducerID had no answer is given up: here it is opened again, and the late request fences what was decided meanwhile",
		StandsFor: "every client that repeats InitProducerId after a time-out",
		Edits: []Edit{{"protocol/txn/pool.go",
			`	default:
		p.abandon(s, out)
	}
}
`,
			`	default:
		s.state = slotIdle
	}
}
`,
		}},
	}
}

func confirmOwnOnly() Mutant {
	return Mutant{
		Name:      "confirm-own-only",
		Breaks:    "a decision commits everything prepared up to it: here its own checkpoint's transactions only, and those of an aborted one are sealed without a commit",
		StandsFor: "Flink's testSubsumedNotificationOfPreviousCheckpoint: notifications are cumulative",
		Edits: []Edit{{"protocol/task/sink.go",
			`			if c.Checkpoint > s.confirmed {
				s.sealing.Commit(now, c, out)`,
			`			if c.Checkpoint == id {
				s.sealing.Commit(now, c, out)`,
		}},
	}
}

func headJudgedBySeq() Mutant {
	return Mutant{
		Name:      "head-judged-by-seq",
		Breaks:    "whose write HEAD holds is told by its nonce: here by its number, which a rival's has too",
		StandsFor: "an unknown conditional write that is judged by version: SlateDB's put id was made for this",
		Edits: []Edit{{"protocol/checkpoint/writer.go",
			`	case found.Nonce == w.intent.Nonce:`,
			`	case found.Seq == w.intent.Seq:`,
		}},
	}
}

func unreadableSkipped() Mutant {
	return Mutant{
		Name:      "unreadable-skipped",
		Breaks:    "a manifest that cannot be read is asked for again: here the one before it is restored, though sinks have committed past it",
		StandsFor: "FLINK-22502: a checkpoint that cannot be retrieved is skipped",
		Edits: []Edit{
			{"protocol/checkpoint/claim.go",
				`	if ev.Outcome == protocol.Unknown {
		c.ops.Add("back-off of load", now.Add(c.cfg.RetryDelay), w)
		return
	}
	m, err := checked(want, ev)
`,
				`	if ev.Outcome == protocol.Unknown && w.index == 0 {
		c.ops.Add("back-off of load", now.Add(c.cfg.RetryDelay), w)
		return
	}
	if ev.Outcome == protocol.Unknown {
		if c.loadsOwed--; c.loadsOwed == 0 {
			c.recover(now, out)
		}
		return
	}
	m, err := checked(want, ev)
`},
			{"protocol/checkpoint/claim.go",
				`	if len(c.manifests) == 0 {
		return nil
	}
	return c.manifests[len(c.manifests)-1]`,
				`	for len(c.manifests) > 0 && c.manifests[len(c.manifests)-1] == nil {
		c.manifests = c.manifests[:len(c.manifests)-1]
	}
	if len(c.manifests) == 0 {
		return nil
	}
	return c.manifests[len(c.manifests)-1]`},
		},
	}
}

func releasedBeforeDecision() Mutant {
	return Mutant{
		Name:      "released-before-decision",
		Breaks:    "what a decision supersedes is deleted when HEAD names the successor: here when the successor's manifest is stored",
		StandsFor: "a collector that runs ahead of the commit point",
		Edits: []Edit{{"protocol/checkpoint/collect.go",
			`	case protocol.OK:
		c.decide(now, ev.Sum, out)
	case protocol.Conflict:`,
			`	case protocol.OK:
		c.decide(now, ev.Sum, out)
		if now := c.head.head; c.head.intent != nil {
			c.head.head = c.head.intent
			defer func() { c.head.head = now }()
		}
		c.release(now, c.pending.manifest, out)
	case protocol.Conflict:`,
		}},
	}
}

func releaseKeepsNewest() Mutant {
	return Mutant{
		Name:      "release-keeps-newest",
		Breaks:    "an object is deleted when no retained manifest lists it: here when the newest does not",
		StandsFor: "a clean-up that looks at the newest checkpoint only (Flink's test is testNotCleanCheckpointInUse)",
		Unseen:    "a job restores the newest checkpoint only: those before it are kept for people",
		Edits: []Edit{{"protocol/checkpoint/seal.go",
			`		for _, k := range m.Objects() {
			kept[k] = true
		}
`,
			`		clear(kept)
		for _, k := range m.Objects() {
			kept[k] = true
		}
`,
		}},
	}
}

func lineageNotRestored() Mutant {
	return Mutant{
		Name:      "lineage-not-restored",
		Breaks:    "the restored runs are part of every later snapshot: here a snapshot lists what came after the restore",
		StandsFor: "shared state that is not registered again after a restore (Flink's test is testSharedStateReRegistration)",
		Edits: []Edit{{"protocol/task/snapshot.go",
			`	s.bodies = nil
	s.retain(out)`,
			`	s.bodies, s.lineage = nil, nil
	s.retain(out)`,
		}},
	}
}

func runsAsTheyCome() Mutant {
	return Mutant{
		Name:      "runs-as-they-come",
		Breaks:    "runs are restored in the order of the lineage: here in the order in which they arrive, so that old values overwrite new ones",
		StandsFor: "a parallel download that applies what is there",
		Edits: []Edit{{"protocol/task/snapshot.go",
			`	s.bodies[at] = body
	if s.missing--; s.missing > 0 {`,
			`	s.bodies[len(s.bodies)-s.missing] = body
	if s.missing--; s.missing > 0 {`,
		}},
	}
}

func mergeForgetsNewer() Mutant {
	return Mutant{
		Name:      "merge-forgets-newer",
		Breaks:    "a merged run takes the place of its inputs: here of the whole lineage, with the runs that came while it was under way",
		StandsFor: "a compaction that installs its result over a memtable flushed meanwhile",
		Edits: []Edit{{"protocol/task/merge.go",
			`			rest := append([]*run{m.result}, s.lineage[at+len(m.inputs):]...)
`,
			`			rest := []*run{m.result}
`,
		}},
	}
}

func staleCoordinatorObeyed() Mutant {
	return Mutant{
		Name:      "stale-coordinator-obeyed",
		Breaks:    "a worker obeys the newest coordinator it has heard of: here any, so that a zombie's order stops or replaces the tasks of its successor",
		StandsFor: "a stale coordinator: an epoch that is handed out and not compared",
		Edits: []Edit{{"protocol/task/worker.go",
			`	if s.Job == w.job && !s.Older(w.newest) {`,
			`	if s.Job == w.job {`,
		}},
	}
}

func unseenPartitionAtEnd() Mutant {
	return Mutant{
		Name:      "unseen-partition-at-end",
		Breaks:    "a partition that no checkpoint has seen is read from its start: here from its end",
		StandsFor: "auto.offset.reset=latest, a silent offset reset",
		Edits: []Edit{{"protocol/task/source.go",
			`Next: ev.Ranges[p].Start, End: -1}`,
			`Next: ev.Ranges[p].End, End: -1}`,
		}},
	}
}

func emptyTransaction() Mutant {
	return Mutant{
		Name:      "empty-transaction",
		Breaks:    "a task without output since the last barrier has nothing to commit: here it prepares the transaction that it has opened ahead, which no broker has heard of",
		StandsFor: "the commit of an empty transaction, INVALID_TXN_STATE",
		Edits: []Edit{
			{"protocol/task/sink.go",
				`		s.pool.Prepare(now, id, s.cfg.Pool.Get(), out)
	}
`,
				`		s.pool.Prepare(now, id, s.cfg.Pool.Get(), out)
	} else {
		s.pool.PrepareEmpty(id)
	}
`},
			{"protocol/txn/pool.go",
				`// Filling reports whether`,
				`// PrepareEmpty ends the transaction that is open ahead.
func (p *Pool) PrepareEmpty(id protocol.CheckpointID) {
	if s := p.find(slotOpen); s != nil {
		s.c.Checkpoint, s.state = id, slotPrepared
	}
}

// Filling reports whether`},
		},
	}
}

func fetchUncommitted() Mutant {
	return Mutant{
		Name:      "fetch-uncommitted",
		Breaks:    "a fetch brings what is committed: here of an aborted transaction too",
		StandsFor: "isolation.level=read_uncommitted, the default of consumers",
		Edits: []Edit{{"sim/broker/fetch.go",
			`		a.outcome, a.seen = protocol.OK, p.view(r.at)
`,
			`		a.outcome, a.seen = protocol.OK, p.view(r.at)
		a.seen.spans = make([]span, len(a.seen.spans))
`,
		}},
	}
}

func runNamesReused() Mutant {
	return Mutant{
		Name:      "run-names-reused",
		Breaks:    "no two attempts give the same name to their runs: here they do, and a writer of the old one that comes late is taken for the new one's own earlier try",
		StandsFor: "SlateDB RFC 0026, FLINK-29913: create-if-absent forgets what was deleted",
		Edits: []Edit{
			{"protocol/task/snapshot.go",
				`"data/%s/%s/%06d", s.cfg.Start.Scope, s.shelf(), s.seq`,
				`"data/%s/%s/%06d", protocol.Scope{Job: s.cfg.Start.Scope.Job, Epoch: 1}, s.shelf(), s.seq`},
			{"protocol/task/snapshot.go",
				`	case ev.Outcome == protocol.OK && protocol.Sum(sha256.Sum256(ev.Body)) == op.sum:
		return s.onDurable(now, op.run, int64(len(ev.Body)), op.sum, out)
	case ev.Outcome == protocol.OK:
		return snapshotAnswer{broken: fmt.Sprintf("run %s: another object is stored under this name", op.run.Key)}
	}`,
				`	case ev.Outcome == protocol.OK:
		return s.onDurable(now, op.run, int64(len(ev.Body)), sha256.Sum256(ev.Body), out)
	}`},
			{"protocol/task/snapshot.go",
				`	s.bodies = nil
	s.retain(out)`,
				`	s.bodies, s.seq = nil, uint64(s.cfg.Start.Restored)<<10
	s.retain(out)`},
		},
	}
}

func poolsDroppedEarly() Mutant {
	return Mutant{
		Name:      "pools-dropped-early",
		Breaks:    "the pools of ended attempts stay in HEAD until a recovery has fenced them: here until the next claim",
		StandsFor: "ids that are forgotten before they are fenced: hanging transactions, which KIP-664 has tools for",
		Unseen:    "the list of open transactions, asked for at each interval, finds what no recovery has fenced; readers wait a little longer",
		Edits: []Edit{{"protocol/checkpoint/claim.go",
			`	if c.settledPast { // the`,
			`	if c.head.head != nil { // the`,
		}},
	}
}

func refusalTakenForCommit() Mutant {
	return Mutant{
		Name:      "refusal-taken-for-commit",
		Breaks:    "a refusal of EndTxn says nothing, the ledger does: here it is taken for a commit that was there before",
		StandsFor: "Flink's KafkaCommitter, signalFailedWithKnownReason: ProducerFenced and InvalidTxnState are logged and dropped",
		Edits: []Edit{{"protocol/txn/sealing.go",
			`		out.Append(protocol.Note{Kind: protocol.NoteCommitAsk, Checkpoint: it.c.Checkpoint})
		s.read(now, it, out)
`,
			`		out.Append(protocol.Note{Kind: protocol.NoteCommitAsk, Checkpoint: it.c.Checkpoint})
		return s.judge(it, Present), true
`,
		}},
	}
}

func lostIgnored() Mutant {
	return Mutant{
		Name:      "lost-ignored",
		Breaks:    "a decided transaction that is not in the log stops the job, which says LOST: here it goes on without a word",
		StandsFor: "Flink's ignoreFailuresAfterTransactionTimeout: a commit that fails on restore is logged and skipped (its test is testIgnoreCommitExceptionDuringRecovery)",
		Edits: []Edit{{"protocol/checkpoint/resolve.go",
			`j.Verdict == txn.Absent {`,
			`j.Verdict == txn.Absent && c.ID == "" {`,
		}},
	}
}
