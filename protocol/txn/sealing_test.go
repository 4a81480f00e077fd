package txn

import (
	"fmt"
	"testing"

	"weir/protocol"
)

// verdictOf names what a call of OnEnded or OnRead has returned.
func verdictOf(j Judged, ok bool) string {
	if !ok {
		return "open"
	}
	return map[Verdict]string{Present: "present", Absent: "absent", Denied: "denied"}[j.Verdict]
}

// next is what is asked after an answer: at once, or after a pause.
func (d *desk) next(s *Sealing) string {
	d.t.Helper()
	list := d.take()
	when := "at once "
	if len(list) == 0 {
		d.wait()
		s.OnDeadline(d.now, &d.out)
		list, when = d.take(), "after a pause "
	}
	switch {
	case len(list) == 0:
		return "nothing"
	case len(list) > 1:
		d.t.Fatalf("asked for %s, want one at most", formats(list))
	}
	switch list[0].(type) {
	case protocol.EndTxn:
		return when + "end"
	case protocol.ReadLedger:
		return when + "read"
	}
	d.t.Fatalf("asked for %s", formats(list))
	return ""
}

// TestEnded: every outcome of EndTxn.
func TestEnded(t *testing.T) {
	for _, c := range []struct {
		outcome       protocol.Outcome // 0: no answer
		verdict, next string
	}{
		{protocol.OK, "open", "at once read"},
		{protocol.Ask, "open", "at once read"},
		{protocol.Retry, "open", "after a pause end"},
		{protocol.Unknown, "open", "after a pause end"},
		{protocol.NotFound, "open", "after a pause end"},
		{0, "open", "after a pause end"},
		{protocol.Denied, "denied", "nothing"},
	} {
		t.Run(c.outcome.String(), func(t *testing.T) {
			d := newDesk(t)
			s := NewSealing(&d.cfg, 3, 5)
			x := committable(42)
			s.Commit(d.now, x, &d.out)
			end := asked[protocol.EndTxn](d)
			if end.ID != x.ID || end.Producer != x.Producer || end.Version != x.Version || !end.Commit {
				t.Fatalf("%+v does not commit %+v", end, x)
			}
			verdict := "open"
			if c.outcome != 0 {
				verdict = verdictOf(s.OnEnded(d.now, protocol.Ended{Op: end.Op, ID: end.ID, Outcome: c.outcome}, &d.out))
			}
			if verdict != c.verdict {
				t.Errorf("verdict %s, want %s", verdict, c.verdict)
			}
			if next := d.next(s); next != c.next {
				t.Errorf("then %s, want %s", next, c.next)
			}
			if open := s.Open(42); (open == 0) != (c.verdict != "open") {
				t.Errorf("%d open", open)
			}
		})
	}
}

// TestRead: every outcome of ReadLedger, after a commit that was acknowledged, and after one that was not.
func TestRead(t *testing.T) {
	proof := EncodeLedger(Proof(committable(42)))
	other := committable(42)
	other.Scope.Attempt++
	for _, c := range []struct {
		name                string
		outcome             protocol.Outcome
		value               []byte
		verdict, ended, ask string // what comes next after an EndTxn that was OK, and one that asks
	}{
		{"the proof", protocol.OK, proof, "present", "nothing", "nothing"},
		{"another attempt's", protocol.OK, EncodeLedger(Proof(other)), "absent", "nothing", "nothing"},
		{"rubbish", protocol.OK, []byte("rubbish"), "absent", "nothing", "nothing"},
		{"nothing there", protocol.NotFound, nil, "absent", "nothing", "nothing"},
		{"another topic", protocol.Corrupt, nil, "absent", "nothing", "nothing"},
		{"no rights", protocol.Denied, nil, "denied", "nothing", "nothing"},
		{"not yet", protocol.Unknown, nil, "open", "after a pause read", "after a pause end"},
		{"no answer", 0, nil, "open", "after a pause read", "after a pause read"},
	} {
		for _, o := range []protocol.Outcome{protocol.OK, protocol.Ask} {
			t.Run(fmt.Sprintf("%s after %s", c.name, o), func(t *testing.T) {
				d := newDesk(t)
				s := NewSealing(&d.cfg, 3, 5)
				x := committable(42)
				s.Commit(d.now, x, &d.out)
				s.OnEnded(d.now, protocol.Ended{Op: asked[protocol.EndTxn](d).Op, Outcome: o}, &d.out)
				read := asked[protocol.ReadLedger](d)
				if read.Topic != x.Ledger.Topic || read.TopicID != x.Ledger.TopicID || read.Partition != x.Ledger.Partition || read.Offset != x.Ledger.Offset {
					t.Fatalf("%+v does not read %+v", read, x.Ledger)
				}
				verdict := "open"
				if c.outcome != 0 {
					verdict = verdictOf(s.OnRead(d.now, protocol.LedgerRead{Op: read.Op, Outcome: c.outcome, Value: c.value}, &d.out))
				}
				want := c.ended
				if o == protocol.Ask {
					want = c.ask
				}
				if next := d.next(s); verdict != c.verdict || next != want {
					t.Errorf("%s, then %s; want %s, then %s", verdict, next, c.verdict, want)
				}
			})
		}
	}
}

// TestAnswersAreTakenOnce: a late or second answer finds nobody, in particular not the call that replaced its own.
func TestAnswersAreTakenOnce(t *testing.T) {
	d := newDesk(t)
	s := NewSealing(&d.cfg, 3, 5)
	s.Commit(d.now, committable(42), &d.out)
	late := asked[protocol.EndTxn](d)
	d.wait()
	s.OnDeadline(d.now, &d.out)
	again := asked[protocol.EndTxn](d)
	if got := verdictOf(s.OnEnded(d.now, protocol.Ended{Op: late.Op, Outcome: protocol.Denied}, &d.out)); got != "open" {
		t.Errorf("a late answer judges: %s", got)
	}
	d.quiet()
	s.OnEnded(d.now, protocol.Ended{Op: again.Op, Outcome: protocol.OK}, &d.out)
	asked[protocol.ReadLedger](d)
	s.OnEnded(d.now, protocol.Ended{Op: again.Op, Outcome: protocol.OK}, &d.out)
	d.quiet()
}

func TestOpenCountsUpToACheckpoint(t *testing.T) {
	d := newDesk(t)
	s := NewSealing(&d.cfg, 3, 5)
	for _, id := range []protocol.CheckpointID{5, 6, 8} {
		s.Commit(d.now, committable(id), &d.out)
	}
	for id, want := range map[protocol.CheckpointID]int{4: 0, 5: 1, 7: 2, 8: 3} {
		if got := s.Open(id); got != want {
			t.Errorf("%d open up to %d, want %d", got, id, want)
		}
	}
}
