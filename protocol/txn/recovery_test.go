package txn

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
)

func newRecovery(d *desk) *Recovery { return NewRecovery(&d.cfg, 2, 3, 4, 5) }

var ids = []protocol.TransactionalID{"words/sink/0/2.3/0", "words/sink/0/2.3/1", "words/sink/0/1.1/0"}

// TestBarriers: nothing of a barrier happens before everything of the one before is done.
func TestBarriers(t *testing.T) {
	d := newDesk(t)
	r := newRecovery(d)
	r.Begin(d.now, []protocol.Committable{committable(41), committable(42)}, ids, &d.out)
	ends := all[protocol.EndTxn](d)
	if len(ends) != 2 {
		t.Fatalf("%d commits, want 2", len(ends))
	}
	r.OnEnded(d.now, protocol.Ended{Op: ends[1].Op, Outcome: protocol.OK}, &d.out)
	d.quiet() // the other one may still be committed: nothing is fenced
	r.OnEnded(d.now, protocol.Ended{Op: ends[0].Op, Outcome: protocol.Ask}, &d.out)
	fences := all[protocol.Fence](d)
	if len(fences) != len(ids) {
		t.Fatalf("%d fences, want %d", len(fences), len(ids))
	}
	for i, f := range fences {
		if f.ID != ids[i] {
			t.Errorf("fence of %s, want %s", f.ID, ids[i])
		}
	}
	for _, f := range fences[1:] {
		r.OnFenced(d.now, protocol.Fenced{Op: f.Op, ID: f.ID, Outcome: protocol.OK}, &d.out)
		d.quiet() // the first id is not fenced: nothing is read
	}
	r.OnFenced(d.now, protocol.Fenced{Op: fences[0].Op, Outcome: protocol.OK}, &d.out)
	reads := all[protocol.ReadLedger](d)
	if len(reads) != 2 || r.Done() {
		t.Fatalf("%d reads, want 2; done: %v", len(reads), r.Done())
	}
	r.OnRead(d.now, protocol.LedgerRead{Op: reads[0].Op, Outcome: protocol.OK, Value: EncodeLedger(Proof(committable(41)))}, &d.out)
	if r.Done() {
		t.Fatal("done before the second is judged")
	}
	r.OnRead(d.now, protocol.LedgerRead{Op: reads[1].Op, Outcome: protocol.NotFound}, &d.out)
	if !r.Done() || len(r.Judged()) != 2 || r.Judged()[0].Verdict != Present || r.Judged()[1].Verdict != Absent {
		t.Fatalf("done %v, judged %+v", r.Done(), r.Judged())
	}
}

// TestNothingToRecover: barriers with nothing before them are passed at once.
func TestNothingToRecover(t *testing.T) {
	d := newDesk(t)
	r := newRecovery(d)
	r.Begin(d.now, nil, nil, &d.out)
	d.quiet()
	if !r.Done() {
		t.Error("not done")
	}
	r.Begin(d.now, nil, ids[:1], &d.out)
	if r.Done() {
		t.Error("done before the fence")
	}
	r.OnFenced(d.now, protocol.Fenced{Op: asked[protocol.Fence](d).Op, Outcome: protocol.OK}, &d.out)
	if !r.Done() {
		t.Error("not done")
	}
}

// TestFenced: every outcome of Fence.
func TestFenced(t *testing.T) {
	for _, o := range []protocol.Outcome{0, protocol.Retry, protocol.Unknown, protocol.NotFound, protocol.Denied} {
		t.Run(o.String(), func(t *testing.T) {
			d := newDesk(t)
			r := newRecovery(d)
			r.Begin(d.now, nil, ids[:1], &d.out)
			f := asked[protocol.Fence](d)
			if o != 0 {
				r.OnFenced(d.now, protocol.Fenced{Op: f.Op, Outcome: o}, &d.out)
			}
			d.quiet()
			if o == protocol.Denied {
				if r.Denied() != ids[0] {
					t.Errorf("denied: %q", r.Denied())
				}
				return
			}
			if r.Done() {
				t.Fatal("done without the fence")
			}
			d.wait()
			r.OnDeadline(d.now, &d.out)
			r.OnFenced(d.now, protocol.Fenced{Op: asked[protocol.Fence](d).Op, Outcome: protocol.OK}, &d.out)
			if !r.Done() {
				t.Error("not done")
			}
		})
	}
}

// TestNoCommitBehindTheFence: what the ledger does not tell yet is read again, and never ended again.
func TestNoCommitBehindTheFence(t *testing.T) {
	d := newDesk(t)
	r := newRecovery(d)
	r.Begin(d.now, []protocol.Committable{committable(42)}, nil, &d.out)
	r.OnEnded(d.now, protocol.Ended{Op: asked[protocol.EndTxn](d).Op, Outcome: protocol.Ask}, &d.out)
	for range 3 {
		r.OnRead(d.now, protocol.LedgerRead{Op: asked[protocol.ReadLedger](d).Op, Outcome: protocol.Unknown}, &d.out)
		d.quiet()
		d.wait()
		r.OnDeadline(d.now, &d.out)
	}
	asked[protocol.ReadLedger](d)
}

