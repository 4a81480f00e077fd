package job

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"weir"
)

// The job's topics.
const (
	Input  = "access"
	Output = "access-stats"
)

// Malformed is the key under which malformed lines are counted.
const Malformed = "malformed"

// Stats is what the job knows of a key.
type Stats struct {
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"` // sent
}

// Job is the job's factory.
func Job() *weir.Job {
	j := weir.New("accesslog")
	lines := weir.From(j, "access", weir.Topic(Input, weir.Bytes{}))
	hits := weir.Map(lines, "parse", newParser())
	byKey := weir.KeyBy(hits, func(h hit) string { return h.key }, weir.Interned(), hitCodec{})
	stats := weir.Aggregate(byKey, "stats", weir.Agg[hit, Stats, Stats]{
		Add:   func(s *Stats, h hit) { s.Count++; s.Bytes += h.bytes },
		Out:   func(s Stats) Stats { return s },
		Codec: statsState{},
	})
	weir.To(stats, "access-stats", weir.KeyedTopic(Output, weir.String{}, StatsText{}))
	return j
}

// hit is what the job needs of a line.
type hit struct {
	key   string
	bytes int64
}

// newParser turns lines into hits. Keys come again and again: they are not allocated anew each time.
func newParser() func(line []byte) hit {
	keys, buf := weir.Interned(), []byte(nil)
	return func(line []byte) hit {
		e, ok := parse(line)
		if !ok {
			return hit{key: Malformed}
		}
		buf = append(append(append(buf[:0], e.path...), ' '), e.status...)
		key, _ := keys.Decode(buf) // never fails
		return hit{key: key, bytes: e.bytes}
	}
}

// hitCodec carries a hit to the task of its key; the key travels as the record's key.
type hitCodec struct{ weir.Int64 }

// Append implements weir.Codec.
func (c hitCodec) Append(dst []byte, h hit) ([]byte, error) { return c.Int64.Append(dst, h.bytes) }

// Decode implements weir.Codec; the hit has no key.
func (c hitCodec) Decode(b []byte) (h hit, err error) {
	h.bytes, err = c.Int64.Decode(b)
	return h, err
}

// statsState is Stats in state: two big-endian integers of 8 bytes.
type statsState struct{}

// Append implements weir.Codec.
func (statsState) Append(dst []byte, s Stats) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Count))
	return binary.BigEndian.AppendUint64(dst, uint64(s.Bytes)), nil
}

// Decode implements weir.Codec.
func (statsState) Decode(b []byte) (Stats, error) {
	if len(b) != 16 {
		return Stats{}, fmt.Errorf("totals are 16 bytes long, these are %d", len(b))
	}
	return Stats{Count: int64(binary.BigEndian.Uint64(b)), Bytes: int64(binary.BigEndian.Uint64(b[8:]))}, nil
}

// StatsText is Stats in the output topic: {"count":n,"bytes":m}.
type StatsText struct{}

// Append implements weir.Codec, without allocation.
func (StatsText) Append(dst []byte, s Stats) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"count":`...), s.Count, 10)
	dst = strconv.AppendInt(append(dst, `,"bytes":`...), s.Bytes, 10)
	return append(dst, '}'), nil
}

// Decode implements weir.Codec.
func (StatsText) Decode(b []byte) (s Stats, err error) {
	err = json.Unmarshal(b, &s)
	return s, err
}
