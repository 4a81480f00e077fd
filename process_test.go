package weir_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir"
	"weir/protocol/batch"
	"weir/protocol/state"
)

// script is a job whose records say what to do with the three handles of their key, "k value set x", and whose output is
// what is in them afterwards.
func script() *weir.Job {
	return scripted(func(c *weir.Context[string, string], line string, v *weir.ValueState[string], m *weir.MapState[string, int64], l *weir.ListState[[]byte]) error {
		f := strings.Fields(line + " . .")
		switch f[1] + " " + f[2] {
		case "value set":
			v.Set(f[3])
		case "value empty":
			v.Set("")
		case "value clear":
			v.Clear()
		case "map put":
			m.Put(f[3], int64(len(line)+m.Len()))
		case "map delete":
			m.Delete(f[3])
		case "map clear":
			m.Clear()
		case "map thin": // changed while it is walked through
			for k := range m.All() {
				if k < "c" {
					m.Delete(k)
					m.Put("z"+k, 0)
				}
			}
		case "list append":
			l.Append([]byte(f[3]))
			l.Append(slices.Concat(slices.Collect(l.All())...)) // aliases what was appended
		case "list drop":
			l.Drop(len(f[3]))
		case "list clear":
			l.Clear()
		case "fail now":
			return errBoom
		}
		c.Emit(c.Key() + dump(v, m, l))
		return nil
	})
}

// scripted is a job with one Process with all sorts of handles.
func scripted(f func(*weir.Context[string, string], string, *weir.ValueState[string], *weir.MapState[string, int64], *weir.ListState[[]byte]) error) *weir.Job {
	return lineJob(func(s weir.Stream[string]) {
		v := weir.NewValueState("v", weir.String{})
		m := weir.NewMapState("m", weir.String{}, weir.Int64{})
		l := weir.NewListState("l", weir.Bytes{})
		k := weir.KeyBy(s, func(l string) string { return l[:1] }, weir.String{}, weir.String{})
		toOut(weir.Process(k, "script", func(c *weir.Context[string, string], line string) error { return f(c, line, v, m, l) }, v, m, l))
	})()
}

func dump(v *weir.ValueState[string], m *weir.MapState[string, int64], l *weir.ListState[[]byte]) string {
	out := ""
	if s, ok := v.Get(); ok {
		out = fmt.Sprintf(" v=%q", s)
	}
	for k, n := range m.All() {
		if again, ok := m.Get(k); !ok || again != n {
			out += " WRONG"
		}
		out += fmt.Sprintf(" %s:%d", k, n)
	}
	for b := range l.All() {
		out += fmt.Sprintf(" [%s]", b)
	}
	return fmt.Sprintf("%s %d/%d", out, m.Len(), l.Len())
}

// model is what script does, on Go's own types.
type model struct {
	v *string
	m map[string]int64
	l []string
}

func (s *model) do(line string) string {
	f := strings.Fields(line + " . .")
	switch f[1] + " " + f[2] {
	case "value set":
		s.v = &f[3]
	case "value empty":
		s.v = new(string)
	case "value clear":
		s.v = nil
	case "map put":
		s.m[f[3]] = int64(len(line) + len(s.m))
	case "map delete":
		delete(s.m, f[3])
	case "map clear":
		clear(s.m)
	case "map thin":
		s.thin()
	case "list append":
		s.l = append(s.l, f[3])
		s.l = append(s.l, strings.Join(s.l, ""))
	case "list drop":
		s.l = s.l[min(len(s.l), len(f[3])):]
	case "list clear":
		s.l = nil
	}
	return line[:1] + s.String()
}

func (s *model) thin() {
	for _, k := range slices.Sorted(maps.Keys(s.m)) {
		if k < "c" {
			delete(s.m, k)
			s.m["z"+k] = 0
		}
	}
}

func (s *model) String() string {
	out := ""
	if s.v != nil {
		out = fmt.Sprintf(" v=%q", *s.v)
	}
	for _, k := range slices.Sorted(maps.Keys(s.m)) {
		out += fmt.Sprintf(" %s:%d", k, s.m[k])
	}
	for _, e := range s.l {
		out += " [" + e + "]"
	}
	return fmt.Sprintf("%s %d/%d", out, len(s.m), len(s.l))
}

