package checkpoint

import (
	"fmt"
	"testing"

	"weir/protocol"
)

// desk is a writer with one intent under way.
type desk struct {
	t   *testing.T
	w   *writer
	out protocol.Effects
	now protocol.Time
}

const ourselves protocol.Incarnation = 7

func newDesk(t *testing.T, fresh bool) *desk {
	t.Helper()
	cfg := protocol.Defaults()
	d := &desk{t: t, w: newWriter(&cfg, 1, 1), now: 1}
	d.w.self = ourselves
	h := &Head{Job: "words", Epoch: 1, Attempt: 1}
	if !fresh {
		d.w.head, d.w.version = &Head{Job: "words", Seq: 4, Epoch: 1, Attempt: 1, Nonce: Nonce{ourselves, 99}}, "v4"
		h = d.w.next()
		h.Sealed = 42
	}
	d.w.propose(d.now, h, &d.out)
	return d
}

// take takes the one effect, but for notes and timers, that is asked for.
func (d *desk) take() protocol.Effect {
	d.t.Helper()
	var got []protocol.Effect
	d.w.ops.Arm(&d.out)
	for _, ef := range d.out.All() {
		switch ef.(type) {
		case protocol.Note, protocol.Wake:
		default:
			got = append(got, ef)
		}
	}
	d.out.Reset()
	d.now++
	if len(got) != 1 {
		d.t.Fatalf("effects %v, want one", got)
	}
	return got[0]
}

func (d *desk) store(ifMatch protocol.Version) protocol.Store {
	d.t.Helper()
	s, ok := d.take().(protocol.Store)
	if !ok || s.Key != HeadKey || s.IfMatch != ifMatch || s.Object != d.w.intent {
		d.t.Fatalf("store %+v, want the intent if-match %q", s, ifMatch)
	}
	return s
}

func (d *desk) load() protocol.Load {
	d.t.Helper()
	l, ok := d.take().(protocol.Load)
	if !ok || l.Key != HeadKey {
		d.t.Fatalf("%+v, want a load of HEAD", l)
	}
	return l
}

// expire lets the deadline of what is under way pass.
func (d *desk) expire() {
	d.now = d.now.Add(d.w.cfg.IOTimeout + d.w.cfg.RetryDelay)
	d.w.onDeadline(d.now, &d.out)
}

func (d *desk) answered(a writerAnswer, want string) {
	d.t.Helper()
	got := "open"
	switch {
	case a.won:
		got = "won"
	case a.lost != nil:
		got = "lost"
	case a.broken != "":
		got = "broken"
	}
	if got != want {
		d.t.Fatalf("%s (%+v), want %s", got, a, want)
	}
	if (got == "won") == d.w.busy() {
		d.t.Fatalf("%s and busy: %v", got, d.w.busy())
	}
}

// outcomes of a Store, and no answer at all.
var unsure = []protocol.Outcome{0, protocol.Unknown, protocol.Conflict, protocol.Retry, protocol.NotFound}

// unanswered brings a Store to an end that proves nothing.
func (d *desk) unanswered(s protocol.Store, o protocol.Outcome) {
	d.t.Helper()
	if o == 0 {
		d.expire()
		return
	}
	d.answered(d.w.onStored(d.now, protocol.Stored{Op: s.Op, Outcome: o}, &d.out), "open")
}

func TestHeadWrittenAtOnce(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		d := newDesk(t, fresh)
		want := protocol.Version("v4")
		if fresh {
			want = ""
		}
		s := d.store(want)
		d.answered(d.w.onStored(d.now, protocol.Stored{Op: s.Op, Outcome: protocol.OK, Version: "v5"}, &d.out), "won")
		if d.w.version != "v5" || d.w.head.Nonce != (Nonce{ourselves, 1}) {
			t.Errorf("version %s, nonce %v", d.w.version, d.w.head.Nonce)
		}
		if !fresh && d.w.head.Seq != 5 {
			t.Errorf("seq %d, want one more than 4", d.w.head.Seq)
		}
	}
}

