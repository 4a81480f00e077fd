package task

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"weir/protocol"
	"weir/protocol/state"
	"weir/protocol/state/memory"
)

// shelfDesk is the snapshots of one task, and what they ask for.
type shelfDesk struct {
	t     *testing.T
	cfg   Config
	s     *snapshots
	out   protocol.Effects
	now   protocol.Time
	store map[protocol.ObjectKey][]byte // what is in the bucket
}

func newShelfDesk(t *testing.T, local bool, runs ...protocol.Run) *shelfDesk {
	d := &shelfDesk{t: t, now: 1, store: map[protocol.ObjectKey][]byte{}}
	d.cfg = Config{Config: protocol.Defaults(), Stage: "count", State: memory.New(state.Groups{To: 16}, 16)}
	d.cfg.Local = local
	d.cfg.Start.Snapshot.Runs = runs
	d.s = newSnapshots(&d.cfg)
	return d
}

// effects of one sort since the last call of reset.
func of[E protocol.Effect](d *shelfDesk) (list []E) {
	for _, ef := range d.out.All() {
		if e, ok := ef.(E); ok {
			list = append(list, e)
		}
	}
	return list
}

// one is the only effect of its sort.
func one[E protocol.Effect](d *shelfDesk) E {
	d.t.Helper()
	list := of[E](d)
	if len(list) != 1 {
		d.t.Fatalf("%d × %T in %s", len(list), *new(E), d.said())
	}
	return list[0]
}

func (d *shelfDesk) said() (text string) {
	for _, ef := range d.out.All() {
		text += "\n" + protocol.Format(ef)
	}
	return text
}

// checkpoint freezes one changed key and stores its run.
func (d *shelfDesk) checkpoint(id protocol.CheckpointID) protocol.Run {
	d.t.Helper()
	d.cfg.State.Put([]byte("key"), fmt.Append(nil, id))
	d.out.Reset()
	d.s.freeze(d.now, id, &d.out)
	st := one[protocol.Store](d)
	d.out.Reset()
	return d.stored(st)
}

func (d *shelfDesk) stored(st protocol.Store) protocol.Run {
	body := st.Object.Encode(nil)
	d.store[st.Key] = body
	r := protocol.Run{Key: st.Key, Size: int64(len(body)), Sum: sha256.Sum256(body)}
	d.s.onStored(d.now, protocol.Stored{Op: st.Op, Outcome: protocol.OK, Size: r.Size, Sum: r.Sum}, &d.out)
	return r
}

func TestDurableRunIsKept(t *testing.T) {
	d := newShelfDesk(t, true)
	r := d.checkpoint(1)
	k := one[protocol.Keep](d)
	if k.Shelf != "count-0" || k.Key != r.Key || string(k.Object.Encode(nil)) != string(d.store[r.Key]) {
		t.Errorf("kept %v, stored %v", k, r)
	}
	d = newShelfDesk(t, false, d.checkpoint(2))
	d.s.restore(d.now, &d.out)
	if one[protocol.Load](d); len(of[protocol.Recall](d)) > 0 {
		t.Errorf("without copies: %s", d.said())
	}
}

