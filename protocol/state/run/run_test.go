package run_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol/codec"
	"weir/protocol/state"
	"weir/protocol/state/run"
)

func entry(groups int, key, value string, tombstone bool) run.Entry {
	e := run.Entry{Key: []byte(key), Value: []byte(value), Hash: state.Hash([]byte(key)), Tombstone: tombstone}
	if tombstone {
		e.Value = nil
	}
	e.Group = state.GroupOf(e.Hash, groups)
	return e
}

func order(a, b run.Entry) int {
	if a.Group != b.Group {
		return a.Group - b.Group
	}
	return bytes.Compare(a.Key, b.Key)
}

func encode(groups int, entries []run.Entry) []byte {
	slices.SortFunc(entries, order)
	w := run.NewWriter(groups)
	for _, e := range entries {
		w.Add(e)
	}
	return w.Append(nil)
}

func drawEntries(t *rapid.T, groups int) []run.Entry {
	var out []run.Entry
	seen := map[string]bool{}
	for range rapid.IntRange(0, 300).Draw(t, "n") {
		key := rapid.OneOf(rapid.StringN(0, 6, 20), rapid.StringMatching(`user-[0-9]{1,4}`)).Draw(t, "key")
		if seen[key] {
			continue
		}
		seen[key] = true
		value := strings.Repeat(rapid.StringN(0, 8, 8).Draw(t, "value"), rapid.SampledFrom([]int{1, 1, 1, 1, 90, 9000}).Draw(t, "times"))
		out = append(out, entry(groups, key, value, rapid.IntRange(0, 4).Draw(t, "tombstone") == 0))
	}
	return out
}

func read(t *rapid.T, body []byte, g state.Groups) (out []run.Entry) {
	r, err := run.Open(body)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	c := r.Cursor(g)
	for c.Next() {
		e := c.Entry()
		e.Key, e.Value = slices.Clone(e.Key), slices.Clone(e.Value)
		out = append(out, e)
	}
	if c.Err() != nil {
		t.Fatalf("read: %v", c.Err())
	}
	return out
}

func equal(a, b []run.Entry) bool {
	return slices.EqualFunc(a, b, func(a, b run.Entry) bool {
		return a.Group == b.Group && a.Hash == b.Hash && a.Tombstone == b.Tombstone && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SampledFrom([]int{1, 5, 128, 4000}).Draw(t, "groups")
		want := drawEntries(t, groups)
		body := encode(groups, want)
		if r, _ := run.Open(body); r.Groups() != groups || r.Len() != len(want) || r.Verify() != nil {
			t.Fatalf("%d groups, %d entries, verify says %v; want %d, %d", r.Groups(), r.Len(), r.Verify(), groups, len(want))
		}
		from := rapid.IntRange(0, groups).Draw(t, "from")
		clip := state.Groups{From: from, To: rapid.IntRange(from, groups).Draw(t, "to")}
		if got := read(t, body, state.Groups{From: 0, To: groups}); !equal(got, want) {
			t.Fatalf("read %d entries, wrote %d", len(got), len(want))
		}
		want = slices.DeleteFunc(want, func(e run.Entry) bool { return e.Group < clip.From || e.Group >= clip.To })
		if got := read(t, body, clip); !equal(got, want) {
			t.Fatalf("read %d entries of groups %v, wrote %d", len(got), clip, len(want))
		}
	})
}

// TestBlocks writes several blocks, of one group and of many, compressed and not.
func TestBlocks(t *testing.T) {
	for _, groups := range []int{1, 128} {
		for _, fill := range []byte{0, 1} {
			var entries []run.Entry
			rng := rand.NewChaCha8([32]byte{})
			for i := range 3000 {
				value := make([]byte, 100)
				if fill != 0 {
					_, _ = rng.Read(value)
				}
				entries = append(entries, entry(groups, fmt.Sprintf("key%d", i), string(value), false))
			}
			body := encode(groups, entries)
			rapid.Check(t, func(t *rapid.T) {
				from := rapid.IntRange(0, groups-1).Draw(t, "from")
				to := rapid.IntRange(from, groups).Draw(t, "to")
				want := slices.DeleteFunc(slices.Clone(entries), func(e run.Entry) bool { return e.Group < from || e.Group >= to })
				if got := read(t, body, state.Groups{From: from, To: to}); !equal(got, want) {
					t.Fatalf("read %d entries of groups %d to %d, wrote %d", len(got), from, to, len(want))
				}
			})
			if compressed := len(body) < 100_000; compressed != (fill == 0) {
				t.Errorf("%d groups, fill %d: the run has %d bytes", groups, fill, len(body))
			}
		}
	}
}

