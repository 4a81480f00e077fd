package mutants

// Recoveries are mutants of the coordinator: the decision, take-over, restart.
func Recoveries() []Mutant {
	return []Mutant{
		unchangedTakenForLost(),
		conflictTakenForFailure(),
		rebornWorkerJoins(),
		attemptAfterFencing(),
		releaseIgnoresLineage(),
		oldestRestored(),
	}
}

func unchangedTakenForLost() Mutant {
	return Mutant{
		Name:      "unchanged-taken-for-lost",
		Breaks:    "HEAD read back unchanged does not prove that our write will not land: here the checkpoint is given up and its manifest deleted, and then HEAD names it",
		StandsFor: "Flink's PossiblyInconsistentStateException was made for this: pointer unknown, blob deleted",
		Edits: []Edit{
			{"protocol/checkpoint/writer.go",
				`	broken string // HEAD is gone or damaged: stop
`,
				`	broken string // HEAD is gone or damaged: stop

	unchanged bool
`,
			},
			{"protocol/checkpoint/writer.go",
				`		w.version = ev.Version
		return w.again(now, out)
`,
				`		w.version = ev.Version
		return writerAnswer{unchanged: true}
`,
			},
			{"protocol/checkpoint/claim.go",
				`	switch {
	case a.broken != "":
		c.exit(protocol.Refused, out, "%s", a.broken)
`,
				`	switch {
	case a.unchanged && c.writing == toDecide:
		c.giveUp(now, out)
	case a.unchanged:
		c.head.again(now, out)
	case a.broken != "":
		c.exit(protocol.Refused, out, "%s", a.broken)
`,
			},
			{"protocol/checkpoint/claim.go", `func (c *Coordinator) onHeadWon(`, giveUp + `func (c *Coordinator) onHeadWon(`},
		},
	}
}

func conflictTakenForFailure() Mutant {
	return Mutant{
		Name:      "conflict-taken-for-failure",
		Breaks:    "a 412 says that somebody has written HEAD, perhaps ourselves: here the checkpoint is given up and its manifest deleted though HEAD names it",
		StandsFor: "SlateDB's put id, foundationdb #14027, etcd #14890: a client's own retry turns success into a conflict",
		Edits: []Edit{
			{"protocol/checkpoint/writer.go",
				`	broken string // HEAD is gone or damaged: stop
`,
				`	broken string // HEAD is gone or damaged: stop

	refused bool
`,
			},
			{"protocol/checkpoint/writer.go",
				`		return w.win(ev.Version)
	}
	w.denied = `,
				`		return w.win(ev.Version)
	}
	if ev.Outcome == protocol.Conflict {
		return writerAnswer{refused: true}
	}
	w.denied = `,
			},
			{"protocol/checkpoint/claim.go",
				`	switch {
	case a.broken != "":
		c.exit(protocol.Refused, out, "%s", a.broken)
`,
				`	switch {
	case a.refused && c.writing == toDecide:
		c.giveUp(now, out)
	case a.refused:
		c.head.read(now, out)
	case a.broken != "":
		c.exit(protocol.Refused, out, "%s", a.broken)
`,
			},
			{"protocol/checkpoint/claim.go", `func (c *Coordinator) onHeadWon(`, giveUp + `func (c *Coordinator) onHeadWon(`},
		},
	}
}

func rebornWorkerJoins() Mutant {
	return Mutant{
		Name:      "reborn-worker-joins",
		Breaks:    "a process that begins a new life ends the attempt: here it is told to run its tasks again in the same one, from the checkpoint that the attempt began with",
		StandsFor: "a supervisor that restarts a container faster than the job notices",
		Edits: []Edit{{"protocol/checkpoint/workers.go",
			`			c.breakdown(now, protocol.Failure{Kind: protocol.FailService, Text: "a worker began a new life"}, out)
			return
`,
			`			w.used, w.running = w.incarnation, false
			c.tellStart(out)
`,
		}},
	}
}

func attemptAfterFencing() Mutant {
	return Mutant{
		Name:      "attempt-after-fencing",
		Breaks:    "the attempt is made durable in HEAD before anything is fenced: here after it, so that the old coordinator can still decide what has been fenced",
		StandsFor: "a lease instead of a fence: recovery begins while the old leader may still publish",
		Edits: []Edit{
			{"protocol/checkpoint/claim.go",
				`	c.list(now, out)
	c.gather(now, out)
`,
				`	c.bump(now, out)
`,
			},
			{"protocol/checkpoint/claim.go",
				`func (c *Coordinator) claim(now protocol.Time, out *protocol.Effects) {
	c.phase, c.writing = claiming, toClaim
`,
				`func (c *Coordinator) claim(now protocol.Time, out *protocol.Effects) {
	if h := c.head.head; h != nil {
		c.phase = reading
		c.manifests, c.loadsOwed = make([]*Manifest, len(h.Retained)), len(h.Retained)
		for i := range h.Retained {
			c.loadManifest(now, i, out)
		}
		if c.loadsOwed == 0 {
			c.recover(now, out)
		}
		return
	}
	c.bump(now, out)
}

func (c *Coordinator) bump(now protocol.Time, out *protocol.Effects) {
	c.phase, c.writing = claiming, toClaim
`,
			},
			{"protocol/checkpoint/claim.go",
				`	c.phase = reading
	c.manifests, c.loadsOwed = make([]*Manifest, len(h.Retained)), len(h.Retained)
	for i := range h.Retained {
		c.loadManifest(now, i, out)
	}
	if c.loadsOwed == 0 {
		c.recover(now, out)
	}
}
`,
				`	c.sealed = max(c.sealed, c.restored())
	c.list(now, out)
	c.gather(now, out)
}
`,
			},
			{"protocol/checkpoint/claim.go",
				`		if p.Epoch == h.Epoch && p.Attempt == h.Attempt {
			continue
		}
`,
				``,
			},
		},
	}
}

func releaseIgnoresLineage() Mutant {
	return Mutant{
		Name:      "release-ignores-lineage",
		Breaks:    "an object is deleted when no retained manifest lists it: here with the manifest that is released, though later ones list it too",
		StandsFor: "FLINK-29913 and slatedb RFC 0029: shared files deleted with the checkpoint that made them",
		Edits: []Edit{{"protocol/checkpoint/seal.go",
			`		for _, k := range m.Objects() {
			kept[k] = true
		}
`,
			``,
		}},
	}
}

func oldestRestored() Mutant {
	return Mutant{
		Name:      "oldest-restored",
		Breaks:    "what is restored is the newest decided checkpoint: here the oldest one retained, though sinks have committed past it",
		StandsFor: "FLINK-22502: a restore that falls back to an older checkpoint",
		Edits: []Edit{{"protocol/checkpoint/claim.go",
			`	return c.manifests[len(c.manifests)-1]`,
			`	return c.manifests[0]`,
		}},
	}
}

// giveUp is what two mutants do to a checkpoint that HEAD may name.
const giveUp = `func (c *Coordinator) giveUp(now protocol.Time, out *protocol.Effects) {
	key := c.pending.manifest.Key()
	c.head.intent = nil
	op := c.ops.Add("delete of "+string(key), now.Add(c.cfg.IOTimeout), work{kind: workDelete, key: key})
	out.Append(protocol.Delete{Op: op, Key: key})
	c.abort(now, out)
	if c.broken != nil && c.phase == running {
		c.restart(now, out)
	}
}

`
