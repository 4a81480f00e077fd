package statetest

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol/state"
)

// Open makes an empty table for a task that owns the groups g of total. If the table has a method Close() error, the
// suite calls it when it is done with the table.
type Open func(g state.Groups, total int) state.Keyed

// Run tests the implementation that open makes against a naive model.
func Run(t *testing.T, open func(g state.Groups, total int) state.Keyed) {
	t.Run("Metamorphic", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { metamorphic(r, open) }) })
	t.Run("Fresh", func(t *testing.T) { testFresh(t, open) })
	t.Run("Foreign", func(t *testing.T) { testForeign(t, open) })
	t.Run("Damaged", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { testDamaged(r, open) }) })
	t.Run("TombstoneOfNothing", func(t *testing.T) { testTombstone(t, open) })
}

func whole(total int) state.Groups { return state.Groups{From: 0, To: total} }

func closeTable(st state.Keyed) {
	if c, ok := st.(interface{ Close() error }); ok {
		_ = c.Close()
	}
}

// testFresh: a table without changes has a delta without entries, which is a run that restores to nothing.
func testFresh(t *testing.T, open Open) {
	st := open(whole(16), 16)
	defer closeTable(st)
	f := st.Freeze()
	if f.Len() != 0 || f.Size() != 0 {
		t.Errorf("a fresh table's delta has %d entries and %d bytes", f.Len(), f.Size())
	}
	back := open(whole(16), 16)
	defer closeTable(back)
	if err := back.Restore(f.Encode(nil)); err != nil {
		t.Errorf("restore of an empty run: %v", err)
	}
	if v, ok := back.Get([]byte("key")); ok {
		t.Errorf("a fresh table has %q under a key", v)
	}
}

// testForeign: a change of a key that another task owns is an error, because no restore would find it again; a run of
// a job with another number of groups is none of ours.
func testForeign(t *testing.T, open Open) {
	const total = 16
	owned := state.Groups{From: 2, To: 5}
	ours := ownKeys(owned, total, 1)[0]
	for _, group := range []int{0, 1, 5, 15} {
		theirs := ownKeys(state.Groups{From: group, To: group + 1}, total, 1)[0]
		for i, change := range []func(state.Keyed, []byte){
			func(st state.Keyed, key []byte) { st.Put(key, []byte("v")) },
			state.Keyed.Delete,
		} {
			name := []string{"put", "delete"}[i]
			st := open(owned, total)
			change(st, ours)
			if _, ok := st.Get(theirs); ok || st.Err() != nil {
				t.Errorf("%s of an own key, then get of a key of group %d: %v, error %v", name, group, ok, st.Err())
			}
			change(st, theirs)
			change(st, ours)
			if st.Err() == nil {
				t.Errorf("%s of a key of group %d in a task that owns %v: no error, or one that does not stick", name, group, owned)
			}
			closeTable(st)
		}
	}
	st := open(whole(total), total)
	defer closeTable(st)
	if err := st.Restore(model{{key: "k", value: "v"}}.encode(total + 1)); err == nil {
		t.Error("a run of a job with 17 key groups was restored into one with 16")
	}
}

// ownKeys are n keys of groups in g, unlike each other in length and alike in their beginnings.
func ownKeys(g state.Groups, total, n int) (keys [][]byte) {
	special := [][]byte{nil, {0}, {0, 0xff, 0}, []byte(strings.Repeat("long", 90))}
	for i := 0; len(keys) < n; i++ {
		key := strconv.AppendInt([]byte("a common prefix"), int64(i*7919%1000), 10)[i%2*15:]
		if i < len(special) {
			key = special[i]
		}
		if k := state.GroupOf(state.Hash(key), total); k >= g.From && k < g.To {
			keys = append(keys, key)
		}
	}
	return keys
}

// testDamaged: of a damaged run nothing is restored in silence.
func testDamaged(t *rapid.T, open Open) {
	var m model
	for _, k := range ownKeys(whole(16), 16, rapid.IntRange(0, 60).Draw(t, "keys")) {
		m = m.set(pair{string(k), strings.Repeat("v", len(m)*3), len(m)%5 == 4})
	}
	body := m.encode(16)
	at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
	if rapid.Bool().Draw(t, "cut") {
		body = body[:at]
	} else {
		body[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	}
	st := open(whole(16), 16)
	defer closeTable(st)
	if st.Restore(body) == nil {
		t.Fatalf("a run of %d bytes, damaged at %d, was restored", len(body), at)
	}
}

// testTombstone: a delete of what is not there leaves a tombstone, because an older run may hold the key.
func testTombstone(t *testing.T, open Open) {
	st := open(whole(4), 4)
	defer closeTable(st)
	st.Delete([]byte("gone"))
	f := st.Freeze()
	want := model{{key: "gone", tombstone: true}}.encode(4)
	if got := f.Encode(nil); f.Len() != 1 || f.Size() != 4 || string(got) != string(want) {
		t.Errorf("delta of a delete: %d entries, %d bytes, run %x, want %x", f.Len(), f.Size(), got, want)
	}
}