// TestSmallRunsAreSmall: a delta is at most 1.1 times its keys and values, also without compression.
func TestSmallRunsAreSmall(t *testing.T) {
	rng := rand.NewChaCha8([32]byte{})
	for _, n := range []int{50, 500, 50_000} {
		var entries []run.Entry
		size := 0
		for range n {
			var b [24]byte
			_, _ = rng.Read(b[:])
			entries = append(entries, entry(128, string(b[:8]), string(b[8:]), false))
			size += len(b)
		}
		if body := encode(128, entries); len(body)*10 > size*11 {
			t.Errorf("%d random entries of %d bytes are a run of %d", n, size, len(body))
		}
	}
}

func TestRefusals(t *testing.T) {
	var entries []run.Entry
	for i := range 200 {
		entries = append(entries, entry(16, fmt.Sprint(i), fmt.Sprint(i*i), i%7 == 0))
	}
	body := encode(16, entries)
	for cut := range len(body) {
		if _, err := run.Open(body[:cut]); err == nil {
			t.Fatalf("a run of %d bytes, cut to %d, was opened", len(body), cut)
		}
	}
	for bit := range len(body) * 8 {
		flipped := slices.Clone(body)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := run.Open(flipped); err == nil {
			t.Fatalf("a run with bit %d flipped was opened", bit)
		}
	}
	if _, err := run.Open(append(slices.Clone(body), 0)); err == nil {
		t.Error("a run with a byte too many was opened")
	}
	_, err := run.Open(sealed(9, nil))
	if newer := new(codec.NewerError); !errors.As(err, &newer) {
		t.Errorf("a run of format 9: %v", err)
	}
}

func sealed(version byte, body []byte) []byte {
	return codec.Seal(nil, "WRUN", version, func(dst []byte) []byte { return append(dst, body...) })
}

// TestWrongContent: under a right checksum, what no writer of ours writes is an error, at Open or in Verify.
func TestWrongContent(t *testing.T) {
	uints := func(tail string, vs ...uint64) (b []byte) {
		for _, v := range vs {
			b = codec.AppendUint(b, v)
		}
		return append(b, tail...)
	}
	for _, c := range []struct {
		name string
		body []byte
		want string
	}{
		{"nothing", nil, "0 key groups"},
		{"no groups", uints("", 0, 0, 0), "0 key groups"},
		{"endless groups", uints("", 1<<40, 0, 0), "key groups"},
		{"blocks from nowhere", uints("", 1, 1, 1<<50), "longer"},
		{"group beyond the last", uints("\x02\x01a", 1, 1, 1, 1, 3, 0), "does not exist"},
		{"empty block", uints("", 1, 0, 1, 0, 0, 0), "0 bytes"},
		{"block beyond the end", uints("\x02\x01a", 1, 1, 1, 0, 4, 0), "longer"},
		{"bytes between", uints("\x02\x01a", 1, 1, 1, 0, 2, 0), "too many"},
		{"bomb", uints("\xff\xff\x03", 1, 1, 1, 0, 3, 1<<40), "claims"},
		{"wrong count", uints("\x02\x01a", 1, 2, 1, 0, 3, 0), "header"},
		{"endless count", uints("\x02\x01a", 1, 9, 1, 0, 3, 0), "9 entries"},
		{"first entry leaves out its value", uints("\x03a", 1, 1, 1, 0, 2, 0), "cut short"},
		{"entry cut in its lengths", uints("\xff", 1, 1, 1, 0, 1, 0), "cut short"},
		{"entry cut in its value", uints("\x02", 1, 1, 1, 0, 1, 0), "cut short"},
		{"key beyond the block", uints("\x04\x01a", 1, 1, 1, 0, 3, 0), "longer"},
		{"value beyond the block", uints("\x02\x03a", 1, 1, 1, 0, 3, 0), "longer"},
		{"keys out of order", uints("\x02\x01b\x03a", 1, 2, 1, 0, 5, 0), "not above"},
		{"key twice, in two blocks", uints("\x02\x01a\x02\x01a", 1, 2, 2, 0, 3, 0, 0, 3, 0), "not above"},
		{"another group", uints("\x02\x01a", 128, 1, 1, 0, 3, 0), "another key group"},
		{"length that s2 denies", uints("\x02\x04\x02\x01", 1, 1, 1, 0, 4, 3), "length"},
		{"not s2", uints("\x03\xff\xff\xff", 1, 1, 1, 0, 4, 3), "decompress"},
	} {
		r, err := run.Open(sealed(1, c.body))
		if err == nil {
			err = r.Verify()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	r, err := run.Open(sealed(1, uints("\x02\x02ax\x03by", 1, 2, 1, 0, 7, 0)))
	if err != nil || r.Verify() != nil {
		t.Errorf("a right run written by hand: %v, %v", err, r.Verify())
	}
}

func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var bodies [][]byte
		newest := map[string]run.Entry{}
		for range rapid.IntRange(1, 6).Draw(t, "runs") {
			entries := drawEntries(t, 8)
			bodies = append(bodies, encode(8, entries))
			for _, e := range entries {
				newest[string(e.Key)] = e
			}
		}
		drop := rapid.Bool().Draw(t, "drop")
		var want []run.Entry
		for _, e := range newest {
			if !drop || !e.Tombstone {
				want = append(want, e)
			}
		}
		object, err := run.Merge(bodies, drop)
		if err != nil {
			t.Fatal(err)
		}
		got := object.Encode(nil)
		if !bytes.Equal(got, encode(8, want)) {
			t.Fatalf("merge of %d runs is not the run of the newest entries", len(bodies))
		}
		if !bytes.Equal(object.Encode([]byte{1})[1:], got) {
			t.Fatal("a merge encoded twice differs")
		}
	})
}

