package statetest

import (
	"bytes"
	"slices"
	"strconv"

	"pgregory.net/rapid"

	"weir/protocol/state"
	"weir/protocol/state/run"
)

// A machine drives one table and its model through the same calls.
type machine struct {
	open  Open
	owned state.Groups
	total int
	keys  [][]byte

	st      state.Keyed
	live    model
	delta   model
	lineage []frozen
	next    int // of the keys that growth makes
}

// A frozen is a delta in the lineage of the task; an aborted checkpoint leaves its delta there too.
type frozen struct {
	object state.Frozen
	delta  model
	live   model  // at the freeze
	run    []byte // what delta must be encoded as
}

func metamorphic(t *rapid.T, open Open) {
	m := &machine{open: open, total: rapid.SampledFrom([]int{1, 3, 16, 128}).Draw(t, "groups")}
	m.owned = whole(m.total)
	if rapid.Bool().Draw(t, "part") {
		tasks := rapid.IntRange(1, min(m.total, 5)).Draw(t, "tasks")
		m.owned = state.Owned(rapid.IntRange(0, tasks-1).Draw(t, "task"), m.total, tasks)
	}
	m.keys = ownKeys(m.owned, m.total, 12)
	m.st = open(m.owned, m.total)
	defer func() { closeTable(m.st) }()
	t.Repeat(map[string]func(*rapid.T){
		"put": m.put, "put again": m.put, "rewrite": m.rewrite, "copy": m.copy, "delete": m.delete, "grow": m.grow, "churn": m.churn, "shrink": m.shrink,
		"freeze": m.freeze, "encode": m.encode, "rescale": m.rescale, "merge": m.merge, "crash": m.crash, "": m.check,
	})
	for i := range m.lineage {
		m.encodeOne(t, i)
	}
}

func (m *machine) key(t *rapid.T) []byte { return rapid.SampledFrom(m.keys).Draw(t, "key") }

func (m *machine) value(t *rapid.T) []byte {
	n := rapid.OneOf(rapid.IntRange(0, 20), rapid.SampledFrom([]int{64, 65, 600, 5000, 40000, 70000})).Draw(t, "length")
	return bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "fill"))}, n)
}

// set puts in table and model; the table sees buffers that are overwritten afterwards.
func (m *machine) set(key, value []byte) {
	m.note(pair{key: string(key), value: string(value)})
	k, v := slices.Clone(key), slices.Clone(value)
	m.st.Put(k, v)
	scribble(k)
	scribble(v)
}

func (m *machine) note(p pair) {
	m.delta = m.delta.set(p)
	m.live = m.live.set(p).alive()
}

func scribble(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}

func (m *machine) put(t *rapid.T) { m.set(m.key(t), m.value(t)) }

func (m *machine) remove(key []byte) {
	m.note(pair{key: string(key), tombstone: true})
	k := slices.Clone(key)
	m.st.Delete(k)
	scribble(k)
}

func (m *machine) delete(t *rapid.T) { m.remove(m.key(t)) }

// rewrite puts back a part of what Get returned, or more than it: the argument aliases the table.
func (m *machine) rewrite(t *rapid.T) {
	key := m.key(t)
	value, _ := m.st.Get(key)
	if rapid.Bool().Draw(t, "longer") {
		value = append(value, m.value(t)...)
	} else {
		value = value[len(value)/3:]
	}
	p := pair{key: string(key), value: string(value)}
	m.st.Put(key, value)
	m.note(p)
}

// copy puts one key's value under another.
func (m *machine) copy(t *rapid.T) {
	from, to := m.key(t), m.key(t)
	if value, ok := m.st.Get(from); ok {
		p := pair{key: string(to), value: string(value)}
		m.st.Put(to, value)
		m.note(p)
	}
}

// grow adds keys that were never there, enough to make a table grow.
func (m *machine) grow(t *rapid.T) {
	for n := rapid.IntRange(1, 60).Draw(t, "n"); n > 0; m.next++ {
		key := []byte("grown" + strconv.Itoa(m.next))
		if g := state.GroupOf(state.Hash(key), m.total); g >= m.owned.From && g < m.owned.To {
			m.set(key, key[:len(key)/2])
			n--
		}
	}
}

// churn changes few keys often, with freezes between.
func (m *machine) churn(t *rapid.T) {
	for _, step := range rapid.SliceOfN(rapid.IntRange(0, 1000), 1, 60).Draw(t, "steps") {
		key := m.keys[step%len(m.keys)]
		switch step / 12 % 8 {
		case 0:
			m.freeze(t)
		case 1, 2, 3:
			m.remove(key)
		default:
			m.set(key, key)
		}
	}
}

// shrink deletes some of all keys.
func (m *machine) shrink(t *rapid.T) {
	every := rapid.IntRange(1, 4).Draw(t, "every")
	for i, p := range slices.Clone(m.live) {
		if i%every == 0 {
			m.remove([]byte(p.key))
		}
	}
}