// The handles do what Go's own types do, whatever the batches, and what they leave in state is all there is of them.
func TestHandlesAreAsGosTypes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringMatching(`[pq] (value (set [a-d]{0,3}|empty|clear)|map (put [a-e]{1,2}|delete [a-e]{1,2}|clear|thin)|list (append [a-c]{0,2}|drop [a-c]{1,2}|clear)|nothing)`)
		models := map[string]*model{}
		st := newTable()
		g, err := weir.Graph(script)
		if err != nil {
			t.Fatal(err)
		}
		code := g.Stages[1].Code()
		for range rapid.IntRange(1, 30).Draw(t, "lines") {
			l := line.Draw(t, "line")
			if models[l[:1]] == nil {
				models[l[:1]] = &model{m: map[string]int64{}}
			}
			if rapid.IntRange(0, 4).Draw(t, "crash") == 0 {
				code = g.Stages[1].Code() // nothing but the state is left
			}
			out := &collector{}
			if err := code.Process(records(l), st, out); err != nil {
				t.Fatal(err)
			}
			if got, want := texts(out.edges[0]), []string{"=" + models[l[:1]].do(l)}; !slices.Equal(got, want) {
				t.Fatalf("%s: got %q, want %q", l, got, want)
			}
		}
		for k, m := range models {
			if _, found := st.values[k]; found == (m.String() == " 0/0") {
				t.Fatalf("key %s: %q, and in state is %t", k, m, found)
			}
		}
	})
}

// records are lines as the stage behind the shuffle gets them.
func records(lines ...string) *batch.Batch {
	b := &batch.Batch{}
	for i, l := range lines {
		b.Append([]byte(l[:1]), []byte(l), batch.Record{Offset: int64(i)})
	}
	return b
}