// TestDeniedStops: a refusal leaves nothing known.
func TestDeniedStops(t *testing.T) {
	d := newDesk(t)
	r := newRecovery(d)
	r.Begin(d.now, []protocol.Committable{committable(42)}, ids, &d.out)
	r.OnEnded(d.now, protocol.Ended{Op: asked[protocol.EndTxn](d).Op, Outcome: protocol.Denied}, &d.out)
	if r.Denied() != committable(42).ID {
		t.Errorf("denied: %q", r.Denied())
	}
}

// TestSecondRecovery: what an earlier recovery asked for is never taken for an answer to this one, and its timers do not
// keep this one from setting its own.
func TestSecondRecovery(t *testing.T) {
	d := newDesk(t)
	r := newRecovery(d)
	r.Begin(d.now, []protocol.Committable{committable(41)}, nil, &d.out)
	r.Arm(&d.out)
	old := asked[protocol.EndTxn](d)
	d.wait()
	r.Begin(d.now, []protocol.Committable{committable(42)}, ids, &d.out)
	r.Arm(&d.out)
	armed := false
	for _, ef := range d.out.All() {
		if w, ok := ef.(protocol.Wake); ok && w.At > d.now {
			armed = true
		}
	}
	if !armed {
		t.Error("no timer is set for what the second recovery waits for")
	}
	fresh := asked[protocol.EndTxn](d)
	r.OnEnded(d.now, protocol.Ended{Op: old.Op, Outcome: protocol.OK}, &d.out)
	d.quiet()
	if fresh.Op == old.Op {
		t.Error("an op is used twice")
	}
	if len(r.Judged()) != 0 {
		t.Errorf("judged %+v", r.Judged())
	}
}

// TestAnyOrder: whatever the services answer, and in whatever order, the barriers hold and the end is reached.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(t)
		r := newRecovery(d)
		var decided []protocol.Committable
		for id := range rapid.IntRange(0, 4).Draw(rt, "committables") {
			decided = append(decided, committable(protocol.CheckpointID(id+1)))
		}
		r.Begin(d.now, decided, ids[:rapid.IntRange(0, 3).Draw(rt, "ids")], &d.out)
		phase, ended := 0, 0
		var open []protocol.Effect
		for step := 0; !r.Done() && step < 500; step++ {
			for _, ef := range d.take() {
				p := map[string]int{"protocol.EndTxn": 1, "protocol.Fence": 2, "protocol.ReadLedger": 3}[fmt.Sprintf("%T", ef)]
				if p < phase {
					rt.Fatalf("%s comes behind barrier %d", protocol.Format(ef), phase)
				}
				if p > 1 && ended < len(decided) {
					rt.Fatalf("%s before every commit was answered", protocol.Format(ef))
				}
				phase = p
				open = append(open, ef)
			}
			if len(open) == 0 {
				d.wait()
				r.OnDeadline(d.now, &d.out)
				continue
			}
			i := rapid.IntRange(0, len(open)-1).Draw(rt, "which")
			ef := open[i]
			open = append(open[:i], open[i+1:]...)
			ended += answerAny(rt, d, r, ef)
		}
		if !r.Done() || len(r.Judged()) != len(decided) {
			rt.Fatalf("done %v, judged %d of %d", r.Done(), len(r.Judged()), len(decided))
		}
	})
}

// answerAny draws an outcome; it returns 1 if a commit has been answered for good.
func answerAny(t *rapid.T, d *desk, r *Recovery, ef protocol.Effect) int {
	good := rapid.IntRange(0, 2).Draw(t, "good") > 0
	switch ef := ef.(type) {
	case protocol.EndTxn:
		o := rapid.SampledFrom([]protocol.Outcome{protocol.OK, protocol.Ask}).Draw(t, "end")
		if !good {
			o = rapid.SampledFrom([]protocol.Outcome{protocol.Retry, protocol.Unknown}).Draw(t, "no end")
		}
		r.OnEnded(d.now, protocol.Ended{Op: ef.Op, Outcome: o}, &d.out)
		if good {
			return 1
		}
	case protocol.Fence:
		o := protocol.OK
		if !good {
			o = protocol.Retry
		}
		r.OnFenced(d.now, protocol.Fenced{Op: ef.Op, Outcome: o}, &d.out)
	case protocol.ReadLedger:
		o := protocol.NotFound
		if !good {
			o = protocol.Unknown
		}
		r.OnRead(d.now, protocol.LedgerRead{Op: ef.Op, Outcome: o}, &d.out)
	}
	return 0
}
