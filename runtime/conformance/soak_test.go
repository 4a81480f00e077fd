package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"weir/checker"
	"weir/cmd/accesslog/job"
	"weir/cmd/accesslog/logs"
	"weir/scenarios"
)

// What make soak sets.
var (
	soakMinutes = flag.Float64("soak.minutes", 1, "how long troubles go on")
	soakSeed    = flag.Uint64("soak.seed", 1, "of the plan of troubles")
	soakBrokers = flag.Int("soak.brokers", 1, "1, or 3 with replication 3 and 2 in sync")
	soakLog     = flag.String("soak.log", "", "file for the log; the test's output without it")
	soakRate    = flag.Int("soak.rate", 60, "records a second for each job")
)

// TestSoak runs two jobs on real services through trouble after trouble, drawn from a seed, and judges them from outside.
func TestSoak(t *testing.T) {
	Need(t, "kafka", "s3", "soak")
	length := time.Duration(*soakMinutes * float64(time.Minute))
	s := newSoak(t)
	s.say("soak of %v, seed %d, %d brokers of Kafka %s, %s, %d records/s for each of %d jobs", length, *soakSeed, *soakBrokers,
		orDefault("KAFKA_VERSION", "4.3.0"), orDefault("S3_SERVER", "versitygw"), *soakRate, len(s.jobs))
	s.warm()
	plan := planOf(*soakSeed, length, *soakBrokers, len(s.jobs))
	enough, stop := signal.NotifyContext(context.Background(), os.Interrupt) // ends the troubles, not the judgement
	defer stop()
	for until := time.Now().Add(length); len(plan) > 0 && time.Now().Before(until) && enough.Err() == nil && !t.Failed(); plan = plan[1:] {
		s.meet(plan[0])
	}
	s.judge()
}

func orDefault(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// soak is one run.
type soak struct {
	t     *testing.T
	began time.Time
	out   io.Writer
	kafka *Kafka
	s3    *S3
	toxi  *toxi
	taps  taps
	adm   *kadm.Client
	jobs  []*worked
	met   map[string]int
}

// worked is a job of the soak.
type worked struct {
	name, in, out string
	value         func(i int) []byte
	spec          func() checker.Spec

	s     *soak
	exe   string
	args  []string
	gate  *gate
	feed  *feeder
	read  *reader
	ended atomic.Bool // the feed

	mu     sync.Mutex
	procs  map[*exec.Cmd]bool // alive
	main   *exec.Cmd
	killed map[*exec.Cmd]bool // by us
	exits  map[string]int
	wanted bool // one is to be started when none is left
	gone   sync.WaitGroup
	log    *os.File
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{t: t, began: time.Now(), out: t.Output(), met: map[string]int{}}
	if *soakLog != "" {
		f, err := os.Create(*soakLog)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		s.out = io.MultiWriter(f, t.Output())
	}
	first := freePort(1, 2)
	s.kafka = StartKafka(t, KafkaOptions{Brokers: *soakBrokers, Proxy: first})
	s.s3 = StartS3(t, S3Options{})
	s.toxi = startToxi(t)
	var through []string
	for i, to := range s.kafka.Behind {
		addr := fmt.Sprintf("127.0.0.1:%d", first+i)
		s.must(s.toxi.proxy(fmt.Sprint("broker-", i+1), addr, s.taps.stand(t, i+1, to)))
		through = append(through, addr)
	}
	s.adm = kadm.NewClient(client(t, s.kafka.Brokers))
	lines := logs.Lines()
	s.add(through, &worked{name: "accesslog", in: job.Input, out: job.Output, spec: scenarios.AccessLogSpec,
		value: func(i int) []byte { return []byte(lines[i%len(lines)]) }}, inputs)
	shuffle, _ := scenarios.Named("shuffle")
	in := shuffle.Inputs[0]
	s.add(through, &worked{name: "shuffle", in: in.Topic, out: shuffle.Outputs[0].Topic, spec: func() checker.Spec { return shuffle.Spec },
		value: func(i int) []byte { return in.Make(i, i*7919%in.Keys) }}, 4)
	return s
}

// add prepares a job, its topics, its way to the bucket, its input and its reader, and starts it.
func (s *soak) add(brokers []string, w *worked, partitions int) {
	s.t.Helper()
	n := len(s.jobs)
	s.jobs = append(s.jobs, w)
	w.s, w.gate = s, startGate(s.t, s.s3)
	w.procs, w.killed, w.exits = map[*exec.Cmd]bool{}, map[*exec.Cmd]bool{}, map[string]int{}
	way := fmt.Sprintf("127.0.0.1:%d", freePort())
	s.must(s.toxi.proxy(fmt.Sprint("s3-", n), way, strings.TrimPrefix(w.gate.addr, "http://")))
	w.exe = s.build(w.name)
	createTopic(s.t, s.adm, w.in, partitions)
	createTopic(s.t, s.adm, w.out, 3)
	w.args = []string{"-brokers", strings.Join(brokers, ","), "-bucket", "s3://" + BucketName + "/" + w.name, "-s3-endpoint", "http://" + way,
		"-interval", "1s", "-timeout", "40s", "-heartbeat", "300ms", "-node-timeout", "10s", "-restart-delay", "300ms", "-io-timeout", "10s",
		"-restart-limit", "1000", "-tolerable", "2", "-parallelism", "3", "-log", "warn"}
	var err error
	w.log, err = os.Create(filepath.Join(s.t.TempDir(), w.name+".log"))
	s.must(err)
	s.t.Cleanup(func() {
		w.end()
		if s.t.Failed() {
			s.t.Logf("the log of %s:\n%s", w.name, tail(w.log.Name()))
		}
	})
	w.feed = feed(s.t, s.kafka.Brokers, w.in, time.Second/time.Duration(*soakRate), func(i int) ([]byte, bool) {
		if w.ended.Load() {
			return nil, false
		}
		return w.value(i), true
	})
	w.read = startReader(s.t, s.kafka.Brokers, w.out)
	w.wanted = true
	w.start()
}

// build is the path of a command of this module.
func (s *soak) build(name string) string {
	s.t.Helper()
	root, err := moduleRoot()
	s.must(err)
	exe := filepath.Join(s.t.TempDir(), name)
	build := exec.Command("go", "build", "-o", exe, "./cmd/"+name)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return exe
}

func (s *soak) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *soak) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%8.1fs %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// start starts a process of the job, which is started again whenever it ends.
func (w *worked) start() *exec.Cmd {
	w.mu.Lock()
	defer w.mu.Unlock()
	cmd := exec.Command(w.exe, w.args...)
	cmd.Env = w.environ()
	cmd.Stdout, cmd.Stderr = w.log, w.log
	if err := cmd.Start(); err != nil {
		w.s.t.Error(err)
		return cmd
	}
	w.procs[cmd], w.main = true, cmd
	w.gone.Add(1)
	go w.await(cmd)
	return cmd
}

