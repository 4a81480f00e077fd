package conformance

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/devicetest"
	"weir/runtime/kafka"
)

// asDevice makes the test's binary a process that has a log device: each line of its input is a number and an effect,
// each line of its output the number and the event. Its arguments are the start of its clock and the brokers.
const asDevice = "WEIR_CONFORMANCE_DEVICE"

func serveDevice(args []string) int {
	began, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		panic(err)
	}
	now := func() protocol.Time { return protocol.Time(time.Since(time.Unix(0, began))) }
	d, err := kafka.New(kafka.Options{Brokers: args[1:], Pool: pool{}, Now: now, IOTimeout: ioTimeout, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		n, line, _ := strings.Cut(in.Text(), " ")
		ef, err := protocol.Parse(line)
		if err != nil {
			panic(err)
		}
		d.Perform(protocol.Address{}, ef.(protocol.Effect), func(ev protocol.Event) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Println(n, protocol.Format(ev))
		})
	}
	return 0 // at once, as it would die
}

// process is a device in a process of its own.
type process struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser

	mu      sync.Mutex
	serial  int
	waiting map[string]func(protocol.Event)
}

func startProcess(t testing.TB, began time.Time, addrs []string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(exe, append([]string{strconv.FormatInt(began.UnixNano(), 10)}, addrs...)...), waiting: map[string]func(protocol.Event){}}
	p.cmd.Env = append(os.Environ(), asDevice+"=1")
	p.cmd.Stderr = t.Output()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{})
	go p.hear(out, heard)
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-heard
		p.cmd.Wait()
	})
	return p
}

// hear hands events out until the process is gone.
func (p *process) hear(out io.Reader, heard chan<- struct{}) {
	defer close(heard)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		n, line, _ := strings.Cut(lines.Text(), " ")
		ev, err := protocol.Parse(line)
		if err != nil {
			p.t.Errorf("the process said %q: %v", lines.Text(), err)
			return
		}
		p.mu.Lock()
		done := p.waiting[n]
		delete(p.waiting, n)
		p.mu.Unlock()
		done(ev.(protocol.Event))
	}
}

// Perform implements protocol.Device.
func (p *process) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serial++
	n := strconv.Itoa(p.serial)
	p.waiting[n] = done
	fmt.Fprintln(p.in, n, protocol.Format(ef)) // a process that is dead does not answer
}

func (p *process) signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// scene is a writer in a process of its own, and what others do about its transaction.
type scene struct {
	*harness
	out string
	w   *process
	protocol.Opened
}

func newScene(t *testing.T) *scene {
	t.Parallel()
	return newSceneOn(t, sharedKafka(t).Brokers)
}

func newSceneOn(t *testing.T, addrs []string) *scene {
	h := newHarness(t, addrs)
	s := &scene{harness: h, out: h.name + "out"}
	h.CreateTopic(s.out, 1)
	s.w = h.node(1)
	s.Opened = s.writer(protocol.OpenSlot{ID: protocol.TransactionalID(h.name + "id"), Timeout: protocol.Minute, Topics: []string{s.out}}).(protocol.Opened)
	if s.Outcome != protocol.OK {
		t.Fatalf("%+v", s.Opened)
	}
	return s
}

// on performs an effect and waits for its event.
func (s *scene) on(d protocol.Device, ef protocol.Effect) protocol.Event {
	s.t.Helper()
	got := make(chan protocol.Event, 1)
	d.Perform(protocol.Address{}, ef, func(ev protocol.Event) { got <- ev })
	select {
	case ev := <-got:
		return ev
	case <-time.After(patience):
		s.t.Fatalf("%T is not answered", ef)
		return nil
	}
}

func (s *scene) writer(ef protocol.Effect) protocol.Event { return s.on(s.w, ef) }
func (s *scene) other(ef protocol.Effect) protocol.Event  { return s.on(s.node(2), ef) }

func (s *scene) produce(key string) protocol.Produced {
	b := (pool{}).Get()
	b.Append([]byte(key), []byte("v"), batch.Record{})
	return s.writer(protocol.Produce{ID: s.ID, Topic: s.out, Batch: b}).(protocol.Produced)
}

// settle repeats an effect of another process until its outcome is settled.
func (s *scene) settle(ef protocol.Effect, outcome func(protocol.Event) protocol.Outcome) (out protocol.Outcome) {
	eventually(s.t, fmt.Sprintf("%T is settled", ef), func() bool {
		if out = outcome(s.other(ef)); out == protocol.Retry || out == protocol.Unknown {
			time.Sleep(50 * time.Millisecond)
			return false
		}
		return true
	})
	return out
}

func (s *scene) endTxn() protocol.EndTxn {
	return protocol.EndTxn{ID: s.ID, Producer: s.Producer, Version: s.Version, Commit: true}
}

