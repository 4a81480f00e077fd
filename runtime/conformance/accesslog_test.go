package conformance

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/checker"
	"weir/cmd/accesslog/job"
	"weir/cmd/accesslog/logs"
	"weir/scenarios"
)

// TestAccessLog runs the production job on real services while it is killed, and judges it from outside.
func TestAccessLog(t *testing.T) {
	Need(t, "kafka", "s3")
	g := startGate(t, sharedS3(t))
	l := newLife(t, sharedKafka(t), g)
	l.killAnywhere()
	l.killAt(afterDecision, "the decision is in HEAD, the job was not told")
	l.killAt(beforeDecision, "the decision never reached HEAD")
	l.judge()
}

// TestAccessLogOutage kills the broker as well.
func TestAccessLogOutage(t *testing.T) {
	Need(t, "kafka", "s3", "slow")
	k := StartKafka(t, KafkaOptions{})
	l := newLife(t, k, startGate(t, sharedS3(t)))
	l.grow(200)
	if err := k.Kill(1); err != nil {
		t.Fatal(err)
	}
	seen, began := l.read.seen(), time.Now()
	if err := k.Restart(1); err != nil {
		t.Fatal(err)
	}
	l.grow(1)
	t.Logf("the broker was killed at %d results and served again %v later; the job's process went on", seen, time.Since(began).Round(time.Second))
	l.killAt(afterDecision, "the decision is in HEAD, the job was not told")
	l.judge()
}

// How much is fed, to how many partitions, how fast. What is known of a key's order is what its values say; the more
// lines of one key wait in the more partitions, the more orders the checker has to follow, and it gives up at some.
const (
	fedLines = 6000
	inputs   = 2
	chunk    = 50
	pause    = 70 * time.Millisecond
)

// life is one run of the job over all its processes, its input, and who reads its output.
type life struct {
	t     *testing.T
	gate  *gate
	addrs []string
	exe   string
	log   *os.File
	store string // the job's part of the bucket
	job   *exec.Cmd
	lines []string
	feed  *feeder
	read  *reader
}

func newLife(t *testing.T, k *Kafka, g *gate) *life {
	t.Helper()
	l := &life{t: t, gate: g, addrs: k.Brokers, exe: filepath.Join(t.TempDir(), "accesslog"), lines: logs.Lines()[:fedLines],
		store: "s3://" + BucketName + "/accesslog-" + rand.Text()}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", l.exe, "./cmd/accesslog")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	adm := kadm.NewClient(client(t, l.addrs))
	createTopic(t, adm, job.Input, inputs)
	createTopic(t, adm, job.Output, 3)
	if l.log, err = os.Create(filepath.Join(t.TempDir(), "job.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.kill()
		if t.Failed() {
			t.Logf("the job's log:\n%s", tail(l.log.Name()))
		}
	})
	l.feed, l.read = startFeeder(t, l.addrs, l.lines), startReader(t, l.addrs, job.Output)
	l.start()
	return l
}

func (l *life) start() {
	l.t.Helper()
	l.job = exec.Command(l.exe, "-brokers", l.addrs[0], "-bucket", l.store, "-s3-endpoint", l.gate.addr,
		"-interval", "500ms", "-timeout", "30s", "-heartbeat", "200ms", "-node-timeout", "10s", "-restart-delay", "200ms", "-io-timeout", "10s",
		"-restart-limit", "100", "-parallelism", "2", "-log", "warn")
	l.job.Env = append(os.Environ(), "WEIR_S3_ACCESS_KEY="+AccessKey, "WEIR_S3_SECRET_KEY="+SecretKey)
	l.job.Stdout, l.job.Stderr = l.log, l.log
	if err := l.job.Start(); err != nil {
		l.t.Fatal(err)
	}
}

// kill ends the job as kill -9 does.
func (l *life) kill() {
	if l.job != nil {
		l.job.Process.Kill()
		l.job.Wait()
		l.job = nil
	}
}

// grow waits until n more results are visible, or all.
func (l *life) grow(n int64) {
	l.t.Helper()
	from := l.read.seen()
	eventually(l.t, fmt.Sprintf("%d more results after %d", n, from), func() bool { return l.read.seen() >= min(from+n, int64(len(l.lines))) })
}

func (l *life) killAnywhere() {
	l.t.Helper()
	l.grow(300)
	l.kill()
	l.t.Logf("killed at %d lines, %d results", l.feed.fed(), l.read.seen())
	l.start()
}

// killAt kills the job when it is held at its next decision.
func (l *life) killAt(h hold, what string) {
	l.t.Helper()
	l.grow(300)
	select {
	case n := <-l.gate.arm(h):
		l.kill()
		l.t.Logf("killed at %d lines, %d results, at checkpoint %d: %s", l.feed.fed(), l.read.seen(), n, what)
	case <-time.After(patience):
		l.t.Fatal("no checkpoint was decided")
	}
	l.start()
}