func TestMergeRefuses(t *testing.T) {
	a, b := encode(8, nil), encode(9, nil)
	for name, bodies := range map[string][][]byte{"nothing": nil, "another job's": {a, b}, "damaged": {a, a[1:]}} {
		if _, err := run.Merge(bodies, true); err == nil {
			t.Errorf("merge of %s: no error", name)
		}
	}
}

// TestWriterRefusesDisorder: a run out of order would be merged wrong, so the writer stops.
func TestWriterRefusesDisorder(t *testing.T) {
	for name, entries := range map[string][2]run.Entry{
		"the same key twice": {entry(1, "a", "", false), entry(1, "a", "", false)},
		"keys descending":    {entry(1, "b", "", false), entry(1, "a", "", false)},
		"groups descending":  {{Key: []byte("a"), Group: 3}, {Key: []byte("b"), Group: 2}},
		"group out of range": {{Key: []byte("a"), Group: 3}, {Key: []byte("b"), Group: 8}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			w := run.NewWriter(8)
			w.Add(entries[0])
			w.Add(entries[1])
		}()
	}
}

// FuzzOpen: whatever comes in, opening and reading it ends without a panic, and memory stays within the bound.
// The input is tried as it is and sealed, so that the fuzzer gets past the checksum.
func FuzzOpen(f *testing.F) {
	f.Add(encode(4, nil))
	f.Add(encode(1, []run.Entry{entry(1, "a", "x", false), entry(1, "b", "", true)}))
	f.Add([]byte("\x01\x02\x01\x00\x07\x00\x02\x02ax\x03by"))
	long := encode(4, []run.Entry{entry(4, "a", strings.Repeat("ab", 5000), false), entry(4, "b", "x", false)})
	f.Add(long[5 : len(long)-4])
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, body := range [][]byte{in, sealed(1, in)} {
			r, err := run.Open(body)
			if err != nil {
				continue
			}
			size, n := 0, 0
			c := r.Cursor(state.Groups{From: 0, To: r.Groups()})
			for c.Next() {
				n++
				size += len(c.Entry().Key) + len(c.Entry().Value)
			}
			if size > 64*len(body) {
				t.Errorf("a run of %d bytes holds %d", len(body), size)
			}
			if c.Err() == nil && n == r.Len() {
				object, err := run.Merge([][]byte{body, body}, false)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := run.Open(object.Encode(nil)); err != nil || again.Len() != n {
					t.Errorf("a run that can be read merges with itself to %d entries, %v", again.Len(), err)
				}
			}
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	var bodies [][]byte
	size := 0
	for r := range 8 {
		var entries []run.Entry
		for i := range 20_000 {
			entries = append(entries, entry(128, fmt.Sprintf("user-%08d", i*(r+1)), fmt.Sprintf("%016x", i*i), false))
		}
		bodies = append(bodies, encode(128, entries))
		size += 20_000 * 29
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		object, _ := run.Merge(bodies, true)
		object.Encode(nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/160_000, "ns/entry")
}