func (s *scene) commit() protocol.Outcome {
	return s.settle(s.endTxn(), func(ev protocol.Event) protocol.Outcome { return ev.(protocol.Ended).Outcome })
}

func (s *scene) fence() protocol.Outcome {
	return s.settle(protocol.Fence{ID: s.ID}, func(ev protocol.Event) protocol.Outcome { return ev.(protocol.Fenced).Outcome })
}

// shows waits until the partition's readers are held up by nothing, and compares what they see.
func (s *scene) shows(want ...string) {
	s.t.Helper()
	eventually(s.t, "nothing holds readers up", func() bool { _, stable, end := s.offsets(s.out, 0); return stable == end })
	var got []string
	for _, r := range s.ReadCommitted(s.out, 0) {
		got = append(got, r.Key)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("visible: %v, want %v", got, want)
	}
}

func (s *scene) expect(what string, got, want protocol.Outcome) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestKilledWriter: what a process has written and was told OK for, another commits after its SIGKILL.
func TestKilledWriter(t *testing.T) {
	for _, flushed := range []bool{true, false} {
		t.Run(fmt.Sprintf("flushed=%t", flushed), func(t *testing.T) {
			s := newScene(t)
			s.expect("produce", s.produce("a").Outcome, protocol.OK)
			s.expect("produce", s.produce("b").Outcome, protocol.OK)
			if flushed {
				f := s.writer(protocol.Flush{ID: s.ID, Deadline: s.Now().Add(30 * protocol.Second)}).(protocol.Flushed)
				s.expect("flush", f.Outcome, protocol.OK)
			}
			s.w.signal(syscall.SIGKILL)
			s.expect("commit", s.commit(), protocol.OK)
			s.shows("a", "b")
			s.expect("commit again", s.commit(), protocol.OK)
			s.expect("fence", s.fence(), protocol.OK)
			s.expect("commit after the fence", s.commit(), protocol.Ask)
			s.shows("a", "b")
		})
	}
}

// TestFencedOnce: one InitProducerID is enough, also if its sender never hears more than CONCURRENT_TRANSACTIONS.
func TestFencedOnce(t *testing.T) {
	s := newScene(t)
	at := s.produce("a").Offset
	s.w.signal(syscall.SIGKILL)
	s.expect("fence, once", s.other(protocol.Fence{ID: s.ID}).(protocol.Fenced).Outcome, protocol.Retry)
	s.expect("late commit", s.commit(), protocol.Ask)
	s.shows()
	s.expect("fence, again", s.fence(), protocol.OK)
	s.expect("late commit, again", s.commit(), protocol.Ask)
	id := s.other(protocol.Survey{Topic: s.out}).(protocol.Surveyed).TopicID
	s.expect("ledger", s.other(protocol.ReadLedger{Topic: s.out, TopicID: id, Offset: at}).(protocol.LedgerRead).Outcome, protocol.NotFound)
	s.shows()
}

// TestStuckReaders: the open transaction of a dead process holds up everybody's records until somebody fences it.
func TestStuckReaders(t *testing.T) {
	s := newScene(t)
	s.produce("dead")
	s.w.signal(syscall.SIGKILL)
	s.Feed(s.out, 0, devicetest.KV{Key: "alive"})
	if _, stable, end := s.offsets(s.out, 0); stable != 0 || end != 2 {
		t.Fatalf("stable up to %d of %d", stable, end)
	}
	open := s.other(protocol.ListTxns{Prefix: s.name}).(protocol.TxnsListed)
	if len(open.Open) != 1 || open.Open[0] != s.ID {
		t.Fatalf("open: %v, want %q", open.Open, s.ID)
	}
	s.expect("fence", s.fence(), protocol.OK)
	s.shows("alive")
}

// TestZombie: a process that stood still while it was fenced writes nothing more, and cannot commit what it wrote.
func TestZombie(t *testing.T) {
	s := newScene(t)
	s.expect("produce", s.produce("before").Outcome, protocol.OK)
	s.w.signal(syscall.SIGSTOP)
	s.expect("fence", s.fence(), protocol.OK)
	s.w.signal(syscall.SIGCONT)
	if p := s.produce("after"); p.Outcome == protocol.OK {
		t.Errorf("a zombie wrote: %+v", p)
	}
	s.expect("flush", s.writer(protocol.Flush{ID: s.ID, Deadline: s.Now().Add(30 * protocol.Second)}).(protocol.Flushed).Outcome, protocol.Unknown)
	ended := s.writer(s.endTxn()).(protocol.Ended)
	s.expect("the zombie's commit", ended.Outcome, protocol.Ask)
	s.shows()
}
