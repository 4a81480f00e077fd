package conformance

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

//go:embed testdata/codes.txt
var codes string

// row is a line of testdata/codes.txt: requests for one transactional id, and the answers that may come. In what is to
// be done, the pair (pid, e) is that of the writer, who has asked for it first:
//
//	init        InitProducerID        init!     the same until it is not CONCURRENT_TRANSACTIONS
//	put+1       produce with epoch e+1 to the one partition
//	commit5+1   EndTxn version 5 with epoch e+1; abort4, commit4 …
//	nobody5     commit of an id that was never used; other5: of the id, by another producer id
//	hand        the abort marker is written by hand, as kafka-transactions.sh does
//	markers     wait until the markers are written
//	hours       wait until the transaction's timeout has passed, and somebody has looked
//	state       the coordinator's state and epoch, as e+n
//	visible     how many records a read_committed reader sees
type row struct {
	name, do string
	wants    []string // before and after the markers, if that makes a difference
}

// rows reads the table as it is for one kind of broker.
func rows(t *testing.T, kind string) (out []row) {
	t.Helper()
	for line := range strings.Lines(codes) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		switch {
		case strings.HasPrefix(line, "#") || len(f) == 1:
		case len(f) == 2 && f[0] == kind && len(out) > 0:
			out[len(out)-1].wants = ways(f[1])
		case len(f) == 3:
			out = append(out, row{f[0], f[1], ways(f[2])})
		case f[0] != "kfake" && f[0] != "old":
			t.Fatalf("not a row: %q", line)
		}
	}
	return out
}

// ways takes "OK CT/OK" apart to "OK CT" and "OK OK".
func ways(want string) []string {
	n := 1
	for word := range strings.FieldsSeq(want) {
		n = max(n, strings.Count(word, "/")+1)
	}
	out := make([]string, n)
	for word := range strings.FieldsSeq(want) {
		either := strings.Split(word, "/")
		for i := range out {
			out[i] = strings.TrimSpace(out[i] + " " + either[min(i, len(either)-1)])
		}
	}
	return out
}

func TestCodesOnKafka(t *testing.T) {
	addrs := sharedKafka(t).Brokers
	kind := "kafka"
	if !(&wire{t: t, ctx: soon(t), addrs: addrs}).second() {
		kind = "old"
	}
	testCodes(t, addrs, kind)
}

func TestCodesOnKfake(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	testCodes(t, c.ListenAddrs(), "kfake")
}

// again is how often a row is run in the hope of an answer from before the markers were written.
const again = 10

func testCodes(t *testing.T, addrs []string, kind string) {
	var racy, early atomic.Int32
	t.Run(kind, func(t *testing.T) {
		for _, r := range rows(t, kind) {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				h := newHarness(t, addrs)
				w := &wire{t: t, ctx: soon(t), addrs: addrs, adm: h.adm, by: map[int16]*kgo.Client{}}
				if strings.Contains(r.do, "5") && !w.has(5) {
					t.Skip("the brokers do not have version 5 of EndTxn")
				}
				at := try(t, h, w, r)
				for i := 1; i < again && at != 0 && kind != "kfake"; i++ { // whose markers are always there
					at = try(t, h, w, r)
				}
				if len(r.wants) > 1 {
					racy.Add(1)
					early.Add(int32(1 - at))
				}
			})
		}
	})
	t.Logf("of %d rows whose answers depend on it, %d were answered before the markers were written", racy.Load(), early.Load())
	if kind != "kfake" && early.Load() == 0 {
		t.Error("no request was ever answered before the markers were written: the rows say less than they seem to")
	}
}

// try runs a row once and says which way it went.
func try(t *testing.T, h *harness, w *wire, r row) int {
	t.Helper()
	h.CreateTopic(h.name+"out", 1)
	s := &script{wire: w, h: h, id: h.name + rand.Text()[:6], topic: h.name + "out", timeout: 60000, seqs: map[int16]int32{}}
	if strings.Contains(r.do, "hours") {
		s.timeout = 1000
	}
	got := s.run(r.do)
	at := slices.IndexFunc(r.wants, func(want string) bool { return got == want || got == calledEmpty(want) })
	if at < 0 {
		t.Fatalf("%s\ngot  %s\nwant %s", r.do, got, strings.Join(r.wants, "\n  or "))
	}
	return at
}

// calledEmpty is a line in kfake's words.
func calledEmpty(line string) string {
	return strings.NewReplacer("CompleteCommit", "Empty", "CompleteAbort", "Empty").Replace(line)
}

// script carries out a row.
type script struct {
	*wire
	h         *harness
	id, topic string
	timeout   int32 // of the transaction, ms
	pid       int64
	epoch     int16
	seqs      map[int16]int32 // by epoch, the next record's
}

func (s *script) run(do string) string {
	var code string
	if s.pid, s.epoch, code = s.init(s.id, s.timeout); code != "OK" {
		return "the first init: " + code
	}
	var got []string
	for word := range strings.FieldsSeq(do) {
		if g := s.word(word); g != "" {
			got = append(got, g)
		}
	}
	return strings.Join(got, " ")
}

func (s *script) word(word string) string {
	name, plus, _ := strings.Cut(word, "+")
	epoch := s.epoch
	if plus != "" {
		epoch += int16(plus[0] - '0')
	}
	switch name {
	case "init":
		_, _, code := s.init(s.id, s.timeout)
		return code
	case "init!":
		return s.initAtLast()
	case "put":
		code := s.put(s.topic, s.id, s.pid, epoch, s.seqs[epoch])
		if code == "OK" {
			s.seqs[epoch]++
		}
		return code
	case "hand":
		return s.abortByHand(s.topic, 0, s.pid, epoch)
	case "markers":
		s.until("the markers are written", func(state string) bool { return !strings.HasPrefix(state, "Prepare") })
	case "hours":
		s.until("the timeout passes", func(state string) bool { return state != "Ongoing" })
		time.Sleep(2 * look)
	case "state":
		state, e := s.describe(s.id)
		return fmt.Sprintf("%s+%d", state, e-s.epoch)
	case "visible":
		return fmt.Sprintf("visible=%d", len(s.h.ReadCommitted(s.topic, 0)))
	default:
		return s.endWord(name, epoch)
	}
	return ""
}

func (s *script) endWord(name string, epoch int16) string {
	verb, version := name[:len(name)-1], int16(name[len(name)-1]-'0')
	id, pid := s.id, s.pid
	switch verb {
	case "nobody":
		id += "-nobody"
	case "other":
		pid += 1 << 40
	case "commit", "abort":
	default:
		s.t.Fatalf("no such word: %q", name)
	}
	return s.end(id, pid, epoch, version, verb != "abort")
}

func (s *script) initAtLast() (code string) {
	eventually(s.t, "InitProducerID comes through", func() bool {
		_, _, code = s.init(s.id, s.timeout)
		return code != "CT"
	})
	return code
}

func (s *script) until(what string, is func(state string) bool) {
	eventually(s.t, what, func() bool {
		state, _ := s.describe(s.id)
		return is(state)
	})
}