// environ is that of a process of the job.
func (w *worked) environ() []string {
	return append(os.Environ(), "WEIR_S3_ACCESS_KEY="+AccessKey, "WEIR_S3_SECRET_KEY="+SecretKey)
}

// await waits for the end of a process and starts the next one, if none is left and one is wanted.
func (w *worked) await(cmd *exec.Cmd) {
	defer w.gone.Done()
	err := cmd.Wait()
	w.mu.Lock()
	delete(w.procs, cmd)
	how := "killed"
	if !w.killed[cmd] {
		how = "exit 0"
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			how = "exit " + strconv.Itoa(exit.ExitCode())
		}
		w.s.say("a process of %s ended by itself: %s", w.name, how)
	}
	w.exits[how]++
	again := w.wanted && len(w.procs) == 0
	w.mu.Unlock()
	if again {
		if how != "killed" {
			time.Sleep(time.Second)
		}
		w.start()
	}
}

// kill ends a process as kill -9 does; its successor starts at once.
func (w *worked) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cmd := w.main; w.procs[cmd] {
		w.killed[cmd] = true
		cmd.Process.Kill()
	}
}

// signal sends a signal to the newest process.
func (w *worked) signal(sig syscall.Signal) *exec.Cmd {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.main.Process.Signal(sig)
	return w.main
}

// end ends all processes for good.
func (w *worked) end() {
	w.mu.Lock()
	w.wanted = false
	for cmd := range w.procs {
		w.killed[cmd] = true
		cmd.Process.Kill()
	}
	w.mu.Unlock()
	w.gone.Wait()
}

// behind is how many results are missing.
func (w *worked) behind() int64 { return w.feed.fed() - w.read.seen() }

// warm waits until both jobs seal.
func (s *soak) warm() {
	for _, w := range s.jobs {
		s.grows(w, "its first results")
	}
}

// grows waits until a job has decided two more checkpoints and shown more results. It is where a job that is stuck is
// found. What takes long is told with the machine's load: one that hardly gets a CPU is not stuck.
func (s *soak) grows(w *worked, after string) {
	s.t.Helper()
	seen, decided, began, told := w.read.seen(), w.gate.newest(), time.Now(), false
	for w.read.seen() <= seen || w.gate.newest() < decided+2 {
		if d := time.Since(began); d > 2*time.Minute && !told {
			s.say("  %s has decided fewer than 2 checkpoints in %v after %s: %d results, checkpoint %d, load %s", w.name, d.Round(time.Second), after, w.read.seen(), w.gate.newest(), load())
			told = true
		} else if d > 8*time.Minute {
			s.say("%s is STUCK after %s: %d results, checkpoint %d, load %s", w.name, after, w.read.seen(), w.gate.newest(), load())
			w.signal(syscall.SIGQUIT) // its goroutines go to its log
			s.t.Fatalf("%s is stuck after %s", w.name, after)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if d := time.Since(began); d > 15*time.Second {
		s.say("  %s was back %v after %s, load %s", w.name, d.Round(100*time.Millisecond), after, load())
	}
}

// load is the machine's.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// within is a context for questions to the cluster.
func within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
