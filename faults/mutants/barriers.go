package mutants

// Barriers are mutants of the cut: barriers, alignment, snapshots, the end of input.
func Barriers() []Mutant {
	return []Mutant{
		barrierLate(),
		barrierAfterOutput(),
		barrierOvertakesBuffer(),
		stateCapturedLate(),
		snapshotAliasesState(),
		ackBeforeDurable(),
		endBeforeBarrier(),
	}
}

func barrierLate() Mutant {
	return Mutant{
		Name:      "barrier-late",
		Breaks:    "a source emits the barrier in the step that records its offsets: here records from behind those offsets go out before the barrier, and again after a restore",
		StandsFor: "laminardb #188: offsets and state captured in different steps",
		Edits: []Edit{{"protocol/task/source.go",
			`	s.out.broadcast(protocol.Barrier{Checkpoint: m.Checkpoint}, out)
	s.acks.remember(ack)
`,
			`	s.onResumed(s.out.now, out)
	s.out.broadcast(protocol.Barrier{Checkpoint: m.Checkpoint}, out)
	s.acks.remember(ack)
`,
		}},
	}
}

func barrierAfterOutput() Mutant {
	return Mutant{
		Name:   "barrier-after-output",
		Breaks: "an operator sends the barrier on before any output from behind it: here after that of one more frame, which those downstream count in their snapshots, and again after a restore",
		Edits: []Edit{{"protocol/task/operator.go",
			`	o.out.broadcast(protocol.Barrier{Checkpoint: id}, out)
	if durable != nil {
`,
			`	if _, data := o.in.head().(protocol.Data); data && !o.out.full() {
		in, f, _ := o.in.pop()
		o.onFrame(now, in, f, out)
	}
	o.out.broadcast(protocol.Barrier{Checkpoint: id}, out)
	if durable != nil {
`,
		}},
	}
}

func barrierOvertakesBuffer() Mutant {
	return Mutant{
		Name:      "barrier-overtakes-buffer",
		Breaks:    "every output buffer is sealed before a barrier: records that wait in one go out behind it, and are gone after a restore",
		StandsFor: "a buffered emitter that broadcasts control messages past its buffers",
		Edits: []Edit{{"protocol/task/outbox.go",
			`func (o *outbox) broadcast(f protocol.Frame, out *protocol.Effects) {
	o.sealAll(out)
`,
			`func (o *outbox) broadcast(f protocol.Frame, out *protocol.Effects) {
	if _, end := f.(protocol.End); end {
		o.sealAll(out)
	}
`,
		}},
	}
}

func stateCapturedLate() Mutant {
	return Mutant{
		Name:      "state-captured-late",
		Breaks:    "state is frozen before anything from behind the barrier is processed: here after one more frame, whose records are counted twice after a restore",
		StandsFor: "laminardb #188: the snapshot is taken when the writer gets to it",
		Edits: []Edit{
			{"protocol/task/operator.go",
				`	durable := o.snaps.freeze(now, id, out)
`,
				`	o.out.broadcast(protocol.Barrier{Checkpoint: id}, out)
	if _, data := o.in.head().(protocol.Data); data && !o.out.full() {
		in, f, _ := o.in.pop()
		o.onFrame(now, in, f, out)
	}
	durable := o.snaps.freeze(now, id, out)
`,
			},
			{"protocol/task/operator.go",
				`		return
	}
	o.out.broadcast(protocol.Barrier{Checkpoint: id}, out)
	if durable != nil {
`,
				`		return
	}
	if durable != nil {
`,
			},
		},
	}
}

func snapshotAliasesState() Mutant {
	return Mutant{
		Name:      "snapshot-aliases-state",
		Breaks:    "what is frozen never changes again: here it is read from the live table when it is uploaded",
		StandsFor: "a heap snapshot without copy-on-write: the asynchronous part serializes live objects",
		Edits: []Edit{{"protocol/state/memory/table.go",
			`	t.gen++
	return d
}
`,
			`	t.gen++
	return liveView{d, t}
}

type liveView struct {
	*delta
	table *Table
}

func (l liveView) Encode(dst []byte) []byte {
	for i := range l.items {
		if v, ok := l.table.Get(l.key(uint32(i))); ok {
			l.put(uint32(i), v)
		}
	}
	return l.delta.Encode(dst)
}
`,
		}},
	}
}

func ackBeforeDurable() Mutant {
	return Mutant{
		Name:      "ack-before-durable",
		Breaks:    "a snapshot is acked when its objects are durable: here when they are sent, so that a manifest can name what is not there",
		StandsFor: "FLINK-36421, FLINK-35217: a handle acked before its file was synced",
		Edits: []Edit{{"protocol/task/snapshot.go",
			`	for _, r := range s.lineage {
		if !r.durable {
			return false
		}
	}
	return true
`,
			`	return true
`,
		}},
	}
}

func endBeforeBarrier() Mutant {
	return Mutant{
		Name:      "end-before-barrier",
		Breaks:    "End goes down a channel only behind the final barrier: here before it, so that the tail is in no checkpoint",
		StandsFor: "Flink before FLIP-147: no checkpoint after a task has finished",
		Edits: []Edit{{"protocol/task/source.go",
			`	s.out.broadcast(protocol.Barrier{Checkpoint: m.Checkpoint}, out)
	s.acks.remember(ack)
`,
			`	if m.Final {
		s.phase = sourceEnded
		s.out.broadcast(protocol.End{}, out)
	} else {
		s.out.broadcast(protocol.Barrier{Checkpoint: m.Checkpoint}, out)
	}
	s.acks.remember(ack)
`,
		}},
	}
}
