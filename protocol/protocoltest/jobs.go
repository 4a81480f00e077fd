package protocoltest

import (
	"bytes"
	"errors"
	"strconv"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/task"
)

// The topics of the job of Words.
const (
	Input  = "words" // and words2, where there are two sources
	Output = "totals"
)

// Words is a job that counts words: sources that drop what begins with #, a count per word, a sink of word → count so
// far. Each count of a word is written once, so that in the output a loss is a gap and a double a repetition.
func Words(sources int, bounded bool) *job.Graph {
	g := &job.Graph{Name: "wordcount"}
	names := []string{"source", "source2"}
	topics := []string{Input, Input + "2"}
	for i := range sources {
		g.Stages = append(g.Stages, job.Stage{ID: names[i], Kind: job.SourceStage, Topic: topics[i], Bounded: bounded, Code: func() task.Code { return filter{} }})
		g.Edges = append(g.Edges, job.Edge{From: i, To: sources, Kind: job.Shuffle})
	}
	g.Stages = append(g.Stages,
		job.Stage{ID: "count", Kind: job.OperatorStage, Keyed: true, Code: func() task.Code { return count{} }},
		job.Stage{ID: "sink", Kind: job.SinkStage, Topic: Output})
	g.Edges = append(g.Edges, job.Edge{From: sources, To: sources + 1, Kind: job.Forward})
	return g
}

// Config is a configuration with round and small numbers.
func Config() protocol.Config {
	return protocol.Config{
		Interval: 10 * protocol.Second, Timeout: 20 * protocol.Second, Heartbeat: protocol.Second, NodeTimeout: 5 * protocol.Second,
		RestartDelay: protocol.Second, RestartLimit: 3, Tolerable: 1,
		TxnTimeout: 2 * protocol.Minute, IOTimeout: 4 * protocol.Second, RetryDelay: 100 * protocol.Millisecond,
		Parallelism: 1, KeyGroups: 8, Credit: 2, BatchRecords: 4, BatchBytes: 1 << 10, Linger: 5 * protocol.Millisecond, Retained: 1,
	}
}

// filter passes words on, keyed by themselves, and drops what begins with #.
type filter struct{}

func (filter) Process(in *batch.Batch, _ state.Keyed, out task.Emitter) error {
	for i := range in.Len() {
		word := in.Value(i)
		if bytes.HasPrefix(word, []byte("#")) {
			continue
		}
		if string(word) == "poison" {
			return &task.CodeError{Operator: "filter", Record: i, Err: errors.New("a poisoned word")}
		}
		r := in.Record(i)
		r.Hash = state.Hash(word)
		out.Emit(0, word, nil, r)
	}
	return nil
}

// count keeps a count per word and emits each value it takes.
type count struct{}

func (count) Process(in *batch.Batch, st state.Keyed, out task.Emitter) error {
	for i := range in.Len() {
		word, n := in.Key(i), 0
		if have, ok := st.Get(word); ok {
			var err error
			if n, err = strconv.Atoi(string(have)); err != nil {
				return err
			}
		}
		now := strconv.AppendInt(nil, int64(n)+1, 10)
		st.Put(word, now)
		out.Emit(0, word, now, in.Record(i))
	}
	return nil
}
