package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// NewerError says that an object was written by a newer version of weir.
type NewerError struct {
	What          string
	Found, Newest byte
}

// Error says what to do.
func (e *NewerError) Error() string {
	return fmt.Sprintf("%s: written in format %d, this binary reads up to %d: run a newer one", e.What, e.Found, e.Newest)
}

const headerLen, trailerLen = 5, 4 // magic and version; CRC32C

// Seal wraps body in an envelope: a 4-byte magic, a format version, the body, a CRC32C of all before it.
func Seal(dst []byte, magic string, version byte, body func([]byte) []byte) []byte {
	from := len(dst)
	dst = append(append(dst, magic...), version)
	dst = body(dst)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[from:], crc32.MakeTable(crc32.Castagnoli)))
}

// Open checks the envelope and returns the body, which aliases data. what names the object in errors.
func Open(data []byte, magic string, newest byte, what string) ([]byte, error) {
	if len(data) < headerLen+trailerLen || string(data[:4]) != magic {
		return nil, fmt.Errorf("%s: not a %s of weir, or cut short (%d bytes)", what, what, len(data))
	}
	end := len(data) - trailerLen
	if sum := crc32.Checksum(data[:end], crc32.MakeTable(crc32.Castagnoli)); sum != binary.BigEndian.Uint32(data[end:]) {
		return nil, fmt.Errorf("%s: checksum %08x does not match: the object is damaged or cut short", what, sum)
	}
	if v := data[4]; v > newest || v == 0 {
		return nil, &NewerError{What: what, Found: v, Newest: newest}
	}
	return data[headerLen:end], nil
}

// AppendUint appends a variable-length number.
func AppendUint[T ~uint64 | ~uint32 | ~int](dst []byte, v T) []byte {
	return binary.AppendUvarint(dst, uint64(v))
}

// AppendInt appends a variable-length signed number.
func AppendInt[T ~int64 | ~int32 | ~int16](dst []byte, v T) []byte {
	return binary.AppendVarint(dst, int64(v))
}

// AppendString appends a length and the bytes.
func AppendString[T ~string](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// AppendBool appends one byte.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// A Reader takes fields off a body. Its error is sticky: after the first, every read returns zero.
type Reader struct {
	rest []byte
	err  error
}

// NewReader reads body.
func NewReader(body []byte) *Reader { return &Reader{rest: body} }

// Err is the first error, also if bytes are left over.
func (r *Reader) Err() error {
	if r.err == nil && len(r.rest) > 0 {
		return fmt.Errorf("%d bytes too many", len(r.rest))
	}
	return r.err
}

func (r *Reader) fail(what string) {
	if r.err == nil {
		r.err = errors.New(what)
		r.rest = nil
	}
}

// Uint reads what AppendUint wrote.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("a number is cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Int reads what AppendInt wrote.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail("a number is cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Take reads n bytes; they alias the body.
func (r *Reader) Take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail("a field is longer than what is left")
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// String reads what AppendString wrote.
func (r *Reader) String() string { return string(r.Take(r.Uint())) }

// Bool reads what AppendBool wrote.
func (r *Reader) Bool() bool {
	b := r.Take(1)
	if len(b) == 1 && b[0] > 1 {
		r.fail("a flag is neither 0 nor 1")
	}
	return len(b) == 1 && b[0] == 1
}

// Count reads the length of a list whose entries take at least size bytes each, so that a damaged length never
// makes the reader allocate more than the body is long.
func (r *Reader) Count(size int) int {
	n := r.Uint()
	if n > uint64(len(r.rest)/size) {
		r.fail("a list is longer than what is left")
		return 0
	}
	return int(n)
}
