package jobs

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"weir"
)

// keyOf is the key of an id.
func keyOf(id string) string {
	key, _, _ := strings.Cut(id, ":")
	return key
}

// total is a key's running value, and the input that led to it.
type total struct {
	n  uint64 // count or hash
	id string
}

// totalState is a total in state: its value only, as 8 bytes, because each input brings its own id.
type totalState struct{}

// Append implements weir.Codec.
func (totalState) Append(dst []byte, t total) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, t.n), nil
}

// Decode implements weir.Codec.
func (totalState) Decode(b []byte) (total, error) {
	if len(b) != 8 {
		return total{}, fmt.Errorf("a total is 8 bytes long, this is %d", len(b))
	}
	return total{n: binary.BigEndian.Uint64(b)}, nil
}

// chained is a key's chain after one more id.
func chained(h uint64, id string) uint64 {
	f := fnv.New64a()
	f.Write(binary.BigEndian.AppendUint64(nil, h)) // never fails
	f.Write([]byte(id))
	return f.Sum64()
}

func totalKey(dst []byte, v weir.KV[string, total]) ([]byte, error) {
	return append(dst, v.Key...), nil
}

func countValue(dst []byte, v weir.KV[string, total]) ([]byte, error) {
	dst = append(append(append(dst, "id="...), v.Value.id...), " n="...)
	return strconv.AppendUint(dst, v.Value.n, 10), nil
}

func hashValue(dst []byte, v weir.KV[string, total]) ([]byte, error) {
	return fmt.Appendf(dst, "id=%s h=%016x", v.Value.id, v.Value.n), nil
}

// copied is the codec of ids in the form copy.
type copied struct{}

// Append implements weir.Codec.
func (copied) Append(dst []byte, id string) ([]byte, error) {
	return append(append(dst, "id="...), id...), nil
}

// Decode implements weir.Codec.
func (copied) Decode(b []byte) (string, error) {
	id, ok := strings.CutPrefix(string(b), "id=")
	if !ok {
		return "", fmt.Errorf("%q does not begin with id=", b)
	}
	return id, nil
}