func (m *machine) freeze(t *rapid.T) {
	f := frozen{object: m.st.Freeze(), delta: m.delta, live: slices.Clone(m.live), run: m.delta.encode(m.total)}
	m.lineage, m.delta = append(m.lineage, f), nil
	if f.object.Len() != len(f.delta) || f.object.Size() != f.delta.size() {
		t.Fatalf("frozen delta has %d entries of %d bytes, want %d of %d", f.object.Len(), f.object.Size(), len(f.delta), f.delta.size())
	}
	if rapid.Bool().Draw(t, "encode at once") {
		m.encodeOne(t, len(m.lineage)-1)
	}
}

// encode encodes any delta of the lineage, whatever happened to the table since.
func (m *machine) encode(t *rapid.T) {
	if len(m.lineage) == 0 {
		t.Skip("nothing frozen")
	}
	m.encodeOne(t, rapid.IntRange(0, len(m.lineage)-1).Draw(t, "frozen"))
}

func (m *machine) encodeOne(t *rapid.T, i int) {
	f := &m.lineage[i]
	got := f.object.Encode([]byte("kept"))
	if want := append([]byte("kept"), f.run...); !bytes.Equal(got, want) {
		t.Fatalf("delta %d of %d is encoded as\n%q\nwant\n%q", i, len(m.lineage), got, want)
	}
	if n := f.object.Len(); n != len(f.delta) {
		t.Fatalf("delta %d has %d entries now, %d when it was frozen", i, n, len(f.delta))
	}
}

// bodies are the runs up to the last freeze, and what they amount to.
func (m *machine) bodies() (bodies [][]byte, live model) {
	for _, f := range m.lineage {
		bodies = append(bodies, f.object.Encode(nil))
		live = f.live
	}
	return bodies, live
}

// rescale restores the lineage into tables for another parallelism; each holds its own keys and nothing else.
func (m *machine) rescale(t *rapid.T) {
	bodies, live := m.bodies()
	tasks := rapid.IntRange(1, min(m.total, 6)).Draw(t, "tasks")
	for i := range tasks {
		g := state.Owned(i, m.total, tasks)
		st := m.restore(t, g, bodies)
		m.compare(t, st, slices.DeleteFunc(slices.Clone(live), func(p pair) bool {
			return state.OwnerOf(state.GroupOf(state.Hash([]byte(p.key)), m.total), m.total, tasks) != i
		}))
		closeTable(st)
	}
}

func (m *machine) restore(t *rapid.T, g state.Groups, bodies [][]byte) state.Keyed {
	st := m.open(g, m.total)
	for i, b := range bodies {
		b = slices.Clone(b)
		if err := st.Restore(b); err != nil {
			t.Fatalf("restore of run %d: %v", i, err)
		}
		scribble(b)
	}
	return st
}

// compare reads every key of the pool, of growth and of want from st.
func (m *machine) compare(t *rapid.T, st state.Keyed, want model) {
	keys := slices.Clone(m.keys)
	for i := range m.next {
		keys = append(keys, []byte("grown"+strconv.Itoa(i)))
	}
	for _, key := range keys {
		got, ok := st.Get(key)
		if value, alive := want.get(string(key)); ok != alive || string(got) != value {
			t.Fatalf("key %q has %d bytes, there: %v; want %d bytes, there: %v", key, len(got), ok, len(value), alive)
		}
	}
	if err := st.Err(); err != nil {
		t.Fatalf("sticky error: %v", err)
	}
}

// merge replaces consecutive runs by their merge; the lineage means the same.
func (m *machine) merge(t *rapid.T) {
	if len(m.lineage) == 0 {
		t.Skip("nothing frozen")
	}
	bodies, live := m.bodies()
	from := rapid.IntRange(0, len(bodies)-1).Draw(t, "from")
	to := rapid.IntRange(from+1, len(bodies)).Draw(t, "to")
	object, err := run.Merge(bodies[from:to], from == 0)
	if err != nil {
		t.Fatalf("merge: %v", err)
	}
	var want model
	for _, f := range m.lineage[from:to] {
		want = want.apply(f.delta)
	}
	if from == 0 {
		want = want.alive()
	}
	got := object.Encode(nil)
	if !bytes.Equal(got, want.encode(m.total)) {
		t.Fatalf("merge of runs %d to %d of %d is %q", from, to, len(bodies), got)
	}
	st := m.restore(t, m.owned, slices.Replace(bodies, from, to, got))
	m.compare(t, st, live)
	closeTable(st)
}

// crash goes on with a table restored from the lineage.
func (m *machine) crash(t *rapid.T) {
	bodies, live := m.bodies()
	closeTable(m.st)
	m.st = m.restore(t, m.owned, bodies)
	m.live, m.delta = slices.Clone(live), nil
}

func (m *machine) check(t *rapid.T) { m.compare(t, m.st, m.live) }
