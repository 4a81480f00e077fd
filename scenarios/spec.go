package scenarios

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"strconv"

	"weir/checker"
)

// These are the oracle's own readings of the jobs' formats (package jobs says them in words); they share no code with
// the jobs.

// keyOf is what comes before the first colon of an input id.
func keyOf(id []byte) []byte {
	key, _, _ := bytes.Cut(id, []byte{':'})
	return key
}

// idOf is the id in an output value.
func idOf(value []byte) ([]byte, bool) {
	rest, ok := bytes.CutPrefix(value, []byte("id="))
	id, _, _ := bytes.Cut(rest, []byte{' '})
	return id, ok
}

// restOf is what follows the name in an output value.
func restOf(value []byte, name string) ([]byte, bool) {
	_, rest, ok := bytes.Cut(value, []byte(" "+name+"="))
	return rest, ok
}

// each expects one effect per input and topic, but for inputs that drop says are dropped.
func each(drop func(id []byte) bool, topics ...string) checker.Spec {
	return checker.Spec{
		Expect: func(in *checker.Input, out []checker.Effect) []checker.Effect {
			if drop != nil && drop(in.Value) {
				return out
			}
			for _, t := range topics {
				out = append(out, checker.Effect{Topic: t, ID: in.Value, Key: keyOf(in.Value)})
			}
			return out
		},
		Observe: func(_ string, r *checker.Record) ([]byte, bool) { return idOf(r.Value) },
	}
}

// perKey is a fold per key, whose value follows a name in the output.
func perKey(topic, name string, order checker.Order, apply func(state []byte, in *checker.Input) (next, value []byte)) []checker.Fold {
	return []checker.Fold{{
		Topic: topic, Order: order, Apply: apply,
		Key: func(in *checker.Input) ([]byte, bool) { return keyOf(in.Value), true },
		Observe: func(r *checker.Record) (key, value []byte, ok bool) {
			value, ok = restOf(r.Value, name)
			return r.Key, value, ok
		},
	}}
}

// counted expects each in all topics, with running counts per key in the first one.
func counted(topic string, others ...string) checker.Spec {
	s := each(nil, append(others, topic)...)
	s.Folds = perKey(topic, "n", checker.Alike, func(state []byte, _ *checker.Input) ([]byte, []byte) {
		n, _ := strconv.Atoi(string(state))
		next := strconv.AppendInt(nil, int64(n+1), 10)
		return next, next
	})
	return s
}

// chained expects each, with a hash chain per key: its order matters.
func chained(topic string) checker.Spec {
	s := each(nil, topic)
	s.Folds = perKey(topic, "h", checker.OrderMatters, func(state []byte, in *checker.Input) ([]byte, []byte) {
		var h uint64
		if len(state) > 0 {
			h, _ = strconv.ParseUint(string(state), 16, 64)
		}
		f := fnv.New64a()
		f.Write(binary.BigEndian.AppendUint64(nil, h))
		f.Write(in.Value)
		next := []byte(hex16(f.Sum64()))
		return next, next
	})
	return s
}

func hex16(v uint64) string {
	s := strconv.FormatUint(v, 16)
	return "0000000000000000"[len(s):] + s
}