func TestProcessFails(t *testing.T) {
	_, err := runGraph(script, map[string][]string{"lines": {"p value set x", "p fail now"}})
	if err == nil || !errors.Is(err, errBoom) || !strings.Contains(err.Error(), `operator "script": boom`) {
		t.Errorf("got %v", err)
	}
	var kept *weir.Context[string, string]
	for name, c := range map[string]struct {
		want string
		job  func() *weir.Job
	}{
		"elsewhere": {`operator "elsewhere": panic at`, lineJob(func(s weir.Stream[string]) {
			v := weir.NewValueState("v", weir.String{})
			k := weir.KeyBy(s, identity, weir.String{}, weir.String{})
			p := weir.Process(k, "p", func(c *weir.Context[string, string], l string) error { c.Emit(l); return nil }, v)
			toOut(weir.Map(p, "elsewhere", func(l string) string { panic("never reached" + l) }))
		})},
		"undeclared": {`operator "p": the state handle "v" is used outside of the function`, lineJob(func(s weir.Stream[string]) {
			v := weir.NewValueState("v", weir.String{})
			k := weir.KeyBy(s, identity, weir.String{}, weir.String{})
			toOut(weir.Process(k, "p", func(c *weir.Context[string, string], l string) error { v.Set(l); return nil }))
		})},
		"in the source": {`operator "early": the state handle "v" is used outside of the function`, lineJob(func(s weir.Stream[string]) {
			v := weir.NewValueState("v", weir.String{})
			early := weir.Map(s, "early", func(l string) string { v.Get(); return l })
			k := weir.KeyBy(early, identity, weir.String{}, weir.String{})
			toOut(weir.Process(k, "p", func(c *weir.Context[string, string], l string) error { return nil }, v))
		})},
		"kept": {`operator "p": Context "p" is used outside of its function`, lineJob(func(s weir.Stream[string]) {
			k := weir.KeyBy(s, identity, weir.String{}, weir.String{})
			toOut(weir.Process(k, "p", func(c *weir.Context[string, string], l string) error { kept = c; return nil }))
		})},
	} {
		_, err := runGraph(c.job, map[string][]string{"lines": {"x"}})
		if name == "kept" {
			err = afterwards(func() { kept.Emit("late") })
			c.want = `Context "p" is used outside of its function`
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func afterwards(f func()) (err error) {
	defer func() { err = recover().(error) }()
	f()
	return nil
}

// What state holds is not trusted.
func TestProcessOnDamagedState(t *testing.T) {
	for value, want := range map[string]string{"\x09v": "decode state: it is cut off", "\x01v": "decode state: it is cut off", "\x01m\x02\x05a": "decode state: it is cut off",
		"\x01m\x04\x01a\x01b": "decode state m: an int64 is 8 bytes long", "\x01l\x02\x05a": "decode state l: it is cut off"} {
		st := newTable()
		st.Put([]byte("p"), []byte(value))
		g, _ := weir.Graph(script)
		if err := g.Stages[1].Code().Process(records("p nothing"), st, &collector{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", value, err, want)
		}
	}
}

// What an operator of another version left there stays, for the way back.
func TestUndeclaredStateStays(t *testing.T) {
	st := newTable()
	other := "\x03old\x02xy"
	st.Put([]byte("p"), []byte(other))
	g, _ := weir.Graph(script)
	if err := g.Stages[1].Code().Process(records("p value set 1", "p value clear"), st, &collector{}); err != nil {
		t.Fatal(err)
	}
	if v, _ := st.Get([]byte("p")); string(v) != other {
		t.Errorf("state is %q", v)
	}
}

// ill is state that has an error once it has been asked something.
type ill struct {
	state.Keyed
	asked bool
}

func (s *ill) Get(key []byte) ([]byte, bool) { s.asked = true; return s.Keyed.Get(key) }
func (s *ill) Err() error {
	if s.asked {
		return errBoom
	}
	return nil
}

// The function gets no answer that cannot be trusted.
func TestProcessOnIllState(t *testing.T) {
	g, err := weir.Graph(lineJob(func(s weir.Stream[string]) {
		v := weir.NewValueState("v", weir.String{})
		k := weir.KeyBy(s, identity, weir.String{}, weir.String{})
		toOut(weir.Process(k, "p", func(c *weir.Context[string, string], l string) error {
			v.Get()
			panic("it got an answer")
		}, v))
	}))
	if err != nil {
		t.Fatal(err)
	}
	err = g.Stages[1].Code().Process(records("p"), &ill{Keyed: newTable()}, &collector{})
	if err == nil || !strings.Contains(err.Error(), `operator "p": keyed state: boom`) {
		t.Errorf("got %v", err)
	}
}

func TestHandleMistakes(t *testing.T) {
	nothing := func(*weir.Context[string, string], string) error { return nil }
	outside := weir.NewValueState("v", weir.String{})
	for want, handles := range map[string][]weir.Handle{
		`Process "p": the state handle "": its name must not be empty`:                 {weir.NewValueState("", weir.String{})},
		`Process "p": the state handle "a/b": its name must not be empty and has no s`: {weir.NewListState("a/b", weir.String{})},
		`Process "p": the state handle "v": the codec is missing`:                      {weir.NewValueState[string]("v", nil)},
		`Process "p": the state handle "m": the codec is missing`:                      {weir.NewMapState[string, string]("m", weir.String{}, nil)},
		`Process "p": the name of the state handle "v" is taken by another one`:        {weir.NewValueState("v", weir.String{}), weir.NewListState("v", weir.String{})},
		`Process "p": the state handle "v" is declared before: each belongs to one`:    {outside, outside},
		`Process "p": a state handle is missing`:                                       {nil},
	} {
		_, err := weir.Graph(lineJob(func(s weir.Stream[string]) {
			toOut(weir.Process(weir.KeyBy(s, identity, weir.String{}, weir.String{}), "p", nothing, handles...))
		}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	_, err := weir.Graph(lineJob(func(s weir.Stream[string]) {
		toOut(weir.Process[string, string, string](weir.KeyBy(s, identity, weir.String{}, weir.String{}), "p", nil))
	}))
	if err == nil || !strings.Contains(err.Error(), `Process "p": the function is missing`) {
		t.Errorf("got %v", err)
	}
}