// TestHeadFound: each outcome that is not OK, times what is found in HEAD then.
func TestHeadFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		fresh bool
		found func(d *desk) protocol.Loaded
		want  string
	}{
		{"ours", false, func(d *desk) protocol.Loaded { return loaded(d.w.intent) }, "won"},
		{"ours, the first ever", true, func(d *desk) protocol.Loaded { return loaded(d.w.intent) }, "won"},
		{"a higher epoch", false, func(*desk) protocol.Loaded { return loaded(&Head{Job: "words", Epoch: 2, Nonce: Nonce{8, 1}}) }, "lost"},
		{"another first", true, func(*desk) protocol.Loaded { return loaded(&Head{Job: "words", Epoch: 1, Nonce: Nonce{8, 1}}) }, "lost"},
		{"another job", true, func(*desk) protocol.Loaded { return loaded(&Head{Job: "other", Epoch: 1, Nonce: Nonce{8, 1}}) }, "broken"},
		{"nothing", false, func(*desk) protocol.Loaded { return protocol.Loaded{Outcome: protocol.NotFound} }, "broken"},
		{"no rights", false, func(*desk) protocol.Loaded { return protocol.Loaded{Outcome: protocol.Denied} }, "broken"},
		{"rubbish", false, func(*desk) protocol.Loaded { return protocol.Loaded{Outcome: protocol.OK, Body: []byte("WHED?")} }, "broken"},
	} {
		for _, o := range unsure {
			t.Run(fmt.Sprintf("%s after %s", c.name, o), func(t *testing.T) {
				d := newDesk(t, c.fresh)
				d.unanswered(d.store(d.w.version), o)
				l := d.load()
				ev := c.found(d)
				ev.Op = l.Op
				d.answered(d.w.onLoaded(d.now, ev, &d.out), c.want)
			})
		}
	}
}

func loaded(h *Head) protocol.Loaded {
	return protocol.Loaded{Outcome: protocol.OK, Version: "v9", Body: h.Encode(nil)}
}

// TestHeadRepeated: the predecessor is found, which proves nothing. The same write is sent again, until it is settled.
func TestHeadRepeated(t *testing.T) {
	for _, o := range unsure {
		d := newDesk(t, false)
		nonce := d.w.intent.Nonce
		d.unanswered(d.store("v4"), o)
		for range 3 {
			l := d.load()
			ev := loaded(d.w.head)
			ev.Op, ev.Version = l.Op, "v4"
			d.answered(d.w.onLoaded(d.now, ev, &d.out), "open")
			d.expire() // the pause
			s := d.store("v4")
			if d.w.intent.Nonce != nonce {
				t.Fatal("another write is sent")
			}
			d.unanswered(s, o)
		}
		l := d.load()
		ev := loaded(d.w.intent)
		ev.Op = l.Op
		d.answered(d.w.onLoaded(d.now, ev, &d.out), "won")
		if d.w.version != "v9" {
			t.Errorf("version %s, want what was read", d.w.version)
		}
	}
}

// TestHeadFirstWriteRepeated: there is no HEAD before the first write, and none after it was lost.
func TestHeadFirstWriteRepeated(t *testing.T) {
	d := newDesk(t, true)
	d.unanswered(d.store(""), protocol.Unknown)
	l := d.load()
	d.answered(d.w.onLoaded(d.now, protocol.Loaded{Op: l.Op, Outcome: protocol.NotFound}, &d.out), "open")
	d.expire() // the pause
	s := d.store("")
	d.answered(d.w.onStored(d.now, protocol.Stored{Op: s.Op, Outcome: protocol.OK, Version: "v1"}, &d.out), "won")
}

// TestHeadDenied: a refusal is final once HEAD shows that no earlier try has landed.
func TestHeadDenied(t *testing.T) {
	for _, c := range []struct {
		found func(d *desk) *Head
		want  string
	}{{func(d *desk) *Head { return d.w.head }, "broken"}, {func(d *desk) *Head { return d.w.intent }, "won"}} {
		d := newDesk(t, false)
		d.unanswered(d.store("v4"), protocol.Denied)
		ev := loaded(c.found(d))
		ev.Op = d.load().Op
		d.answered(d.w.onLoaded(d.now, ev, &d.out), c.want)
	}
}

// TestHeadReadAgain: a read that fails, or is not answered, is repeated.
func TestHeadReadAgain(t *testing.T) {
	for _, o := range []protocol.Outcome{0, protocol.Unknown, protocol.Corrupt} {
		d := newDesk(t, false)
		d.unanswered(d.store("v4"), protocol.Unknown)
		l := d.load()
		if o != 0 {
			d.answered(d.w.onLoaded(d.now, protocol.Loaded{Op: l.Op, Outcome: o}, &d.out), "open")
		}
		d.expire()
		l = d.load()
		ev := loaded(d.w.intent)
		ev.Op = l.Op
		d.answered(d.w.onLoaded(d.now, ev, &d.out), "won")
	}
}

// TestHeadLateAnswer: an answer to a call that is no longer waited for changes nothing.
func TestHeadLateAnswer(t *testing.T) {
	d := newDesk(t, false)
	s := d.store("v4")
	d.expire()
	l := d.load()
	d.answered(d.w.onStored(d.now, protocol.Stored{Op: s.Op, Outcome: protocol.OK, Version: "v5"}, &d.out), "open")
	ev := loaded(d.w.intent)
	ev.Op = l.Op
	d.answered(d.w.onLoaded(d.now, ev, &d.out), "won")
	if a := d.w.onLoaded(d.now, ev, &d.out); a.won || a.lost != nil || a.broken != "" {
		t.Errorf("a second answer: %+v", a)
	}
}
