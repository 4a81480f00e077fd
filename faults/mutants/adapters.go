package mutants

// Adapters are bugs planted in the adapters of the real services. The simulator does not run those: who hunts for them
// are the suites of runtime/kafka and runtime/s3, on fakes, and of runtime/conformance, on real services.
func Adapters() []Mutant {
	return []Mutant{
		endCapped(),
		headRepeated(),
		initBeforeCommit(),
		readUncommitted(),
	}
}

func endCapped() Mutant {
	return Mutant{
		Name:      "end-capped-at-v4",
		Breaks:    "a transaction is ended in the highest version of EndTxn that every broker has: v4 does not bump the epoch, and a zombie writes and commits one transaction more",
		StandsFor: "a first design of ours, until real brokers showed it",
		Edits: []Edit{{"runtime/kafka/resolve.go",
			`	maxEndTxn = 5
`,
			`	maxEndTxn = 4
`,
		}},
	}
}

func headRepeated() Mutant {
	return Mutant{
		Name:      "head-put-repeated",
		Breaks:    "a conditional PUT is sent once: an SDK that repeats it turns its own success into a 412",
		StandsFor: "the default retryer of every AWS SDK",
		Edits: []Edit{{"runtime/s3/options.go",
			`		so.Retryer = aws.NopRetryer{}
		so.RetryMaxAttempts = 1
`,
			`		so.RetryMaxAttempts = 3
`,
		}},
	}
}

func initBeforeCommit() Mutant {
	return Mutant{
		Name:      "init-before-commit",
		Breaks:    "what is decided is committed before anybody asks for its transactional id: InitProducerID aborts what was prepared",
		StandsFor: "initTransactions of every Kafka client, called before a transaction is resumed",
		Edits: []Edit{{"runtime/kafka/resolve.go",
			`	req := kmsg.NewPtrEndTxnRequest()
`,
			`	d.takeOver(ctx, protocol.Fence{ID: ef.ID})
	req := kmsg.NewPtrEndTxnRequest()
`,
		}},
	}
}

func readUncommitted() Mutant {
	return Mutant{
		Name:      "source-reads-uncommitted",
		Breaks:    "a source reads what is committed: a chain of two jobs doubles records otherwise",
		StandsFor: "consumers' default isolation.level, read_uncommitted",
		Edits: []Edit{
			{"runtime/kafka/reader.go", `	req.IsolationLevel = 1 // read_committed, always
`, `	req.IsolationLevel = 0
`},
			{"runtime/kafka/reader.go", `IsolationLevel: kgo.ReadCommitted()`, `IsolationLevel: kgo.ReadUncommitted()`},
		},
	}
}
