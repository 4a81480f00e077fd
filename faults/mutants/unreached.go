package mutants

// Unreached are mutants that live because the simulated world never gets to where they do harm. They are not hunted;
// who builds what one Needs moves it to the others.
func Unreached() []Mutant {
	return []Mutant{
		ageNotRecomputed(),
		sealedJudgedAgain(),
	}
}

func ageNotRecomputed() Mutant {
	return Mutant{
		Name:   "age-not-recomputed",
		Breaks: "an ack's ages are of the moment it is sent: a repeated one has those of the first time, and a transaction that is too old is decided",
		Needs:  "transactions that come near their timeout: a seed's TxnTimeout is always over 20 minutes, an ack is never repeated for longer than the checkpoint's timeout",
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
		Needs:  "a broker that compacts the ledger: the virtual one keeps every record for ever, so that what is judged again is found again",
		Edits: []Edit{{"protocol/checkpoint/resolve.go",
			`		if c.Checkpoint > h.Sealed && len(f.Judged) == 0 {`,
			`		if len(f.Judged) == 0 {`,
		}},
	}
}
