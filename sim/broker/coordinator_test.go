package broker

import (
	"strings"
	"testing"

	"weir/protocol"
)

// script drives one transactional id by requests and says what each was answered. The pair (pid, e) is the writer's.
//
//	init        InitProducerID        init!     the same until it is not CONCURRENT_TRANSACTIONS
//	put+1       produce with epoch e+1 to partition 0
//	commit5+1   EndTxn version 5 with epoch e+1; abort4, commit4 …
//	markers     lets the markers be written
//	hours       lets three hours pass
//	state       the coordinator's state and epoch, as e+n
type script struct {
	h    *harness
	pair protocol.Producer
	seq  map[int16]int32
}

func newScript(version int16) *script {
	h := newHarness(version)
	h.b.CreateTopic("out", 2)
	pair, code := h.b.InitProducerID("id", protocol.Minute)
	if code != None {
		panic(code)
	}
	return &script{h: h, pair: pair, seq: map[int16]int32{}}
}

func (s *script) run(line string) string {
	var got []string
	for _, word := range strings.Fields(line) {
		if g := s.word(word); g != "" {
			got = append(got, g)
		}
	}
	return strings.Join(got, " ")
}

func (s *script) word(word string) string {
	name, plus, _ := strings.Cut(word, "+")
	p := s.pair
	if plus != "" {
		p.Epoch += int16(plus[0] - '0')
	}
	switch name {
	case "init", "init!":
		return s.init(name == "init!")
	case "markers":
		s.h.Sleep(protocol.Second)
		return ""
	case "hours":
		s.h.Sleep(180 * protocol.Minute)
		return ""
	case "put":
		r := recordsFrom([]KV{{[]byte("k"), []byte("v")}})
		_, code := s.h.b.produce("id", p, "out", 0, s.seq[p.Epoch], r)
		if code == None {
			s.seq[p.Epoch]++
		}
		return short(code)
	case "state":
		t, _ := s.h.b.Txn("id")
		return t.State.String() + "+" + string('0'+rune(t.Producer.Epoch-s.pair.Epoch))
	case "visible":
		got, _ := s.h.b.ReadCommitted("out", 0, 0, 100)
		return "visible=" + string('0'+rune(len(got)))
	}
	verb, version := name[:len(name)-1], int16(name[len(name)-1]-'0')
	return short(s.h.b.EndTxn("id", p, version, verb == "commit"))
}

func (s *script) init(loop bool) string {
	for {
		_, code := s.h.b.InitProducerID("id", protocol.Minute)
		if !loop || code != ConcurrentTransactions {
			return short(code)
		}
		s.h.Sleep(20 * protocol.Millisecond)
	}
}

func short(c Code) string {
	switch c {
	case None:
		return "OK"
	case ConcurrentTransactions:
		return "CT"
	case InvalidTxnState:
		return "ITS"
	case ProducerFenced:
		return "PF"
	case InvalidProducerEpoch:
		return "IPE"
	case InvalidProducerIDMapping:
		return "IPM"
	}
	return c.String()
}

