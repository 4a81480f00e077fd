package engine

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"weir/protocol"
)

// taken is what waits in the inbox.
func taken(b *box) []protocol.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.inbox)
}

// A timer that is set again fires once, at the new time; one that is cleared, or whose box is closed, not at all.
func TestTimers(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*box)
		want time.Duration // when it fires; zero: never
	}{
		{"fires", func(b *box) { b.set(1, time.Second) }, time.Second},
		{"later", func(b *box) { b.set(1, time.Second); b.set(1, 2*time.Second) }, 2 * time.Second},
		{"earlier", func(b *box) { b.set(1, 2*time.Second); b.set(1, time.Second) }, time.Second},
		{"cleared", func(b *box) { b.set(1, time.Second); b.clear(1) }, 0},
		{"cleared and set", func(b *box) { b.set(1, time.Second); b.clear(1); b.set(1, 3*time.Second) }, 3 * time.Second},
		{"not cleared by another", func(b *box) { b.set(1, time.Second); b.clear(2) }, time.Second},
		{"box closed", func(b *box) { b.set(1, time.Second); b.close() }, 0},
		{"set on a closed box", func(b *box) { b.close(); b.set(1, time.Second) }, 0},
		{"long ago", func(b *box) { b.set(1, -time.Hour) }, time.Nanosecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBox(protocol.Address{})
				c.do(b)
				if c.want > 0 {
					time.Sleep(c.want - 1)
					if got := taken(b); c.want > 1 && len(got) != 0 {
						t.Fatalf("fired too early: %v", got)
					}
				}
				time.Sleep(10 * time.Second)
				want := 0
				if c.want > 0 {
					want = 1
				}
				if got := taken(b); len(got) != want || want == 1 && got[0] != protocol.Event(protocol.Woken{Timer: 1}) {
					t.Fatalf("inbox: %v, want %d Woken", got, want)
				}
			})
		})
	}
}

// A timer may have fired, and wait for the box, while it is set again, cleared, or the box closed: it is nothing then.
func TestTimerThatFiresTooLate(t *testing.T) {
	for name, do := range map[string]func(*box){
		"set again": func(b *box) { b.set(1, time.Hour) },
		"cleared":   func(b *box) { b.clear(1) },
		"closed":    func(b *box) { b.close() },
	} {
		b := newBox(protocol.Address{})
		b.set(1, time.Hour)
		old := b.timers[1]
		do(b)
		b.fire(1, &old)
		if got := taken(b); len(got) > 0 {
			t.Errorf("%s: the old timer brought %v", name, got)
		}
		b.close()
	}
}

// op is a step of a test with timers: set, clear, or let time pass.
type op struct {
	what string
	id   protocol.TimerID
	d    time.Duration
}

func drawOps(t *rapid.T) (ops []op) {
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		ops = append(ops, op{
			what: rapid.SampledFrom([]string{"set", "set", "clear", "pass"}).Draw(t, "what"),
			id:   protocol.TimerID(rapid.IntRange(1, 3).Draw(t, "timer")),
			d:    time.Duration(rapid.IntRange(1, 50).Draw(t, "ms")) * time.Millisecond,
		})
	}
	return ops
}

// Whatever is set, set again and cleared, each timer fires when the last setting of it says, and no other.
func TestTimersAsTheModelSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ops, got, want := drawOps(rt), []string(nil), []string(nil)
		synctest.Test(t, func(*testing.T) { got, want = playOps(ops) })
		slices.Sort(got) // two timers of one instant fire in any order
		slices.Sort(want)
		if !slices.Equal(got, want) {
			rt.Fatalf("fired %v, want %v", got, want)
		}
	})
}

// playOps is which timers fired, and which the model says should have.
func playOps(ops []op) (got, want []string) {
	b := newBox(protocol.Address{})
	defer b.close()
	due := map[protocol.TimerID]time.Time{}
	for _, o := range ops {
		switch o.what {
		case "set":
			b.set(o.id, o.d)
			due[o.id] = time.Now().Add(o.d)
		case "clear":
			b.clear(o.id)
			delete(due, o.id)
		case "pass":
			time.Sleep(o.d + 1) // never ends when a timer fires
			for id, at := range due {
				if !at.After(time.Now()) {
					want = append(want, fmt.Sprint(id))
					delete(due, id)
				}
			}
		}
	}
	synctest.Wait()
	for _, ev := range taken(b) {
		got = append(got, fmt.Sprint(ev.(protocol.Woken).Timer))
	}
	return got, want
}

// A closed box takes nothing, gives nothing, and lets go of who waits for it.
func TestClosedBox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(protocol.Address{})
		b.post(protocol.Resumed{})
		waits := make(chan []protocol.Event)
		first := b.take(nil)
		go func() { waits <- b.take(nil) }()
		synctest.Wait()
		b.close()
		if got := <-waits; got != nil {
			t.Errorf("a closed box gave %v", got)
		}
		b.post(protocol.Resumed{})
		b.prepend(protocol.Resumed{})
		if got := taken(b); len(got) != 0 || len(first) != 1 {
			t.Errorf("a closed box holds %v; before it gave %v", got, first)
		}
	})
}

// Many post at once: nothing is lost, and each one's events stay in order.
func TestPostsKeepOrder(t *testing.T) {
	const posters, each = 4, 2000
	b := newBox(protocol.Address{})
	for p := range posters {
		go func() {
			for i := range each {
				b.post(protocol.Granted{Channel: protocol.ChannelID(p), N: i})
			}
		}()
	}
	var buf []protocol.Event
	next := make([]int, posters)
	for total := 0; total < posters*each; total += len(buf) {
		buf = b.take(buf)
		for _, ev := range buf {
			g := ev.(protocol.Granted)
			if g.N != next[g.Channel] {
				t.Fatalf("poster %d: event %d came, %d was due", g.Channel, g.N, next[g.Channel])
			}
			next[g.Channel]++
		}
	}
}