// TestRestoreFromCopies: an intact copy is enough, anything else makes the task ask the bucket, and keep what it says.
func TestRestoreFromCopies(t *testing.T) {
	before := newShelfDesk(t, true)
	r := before.checkpoint(1)
	body := before.store[r.Key]
	turned := slices.Clone(body)
	turned[len(body)/2] ^= 4
	for _, c := range []struct {
		name   string
		ev     protocol.Recalled
		usable bool
	}{
		{"intact", protocol.Recalled{Outcome: protocol.OK, Body: body}, true},
		{"gone", protocol.Recalled{Outcome: protocol.NotFound}, false},
		{"unreadable", protocol.Recalled{Outcome: protocol.Unknown}, false},
		{"torn", protocol.Recalled{Outcome: protocol.OK, Body: body[:len(body)-1]}, false},
		{"a bit turned", protocol.Recalled{Outcome: protocol.OK, Body: turned}, false},
		{"empty", protocol.Recalled{Outcome: protocol.OK}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newShelfDesk(t, true, r)
			d.s.restore(d.now, &d.out)
			c.ev.Op = one[protocol.Recall](d).Op
			d.out.Reset()
			a := d.s.onRecalled(d.now, c.ev, &d.out)
			if a.restored != c.usable || a.broken != "" {
				t.Fatalf("answer %+v, want restored %v", a, c.usable)
			}
			if !c.usable {
				op := one[protocol.Load](d).Op
				d.out.Reset()
				if a := d.s.onLoaded(d.now, protocol.Loaded{Op: op, Outcome: protocol.OK, Body: body}, &d.out); !a.restored {
					t.Fatalf("answer %+v to the object", a)
				}
				if k := one[protocol.Keep](d); string(k.Object.Encode(nil)) != string(body) {
					t.Error("what the bucket had is not kept")
				}
			}
			if v, _ := d.cfg.State.Get([]byte("key")); string(v) != "1" {
				t.Errorf("the state is %q", v)
			}
			if keys := one[protocol.Retain](d).Keys; !slices.Equal(keys, []protocol.ObjectKey{r.Key}) {
				t.Errorf("retained %v", keys)
			}
		})
	}
}

// A disk that does not answer costs a quarter of a request's time; what it says later is ignored.
func TestSilentDisk(t *testing.T) {
	before := newShelfDesk(t, true)
	r := before.checkpoint(1)
	d := newShelfDesk(t, true, r)
	d.s.restore(d.now, &d.out)
	asked := one[protocol.Recall](d).Op
	d.out.Reset()
	d.now = d.now.Add(d.cfg.IOTimeout/4 - 1)
	if d.s.onDeadline(d.now, &d.out); len(d.out.All()) > 0 {
		t.Fatalf("too early: %s", d.said())
	}
	d.now++
	d.s.onDeadline(d.now, &d.out)
	load := one[protocol.Load](d).Op
	if a := d.s.onRecalled(d.now, protocol.Recalled{Op: asked, Outcome: protocol.OK, Body: before.store[r.Key]}, &d.out); a.restored {
		t.Error("restored by an answer that nobody waits for")
	}
	if a := d.s.onLoaded(d.now, protocol.Loaded{Op: load, Outcome: protocol.OK, Body: before.store[r.Key]}, &d.out); !a.restored {
		t.Error("not restored by the object")
	}
}

// TestCopiesGoWithTheirCheckpoint: inputs of a consolidation may be asked for by a restore until a checkpoint that lists the
// result is decided. They are read from their copies, too.
func TestCopiesGoWithTheirCheckpoint(t *testing.T) {
	d := newShelfDesk(t, true)
	id := protocol.CheckpointID(1)
	for ; len(of[protocol.Recall](d)) == 0; id++ {
		if d.checkpoint(id); id > 100 {
			t.Fatal("no consolidation in 100 checkpoints")
		}
		d.s.onConfirmed(id, &d.out)
	}
	asked := of[protocol.Recall](d)
	d.out.Reset()
	for _, r := range asked {
		d.s.onRecalled(d.now, protocol.Recalled{Op: r.Op, Outcome: protocol.OK, Body: d.store[r.Key]}, &d.out)
	}
	merged := d.stored(one[protocol.Store](d))
	if one[protocol.Keep](d).Key != merged.Key || len(of[protocol.Load](d)) > 0 {
		t.Fatalf("the result is not kept, or inputs were loaded: %s", d.said())
	}
	d.out.Reset()
	d.s.onConfirmed(id-1, &d.out) // the inputs' checkpoint
	if len(d.out.All()) > 0 {
		t.Fatalf("before a checkpoint lists the result: %s", d.said())
	}
	d.checkpoint(id)
	d.out.Reset()
	d.s.onConfirmed(id-1, &d.out)
	d.s.onConfirmed(id, &d.out)
	keys := one[protocol.Retain](d).Keys
	if !slices.Contains(keys, merged.Key) || slices.Contains(keys, asked[0].Key) {
		t.Errorf("retained %v: wants the result, not its inputs", keys)
	}
}