// What real brokers answered (4.3.0, 4.1.1; 3.9.2 for version 4).
func TestTablesOfRealBrokers(t *testing.T) {
	for _, c := range []struct{ name, do, want string }{
		// Ends of a prepared transaction.
		{"v5 higher epoch", "put commit5+1", "OK PF"},
		{"v4 higher epoch", "put commit4+1", "OK PF"},
		{"v5 commit twice", "put commit5 commit5 markers commit5 state visible", "OK OK CT OK CompleteCommit+1 visible=1"},
		{"v4 commit twice", "put commit4 commit4 markers commit4 state visible", "OK OK CT OK CompleteCommit+0 visible=1"},
		{"v5 abort twice", "put abort5 abort5 markers abort5 state visible", "OK OK CT OK CompleteAbort+1 visible=0"},
		{"v4 abort twice", "put abort4 abort4 markers abort4 state visible", "OK OK CT OK CompleteAbort+0 visible=0"},
		{"v5 abort after commit", "put commit5 abort5 markers abort5 visible", "OK OK CT ITS visible=1"},
		{"v4 abort after commit", "put commit4 abort4 markers abort4 visible", "OK OK CT ITS visible=1"},
		{"v5 commit after abort", "put abort5 commit5 markers commit5 visible", "OK OK CT ITS visible=0"},
		{"v4 commit after abort", "put abort4 commit4 markers commit4 visible", "OK OK CT ITS visible=0"},
		{"v4 after v5", "put commit5 commit4 markers commit4", "OK OK PF PF"},
		{"v5 after v4", "put commit4 markers commit5", "OK OK ITS"},
		{"v5 next epoch after commit", "put commit5 commit5+1 markers commit5+1 abort5+1 state", "OK OK CT ITS OK CompleteAbort+2"},
		{"v4 next epoch after commit", "put commit4 markers commit4+1 abort4+1", "OK OK PF PF"},
		{"v5 next epoch after abort", "put abort5 markers commit5+1 abort5+1 state", "OK OK ITS OK CompleteAbort+2"},
		{"v5 commit of empty", "commit5 abort5 state abort5", "ITS OK CompleteAbort+1 OK"},
		{"v4 of empty", "commit4 abort4 state", "ITS ITS Empty+0"},
		{"v5 retry epoch while ongoing", "put commit5 markers put+1 commit5 abort5 state", "OK OK OK PF PF Ongoing+1"},

		// InitProducerID on a prepared transaction.
		{"init twice", "put init state markers state init state visible", "OK CT PrepareAbort+1 CompleteAbort+1 OK Empty+2 visible=0"},
		{"init between", "put init init init!", "OK CT CT OK"},
		{"late commit after one init", "put init markers commit5 commit4 commit5+1 commit5+2", "OK CT ITS PF ITS PF"},
		{"late commit after an init came through", "put init! commit5 commit4 commit5+1 commit4+1 commit5+2 commit4+2", "OK OK PF PF PF PF ITS ITS"},
		{"v5 commit, init, commit again", "put commit5 init init! state commit5 visible", "OK OK CT OK Empty+2 PF visible=1"},
		{"v4 commit, init, commit again", "put commit4 init init! state commit4 visible", "OK OK CT OK Empty+1 PF visible=1"},

		// The timeout passes.
		{"late commit after the timeout", "put hours state commit5 commit4 commit5+1 commit4+1 commit5+2 visible", "OK CompleteAbort+1 ITS PF ITS ITS PF visible=0"},
		{"late abort after the timeout", "put hours abort5 abort4", "OK OK PF"},
		{"no timeout for what is decided", "put commit5 hours commit5 visible", "OK OK OK visible=1"},

		// The writer goes on.
		{"v5 zombie", "put commit5 markers put commit5 visible state", "OK OK IPE OK visible=1 CompleteCommit+1"},
		{"v4 zombie", "put commit4 markers put state commit4 markers visible", "OK OK OK Ongoing+0 OK visible=2"},
		{"produce between decision and marker", "put commit5 put markers visible", "OK OK OK visible=2"},
		{"produce after a fence", "put init put init! put put+1 visible", "OK CT OK OK IPE IPE visible=0"},
		{"produce of an old owner beside the new one", "put init! put+2 put put+1 commit5+2 markers visible", "OK OK OK IPE IPE OK visible=1"},
		{"v4 duplicate commits the next transaction", "put commit4 markers put commit4 markers visible", "OK OK OK OK visible=2"},
		{"v5 duplicate does not", "put commit5 markers put+1 commit5 markers visible", "OK OK OK PF visible=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := newScript(5).run(c.do); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.do, got, c.want)
			}
		})
	}
}

