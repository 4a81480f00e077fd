package checkpoint

import (
	"math"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
	"weir/protocol/codec"
)

// fill sets every field of v to a drawn value; lists are empty or have entries.
func fill(t *rapid.T, v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		if n := rapid.IntRange(0, 3).Draw(t, name); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			fill(t, v.Index(i), name)
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(t, name)))
		}
	case reflect.String:
		v.SetString(rapid.String().Draw(t, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int:
		v.SetInt(int64(rapid.IntRange(0, math.MaxInt32).Draw(t, name)))
	default:
		if v.CanUint() {
			v.SetUint(rapid.Uint64Range(0, math.MaxUint64>>(64-v.Type().Bits())).Draw(t, name))
		} else {
			v.SetInt(rapid.Int64Range(math.MinInt64>>(64-v.Type().Bits()), math.MaxInt64>>(64-v.Type().Bits())).Draw(t, name))
		}
	}
}

// drawn is a value with every field drawn.
func drawn[T any](t *rapid.T) *T {
	v := new(T)
	fill(t, reflect.ValueOf(v).Elem(), "value")
	return v
}

// readsBack holds that every field of a T is written and read.
func readsBack[T any](t *testing.T, encode func(*T) []byte, decode func([]byte) (*T, error)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		v := drawn[T](t)
		got, err := decode(encode(v))
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Fatalf("%v\nwas %+v\nis  %+v", err, v, got)
		}
	})
}

// seesDamage holds that no cut and no flipped bit of an encoded T goes unseen, and that none makes decode panic.
func seesDamage[T any](t *testing.T, v *T, encode func(*T) []byte, decode func([]byte) (*T, error)) {
	t.Helper()
	data := encode(v)
	for n := range data {
		if _, err := decode(data[:n]); err == nil {
			t.Errorf("cut to %d of %d bytes: no error", n, len(data))
		}
	}
	for bit := range 8 * len(data) {
		broken := append([]byte(nil), data...)
		broken[bit/8] ^= 1 << (bit % 8)
		if _, err := decode(broken); err == nil {
			t.Errorf("bit %d of byte %d flipped: no error", bit%8, bit/8)
		}
	}
}

// staysSmall holds that no body, whatever it says, makes decode panic or allocate much more than the body is long: the
// envelope is whole, so only the lengths in the body are to blame.
func staysSmall[T any](t *testing.T, magic string, v *T, encode func(*T) []byte, decode func([]byte) (*T, error)) {
	t.Helper()
	whole := encode(v)
	body := whole[5 : len(whole)-4]
	try := func(body []byte) error {
		data := codec.Seal(nil, magic, 1, func(b []byte) []byte { return append(b, body...) })
		var err error
		got := uint64(math.MaxUint64)
		for range 3 { // the whole process is counted: the least of three tries is decode's
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = decode(data)
			runtime.ReadMemStats(&after)
			got = min(got, after.TotalAlloc-before.TotalAlloc)
		}
		if got > 4<<10+uint64(100*len(data)) {
			t.Errorf("%d bytes allocated for a body of %d", got, len(body))
		}
		return err
	}
	const much = 16 << 10
	for n := range body {
		if try(body[:n]) == nil {
			t.Errorf("a body cut to %d bytes: no error", n)
		}
		// The longest list that could be there, with entries of so many bytes, and one longer than anything.
		for _, length := range []uint64{much, much / 3, much / 4, much / 20, much / 35, math.MaxInt64} {
			long := codec.AppendUint(append([]byte(nil), body[:n]...), length)
			_ = try(append(long, make([]byte, much)...))
		}
	}
}

func exampleHead() *Head {
	return &Head{Job: "words", Seq: 7, Epoch: 3, Attempt: 5, Sealed: 41, Next: 52, Finished: true, Nonce: Nonce{0xdeadbeef, 2},
		Retained: []Retained{{Checkpoint: 42, Key: "manifest/42-3-5", Sum: protocol.Sum{1, 2}}, {Checkpoint: 43, Key: "x", Savepoint: true}},
		Pools:    []Pool{{Epoch: 3, Attempt: 5, Sink: "sink", Parallelism: 8, Size: 5}}}
}

func exampleManifest() *Manifest {
	scope := protocol.Scope{Job: "words", Epoch: 3, Attempt: 5, Incarnation: 9}
	return &Manifest{Job: "words", Checkpoint: 42, Epoch: 3, Attempt: 5, KeyGroups: 128, Final: true, Stages: []StageShape{{ID: "source", Parallelism: 1}, {ID: "sink", Parallelism: 1, Sink: true}},
		Snapshots: []protocol.Snapshot{
			{Task: 1, Positions: []protocol.Position{{Topic: "in", TopicID: protocol.TopicID{7}, Partition: 3, Next: 100, End: -1}}},
			{Task: 2, Runs: []protocol.Run{{Key: "data/3.5/count-0/000001", Size: 1000, Sum: protocol.Sum{9}}}},
			{Task: 3, Committables: []protocol.Committable{{ID: "words/sink/0/3.5/0", Producer: protocol.Producer{ID: 1000, Epoch: 3}, Version: 5, Checkpoint: 42, Scope: scope,
				Sink: "sink", Task: 3, Partitions: []protocol.Partition{0, 2}, Count: 11, Digest: 1 << 63, Ledger: protocol.LedgerRef{Topic: "words.sink.ledger", Offset: 5}, Age: 77, Timeout: 88}}}}}
}

func encodeHead(h *Head) []byte         { return h.Encode(nil) }
func encodeManifest(m *Manifest) []byte { return m.Encode(nil) }

func TestHeadReadsBack(t *testing.T)     { readsBack(t, encodeHead, DecodeHead) }
func TestManifestReadsBack(t *testing.T) { readsBack(t, encodeManifest, DecodeManifest) }

func TestHeadDamage(t *testing.T) { seesDamage(t, exampleHead(), encodeHead, DecodeHead) }
func TestManifestDamage(t *testing.T) {
	seesDamage(t, exampleManifest(), encodeManifest, DecodeManifest)
}

func TestHeadLengths(t *testing.T) { staysSmall(t, headMagic, exampleHead(), encodeHead, DecodeHead) }
func TestManifestLengths(t *testing.T) {
	staysSmall(t, manifestMagic, exampleManifest(), encodeManifest, DecodeManifest)
}

// TestHeadIsNotAManifest: one is not taken for the other.
func TestHeadIsNotAManifest(t *testing.T) {
	if _, err := DecodeManifest(exampleHead().Encode(nil)); err == nil {
		t.Error("a HEAD was read as a manifest")
	}
	if _, err := DecodeHead(exampleManifest().Encode(nil)); err == nil {
		t.Error("a manifest was read as a HEAD")
	}
}
