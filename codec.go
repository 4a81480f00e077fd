package weir

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// A Codec is how values of one type stand as bytes: in a topic, on the way to another task, or in state. It belongs to
// one task; what it encodes is the same wherever and whenever it is encoded.
type Codec[T any] interface {
	// Append appends the encoding of v to dst and returns the longer slice, like the built-in append.
	Append(dst []byte, v T) ([]byte, error)
	// Decode is the inverse of Append. What it returns may alias b, which holds until the record has been processed.
	Decode(b []byte) (T, error)
}

// String is the codec of strings as their bytes. Decode allocates once, unless the string is empty; see Interned.
type String struct{}

// Append implements Codec.
func (String) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }

// Decode implements Codec.
func (String) Decode(b []byte) (string, error) { return string(b), nil }

// Bytes is the codec of byte slices as they are. Decode does not allocate: the slice is valid until the record has been
// processed, and its content must not be changed unless it is an accumulator.
type Bytes struct{}

// Append implements Codec.
func (Bytes) Append(dst []byte, v []byte) ([]byte, error) { return append(dst, v...), nil }

// Decode implements Codec.
func (Bytes) Decode(b []byte) ([]byte, error) { return b[:len(b):len(b)], nil }

// Int64 is the codec of integers as 8 bytes, big-endian, as Kafka's LongSerializer writes them. It does not allocate.
type Int64 struct{}

// Append implements Codec.
func (Int64) Append(dst []byte, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

// Decode implements Codec; b must be 8 bytes long.
func (Int64) Decode(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("an int64 is 8 bytes long, this is %d", len(b))
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// JSON is the codec of values as package encoding/json writes them. It allocates, for each record several times.
type JSON[T any] struct{}

// Append implements Codec.
func (JSON[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

// Decode implements Codec.
func (JSON[T]) Decode(b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}

// internSlots bounds what an interning codec keeps; a power of two.
const internSlots = 1 << 12

// internLongest is the length in bytes above which a string is not kept.
const internLongest = 256

type interned struct {
	String
	slots []string
}

// Interned is String for strings that come again and again, such as keys: Decode allocates only when it has not seen the
// string lately. It keeps up to 4096 strings of up to 256 bytes. Make it in the job's factory: tasks must not share it.
func Interned() Codec[string] { return new(interned) }

// Decode implements Codec.
func (c *interned) Decode(b []byte) (string, error) {
	if len(b) > internLongest {
		return string(b), nil
	}
	if c.slots == nil { // a codec that only encodes needs none
		c.slots = make([]string, internSlots)
	}
	h := uint32(2166136261)
	for _, x := range b {
		h = (h ^ uint32(x)) * 16777619
	}
	slot := &c.slots[(h^h>>15)%internSlots]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot, nil
}