// judge lets the job come to its end and compares what was read with what was fed.
func (l *life) judge() {
	l.t.Helper()
	begun := l.gate.newest() // a process that has decided a checkpoint is well under way
	if !comes(func() bool { return l.read.seen() >= int64(len(l.lines)) && l.gate.newest() > begun }) {
		l.t.Errorf("after %v only %d of %d results are visible", patience, l.read.seen(), len(l.lines))
	}
	stop := time.AfterFunc(30*time.Second, func() { l.job.Process.Kill() })
	defer stop.Stop()
	l.job.Process.Signal(syscall.SIGTERM)
	if err := l.job.Wait(); err != nil {
		l.t.Errorf("the job did not stop well: %v", err)
	}
	l.job = nil
	h := checker.History{Inputs: l.feed.inputs(l.t), Fetches: l.read.end(), Complete: true}
	v := checker.Check(&h, scenarios.AccessLogSpec())
	if v.Result != checker.Pass || v.Scope.Inputs != len(l.lines) {
		l.t.Fatalf("%d inputs: %v", v.Scope.Inputs, v.String())
	}
	l.t.Logf("exactly once: %d lines, %d results, %d keys, %d fetches", v.Scope.Inputs, v.Scope.Records, v.Scope.Keys, len(h.Fetches))
}

// feeder appends lines to the job's input, bit by bit, and remembers where each went.
type feeder struct {
	count atomic.Int64
	ended chan struct{}

	mu  sync.Mutex
	in  []checker.Input
	err error
}

func startFeeder(t *testing.T, addrs []string, lines []string) *feeder {
	return feed(t, addrs, job.Input, pause/chunk, func(i int) ([]byte, bool) {
		if i == len(lines) {
			return nil, false
		}
		return []byte(lines[i]), true
	})
}

// feed appends values, one every so often, until there is none.
func feed(t *testing.T, addrs []string, topic string, every time.Duration, value func(i int) ([]byte, bool)) *feeder {
	ctx, cancel := context.WithCancel(context.Background())
	cl := client(t, addrs, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.ProducerLinger(5*time.Millisecond))
	f := &feeder{ended: make(chan struct{})}
	t.Cleanup(func() { cancel(); <-f.ended })
	go func() {
		defer close(f.ended)
		for i := 0; ctx.Err() == nil; i++ {
			if i%chunk == 0 {
				time.Sleep(chunk * every)
			}
			v, ok := value(i)
			if !ok {
				break
			}
			at := time.Now().UnixNano()
			cl.Produce(ctx, &kgo.Record{Value: v}, func(r *kgo.Record, err error) { f.note(at, r, err) })
		}
		cl.Flush(ctx)
	}()
	return f
}

func (f *feeder) note(at int64, r *kgo.Record, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.err = err
		return
	}
	f.in = append(f.in, checker.Input{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, At: at, Value: r.Value})
	f.count.Add(1)
}

func (f *feeder) fed() int64 { return f.count.Load() }

func (f *feeder) inputs(t *testing.T) []checker.Input {
	t.Helper()
	<-f.ended
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		t.Fatal(f.err)
	}
	return f.in
}

// reader is a read_committed client outside the job. It keeps every fetch.
type reader struct {
	count  atomic.Int64
	cancel context.CancelFunc
	ended  chan struct{}
	got    []checker.Fetch // of the goroutine, until ended
}

func startReader(t *testing.T, addrs []string, topic string) *reader {
	cl := client(t, addrs, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{cancel: cancel, ended: make(chan struct{})}
	t.Cleanup(func() { cancel(); <-r.ended })
	go func() {
		defer close(r.ended)
		next := map[int32]int64{}
		for ctx.Err() == nil {
			call := time.Now().UnixNano()
			fetches := cl.PollFetches(ctx)
			back := time.Now().UnixNano()
			fetches.EachPartition(func(p kgo.FetchTopicPartition) { r.keep(p, call, back, next) })
		}
	}()
	return r
}

func (r *reader) keep(p kgo.FetchTopicPartition, call, back int64, next map[int32]int64) {
	if len(p.Records) == 0 {
		return
	}
	f := checker.Fetch{Reader: "outside", Topic: p.Topic, Partition: p.Partition, Call: call, Return: back, From: next[p.Partition]}
	for _, rec := range p.Records {
		f.Records = append(f.Records, checker.Record{Offset: rec.Offset, Key: rec.Key, Value: rec.Value})
		next[p.Partition] = rec.Offset + 1
	}
	r.got = append(r.got, f)
	r.count.Add(int64(len(f.Records)))
}

func (r *reader) seen() int64 { return r.count.Load() }

// end reads on a little, to see one record too many if there is one.
func (r *reader) end() []checker.Fetch {
	time.Sleep(500 * time.Millisecond)
	r.cancel()
	<-r.ended
	return r.got
}
