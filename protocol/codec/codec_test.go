package codec

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

const magic = "WTST"

func sealed(version byte, body []byte) []byte {
	return Seal(nil, magic, version, func(b []byte) []byte { return append(b, body...) })
}

func TestEnvelope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "before")
		body := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "body")
		data := Seal(append([]byte(nil), before...), magic, 3, func(b []byte) []byte { return append(b, body...) })
		if string(data[:len(before)]) != string(before) {
			t.Fatal("what was in dst is changed")
		}
		got, err := Open(data[len(before):], magic, 3, "test")
		if err != nil || string(got) != string(body) {
			t.Fatalf("%q, %v; want %q", got, err, body)
		}
	})
}

func TestDamageIsSeen(t *testing.T) {
	data := sealed(1, []byte("the quick brown fox"))
	for n := range data {
		if _, err := Open(data[:n], magic, 9, "test"); err == nil {
			t.Errorf("cut to %d bytes: no error", n)
		}
	}
	for bit := range 8 * len(data) {
		broken := append([]byte(nil), data...)
		broken[bit/8] ^= 1 << (bit % 8)
		if _, err := Open(broken, magic, 255, "test"); err == nil {
			t.Errorf("bit %d flipped: no error", bit)
		}
	}
	if _, err := Open(append(data, 0), magic, 9, "test"); err == nil {
		t.Error("a byte too many: no error")
	}
	if _, err := Open(data, "WXXX", 9, "test"); err == nil {
		t.Error("another magic: no error")
	}
}

func TestVersions(t *testing.T) {
	_, err := Open(sealed(4, nil), magic, 3, "test")
	var newer *NewerError
	if !errors.As(err, &newer) || newer.Found != 4 || newer.Newest != 3 {
		t.Errorf("version 4 of 3: %v", err)
	}
	if _, err := Open(sealed(0, nil), magic, 3, "test"); err == nil {
		t.Error("version 0: no error")
	}
	if _, err := Open(sealed(2, nil), magic, 3, "test"); err != nil {
		t.Errorf("an older version: %v", err)
	}
}

func TestFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.Uint64().Draw(t, "uint")
		i := rapid.Int64().Draw(t, "int")
		s := rapid.String().Draw(t, "string")
		b := rapid.Bool().Draw(t, "bool")
		n := rapid.IntRange(0, 5).Draw(t, "count")
		body := AppendBool(AppendString(AppendInt(AppendUint(nil, u), i), s), b)
		body = append(AppendUint(body, n), make([]byte, 2*n)...)
		r := NewReader(body)
		if r.Uint() != u || r.Int() != i || r.String() != s || r.Bool() != b || r.Count(2) != n || len(r.Take(uint64(2*n))) != 2*n || r.Err() != nil {
			t.Fatalf("not read back: %d %d %q %v %d: %v", u, i, s, b, n, r.Err())
		}
		for cut := range body {
			r := NewReader(body[:cut])
			r.Uint()
			r.Int()
			_ = r.String()
			r.Bool()
			r.Take(uint64(2 * r.Count(2)))
			if r.Err() == nil {
				t.Fatalf("cut to %d of %d bytes: no error", cut, len(body))
			}
		}
	})
}

func TestReaderStaysBroken(t *testing.T) {
	r := NewReader([]byte{7})
	r.Take(2)
	if r.Uint() != 0 || r.Int() != 0 || r.String() != "" || r.Bool() || r.Count(1) != 0 || r.Take(1) != nil {
		t.Error("a broken reader reads on")
	}
	if r.Err() == nil || r.Err().Error() != "a field is longer than what is left" {
		t.Errorf("the first error is lost: %v", r.Err())
	}
}

func TestLeftOver(t *testing.T) {
	r := NewReader([]byte{1, 2})
	r.Uint()
	if r.Err() == nil {
		t.Error("a byte is left over: no error")
	}
}

func TestLengthsAreBounded(t *testing.T) {
	for _, n := range []uint64{3, 1 << 20, math.MaxInt64, math.MaxUint64} {
		body := append(AppendUint(nil, n), 1, 2, 3, 4, 5)
		if got := NewReader(body).Count(2); got != 0 {
			t.Errorf("a list of %d entries of 2 bytes in 5 bytes: %d", n, got)
		}
		r := NewReader(body)
		if n > 5 && r.String() != "" {
			t.Errorf("text of %d bytes in 5 bytes", n)
		}
	}
	r := NewReader([]byte{2})
	if r.Bool(); r.Err() == nil {
		t.Error("a flag that is 2: no error")
	}
}
