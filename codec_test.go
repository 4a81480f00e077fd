package weir_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir"
)

// roundTrip checks that what Append adds behind any prefix is what Decode reads.
func roundTrip[T any](t *rapid.T, c weir.Codec[T], v T, same func(a, b T) bool) {
	prefix := rapid.SliceOf(rapid.Byte()).Draw(t, "prefix")
	b, err := c.Append(bytes.Clone(prefix), v)
	if err != nil || !bytes.HasPrefix(b, prefix) {
		t.Fatalf("Append(%x, %v): %x, %v", prefix, v, b, err)
	}
	got, err := c.Decode(b[len(prefix):])
	if err != nil || !same(got, v) {
		t.Fatalf("Decode: got %v, %v, want %v", got, err, v)
	}
}

func equal[T comparable](a, b T) bool { return a == b }

func TestCodecs(t *testing.T) {
	inter := weir.Interned()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "string")
		roundTrip(t, weir.String{}, s, equal)
		roundTrip(t, inter, s, equal)
		roundTrip(t, inter, strings.Repeat(s, 100), equal)
		roundTrip(t, weir.Bytes{}, []byte(s), bytes.Equal)
		roundTrip(t, weir.Int64{}, rapid.Int64().Draw(t, "int64"), equal)
		roundTrip(t, weir.JSON[weir.KV[string, int64]]{}, weir.KV[string, int64]{Key: strings.ToValidUTF8(s, "?"), Value: 1}, equal)
	})
}

func TestCodecErrors(t *testing.T) {
	for _, b := range []string{"", "1234567", "123456789"} {
		if _, err := (weir.Int64{}).Decode([]byte(b)); err == nil {
			t.Errorf("Int64 decoded %q", b)
		}
	}
	for _, b := range []string{"", "1 2", "x", "[1]"} {
		if v, err := (weir.JSON[int64]{}).Decode([]byte(b)); err == nil {
			t.Errorf("JSON decoded %q to %d", b, v)
		}
	}
	if _, err := (weir.JSON[float64]{}).Append(nil, math.NaN()); err == nil {
		t.Error("JSON encoded NaN")
	}
}

// The bytes an interned string was decoded from may be overwritten.
func TestInternedKeepsNoAlias(t *testing.T) {
	c, b := weir.Interned(), []byte("key")
	v, _ := c.Decode(b)
	copy(b, "xxx")
	if again, _ := c.Decode([]byte("key")); v != "key" || again != "key" {
		t.Errorf("got %q, then %q", v, again)
	}
}

// Bytes lends a slice that append does not grow into its neighbour.
func TestBytesDoNotOverflow(t *testing.T) {
	b := []byte("ab")
	v, _ := (weir.Bytes{}).Decode(b[:1])
	_ = append(v, 'x')
	if string(b) != "ab" {
		t.Errorf("the neighbour is %q", b)
	}
}