func TestUnknownIDs(t *testing.T) {
	s := newScript(4)
	b := s.h.b
	other := protocol.Producer{ID: s.pair.ID + 1, Epoch: s.pair.Epoch}
	for _, c := range []struct {
		name string
		got  Code
		want Code
	}{
		{"no such id", b.EndTxn("no", s.pair, 4, true), InvalidProducerIDMapping},
		{"another producer id", b.EndTxn("id", other, 4, true), InvalidProducerIDMapping},
		{"a version that is not there", b.EndTxn("id", s.pair, 5, true), UnsupportedVersion},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if _, code := b.InitProducerID("id", 16*protocol.Minute); code != InvalidTxnTimeout {
		t.Errorf("timeout above the maximum: %v", code)
	}
	if got := ended(UnsupportedVersion); got != protocol.Unknown {
		t.Errorf("a connection closed on a version is %v", got)
	}
}

func TestProducerIDRotates(t *testing.T) {
	s := newScript(5)
	s.h.b.txn("id").producer.Epoch = lastEpoch - 1
	s.pair.Epoch = lastEpoch - 1
	steps := s.run("put commit5 markers commit5 put+1 commit5+1 markers commit5+1 put+1 visible")
	if want := "OK OK OK OK OK OK IPM visible=2"; steps != want {
		t.Fatalf("got %s, want %s", steps, want)
	}
	if now, _ := s.h.b.Txn("id"); now.Producer.ID == s.pair.ID || now.Producer.Epoch != 0 {
		t.Fatalf("after the last epoch: %+v", now)
	}
	s.h.b.txn("id").producer.Epoch = lastEpoch
	if p, code := s.h.b.InitProducerID("id", protocol.Minute); code != None || p.Epoch != 0 {
		t.Fatalf("init after the last epoch: %+v %v", p, code)
	}
}

func TestIDExpires(t *testing.T) {
	for _, c := range []struct{ name, do, want string }{
		{"done with", "put commit5 markers hours commit5 init", "OK OK IPM OK"},
		{"open", "put hours visible state", "OK visible=0 CompleteAbort+1"},
	} {
		s := newScript(5)
		s.h.b.opts.IDExpiry = 60 * protocol.Minute
		if got := s.run(c.do); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	s := newScript(5)
	s.h.b.opts.IDExpiry, s.h.b.txn("id").timeout = 60*protocol.Minute, 600*protocol.Minute
	if got := s.run("put hours commit5 markers visible"); got != "OK OK visible=1" {
		t.Errorf("an open transaction must not expire: %s", got)
	}
}

// Every partition gets its marker at its own time; until then the end is decided and not visible.
func TestPartitionsBecomeVisibleApart(t *testing.T) {
	h := newHarness(5)
	delays := []protocol.Duration{0: 10 * protocol.Millisecond, 1: 90 * protocol.Millisecond}
	h.b.opts.MarkerDelay = func() protocol.Duration { d := delays[0]; delays = delays[1:]; return d }
	h.b.CreateTopic("out", 2)
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	for p := range protocol.Partition(2) {
		h.b.produce("id", pair, "out", p, 0, recordsFrom([]KV{{}}))
	}
	if code := h.b.EndTxn("id", pair, 5, true); code != None {
		t.Fatal(code)
	}
	count := func(p protocol.Partition) int { r, _ := h.b.ReadCommitted("out", p, 0, 10); return len(r) }
	for _, c := range []struct {
		sleep     protocol.Duration
		zero, one int
		state     State
	}{{0, 0, 0, PrepareCommit}, {50, 1, 0, PrepareCommit}, {50, 1, 1, CompleteCommit}} {
		h.Sleep(c.sleep * protocol.Millisecond)
		got, _ := h.b.Txn("id")
		if count(0) != c.zero || count(1) != c.one || got.State != c.state {
			t.Fatalf("after %d ms more: %d and %d visible, %v", c.sleep, count(0), count(1), got.State)
		}
	}
}

// A partition that the transaction before wrote to, and this one does not, gets no marker.
func TestMarkersGoWhereTheTransactionWas(t *testing.T) {
	h := newHarness(4)
	h.b.CreateTopic("out", 2)
	pair, _ := h.b.InitProducerID("id", protocol.Minute)
	for p := range protocol.Partition(2) {
		h.b.produce("id", pair, "out", p, 0, recordsFrom([]KV{{}}))
		h.b.EndTxn("id", pair, 4, true)
		h.Sleep(protocol.Second)
	}
	for p := range protocol.Partition(2) {
		if _, stable, end := h.b.Offsets("out", p); stable != 2 || end != 2 {
			t.Errorf("partition %d: stable at %d of %d, want a record and a marker", p, stable, end)
		}
	}
}

// Transactions of different timeouts end each within its timeout and one interval, and the clock comes to rest.
func TestTimeouts(t *testing.T) {
	h := newHarness(5)
	h.b.CreateTopic("out", 1)
	timeouts := []protocol.Duration{300, 20, 65, 40, 20}
	began := h.Now()
	for i, seconds := range timeouts {
		id := protocol.TransactionalID('a' + rune(i))
		pair, _ := h.b.InitProducerID(id, seconds*protocol.Second)
		h.b.produce(id, pair, "out", 0, 0, recordsFrom([]KV{{}}))
	}
	for second := range protocol.Duration(400) {
		h.until(began.Add(second * protocol.Second))
		for i, x := range h.b.Txns() {
			if late := second > timeouts[i]+11; late != (x.State == CompleteAbort) && (late || second < timeouts[i]) {
				t.Fatalf("after %d s: %q with timeout %d s is %v", second, x.ID, timeouts[i], x.State)
			}
		}
	}
	if len(h.queue) != 0 {
		t.Fatalf("%d timers left when nothing is open", len(h.queue))
	}
}

func TestMarkerByHandBeatsTheCoordinator(t *testing.T) {
	s := newScript(5)
	if got := s.run("put"); got != "OK" {
		t.Fatal(got)
	}
	s.h.b.AbortByHand("out", 0)
	if got, want := s.run("state commit5 markers state visible"), "Ongoing+0 OK CompleteCommit+1 visible=0"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	_, stable, end := s.h.b.Offsets("out", 0)
	if stable != end {
		t.Fatalf("stable at %d of %d", stable, end)
	}
}
