package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/cmd/accesslog/job"
	"weir/cmd/accesslog/logs"
	"weir/runtime/embed"
)

// patience is for everything that a script waits for.
const patience = 30 * time.Second

// world is a broker, a bucket and the processes of one script.
type world struct {
	addr string
	dir  string // of the script
	vars []string
	cl   *kgo.Client
	adm  *kadm.Client
	out  *kgo.Client // reads committed output from its start
	seen int
	fed  int
	jobs map[string]*process
	kept map[string][]byte // by path

	control io.Writer   // of the broker
	held    chan string // transactional ids whose end the broker holds back
}

// worldKey finds the world of a script.
type worldKey struct{}

// process is a job that was started.
type process struct {
	cmd  *exec.Cmd
	log  string // file
	gone chan struct{}
}

func setup(env *testscript.Env) error {
	ctx, cancel := context.WithCancel(context.Background())
	env.Defer(cancel)
	events, says := io.Pipe()
	hears, control := io.Pipe()
	topics := map[string]int32{job.Input: 3, job.Output: 3}
	served := make(chan error, 1)
	go func() { served <- embed.Serve(ctx, embed.Options{Topics: topics, Events: says, Control: hears}) }()
	lines := bufio.NewScanner(events)
	if !lines.Scan() {
		return errors.Join(<-served, errors.New("the broker said nothing"))
	}
	v := &world{addr: strings.TrimPrefix(lines.Text(), "ready "), dir: env.WorkDir, vars: env.Vars, jobs: map[string]*process{}, kept: map[string][]byte{},
		control: control, held: make(chan string, 1024)}
	go func() {
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "held "); ok {
				v.held <- id
			}
		}
	}()
	var err error
	if v.cl, err = v.client(); err != nil {
		return err
	}
	if v.out, err = v.client(kgo.ConsumeTopics(job.Output), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond)); err != nil {
		return err
	}
	v.adm = kadm.NewClient(v.cl)
	env.Setenv("BROKER", v.addr)
	env.Values[worldKey{}] = v
	env.Defer(v.end)
	return os.Chmod(filepath.Dir(env.WorkDir), 0o755) // so that nobody gets as far as the bucket
}

func (w *world) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(more, kgo.SeedBrokers(w.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
}

func (w *world) end() {
	for _, p := range w.jobs {
		p.cmd.Process.Kill()
		<-p.gone
	}
	w.cl.Close()
	w.out.Close()
}

// in makes a command of a function on the script's world.
func in(f func(*world, *testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		f(ts.Value(worldKey{}).(*world), ts, args)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

// feed N [TEXT] appends N lines of the log, or N times the text, to the partitions in turn.
func feed(w *world, ts *testscript.TestScript, args []string) {
	cl, err := w.client() // a new one: the topic may be another than before
	ts.Check(err)
	defer cl.Close()
	lines, recs := logs.Lines(), []*kgo.Record(nil)
	for range number(ts, args[0]) {
		text := lines[w.fed%len(lines)]
		if len(args) > 1 {
			text = args[1]
		}
		recs = append(recs, &kgo.Record{Topic: job.Input, Partition: int32(w.fed % 3), Value: []byte(text)})
		w.fed++
	}
	ts.Check(cl.ProduceSync(context.Background(), recs...).FirstErr())
}

// sees N waits until N results are visible, and none too many.
func sees(w *world, ts *testscript.TestScript, args []string) {
	n := number(ts, args[0])
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for w.seen < n && ctx.Err() == nil {
		w.seen += w.out.PollFetches(ctx).NumRecords()
	}
	if w.seen != n {
		ts.Fatalf("%d results are visible, want %d", w.seen, n)
	}
}

// common are the flags of every job; a script's come after them and win.
func (w *world) common() []string {
	return []string{"-brokers", w.addr, "-bucket", "bucket", "-interval", "100ms", "-timeout", "5s", "-heartbeat", "20ms", "-node-timeout", "2s",
		"-restart-delay", "10ms", "-restart-limit", "2", "-io-timeout", "3s", "-parallelism", "2"}
}

// spawn starts the job named by PROG, or accesslog.
func (w *world) spawn(ts *testscript.TestScript, name string, args []string) *process {
	prog := ts.Getenv("PROG")
	if prog == "" {
		prog = "accesslog"
	}
	exe, err := exec.LookPath(prog)
	ts.Check(err)
	p := &process{log: filepath.Join(w.dir, name+".log"), gone: make(chan struct{})}
	f, err := os.Create(p.log)
	ts.Check(err)
	p.cmd = exec.Command(exe, append(w.common(), args...)...)
	p.cmd.Args[0] = prog
	p.cmd.Dir, p.cmd.Stderr = w.dir, f
	p.cmd.Env = append(w.vars, "AS_NOBODY="+ts.Getenv("AS_NOBODY"))
	ts.Check(p.cmd.Start())
	go func() {
		p.cmd.Wait() // its state is looked at
		f.Close()
		close(p.gone)
	}()
	w.jobs[name] = p
	return p
}

// ended waits for the end of a process and compares its exit code; what it wrote is then stderr.
func (p *process) ended(ts *testscript.TestScript, code string) {
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.gone
	}
	said, err := os.ReadFile(p.log)
	ts.Check(err)
	ts.Stderr().Write(said)
	if got := p.cmd.ProcessState.ExitCode(); strconv.Itoa(got) != code {
		ts.Fatalf("exit code %d, want %s", got, code)
	}
}

// job CODE [FLAGS] runs a job to its end.
func runJob(w *world, ts *testscript.TestScript, args []string) {
	w.spawn(ts, "job", args[1:]).ended(ts, args[0])
}

// start NAME [FLAGS] starts a job.
func start(w *world, ts *testscript.TestScript, args []string) { w.spawn(ts, args[0], args[1:]) }

// ends NAME CODE waits for a job's end.
func ends(w *world, ts *testscript.TestScript, args []string) { w.jobs[args[0]].ended(ts, args[1]) }

// signal NAME sends SIGTERM.
func signal(w *world, ts *testscript.TestScript, args []string) {
	ts.Check(w.jobs[args[0]].cmd.Process.Signal(syscall.SIGTERM))
}

// quit NAME CODE is signal and ends.
func quit(w *world, ts *testscript.TestScript, args []string) {
	signal(w, ts, args)
	ends(w, ts, args)
}

// says NAME REGEXP waits until a job has written what matches.
func says(w *world, ts *testscript.TestScript, args []string) {
	re, p := regexp.MustCompile(args[1]), w.jobs[args[0]]
	for deadline := time.Now().Add(patience); ; {
		said, err := os.ReadFile(p.log)
		ts.Check(err)
		if re.Match(said) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not say %s; it said:\n%s", args[0], re, said)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// slay NAME kills a job as kill -9 does.
func slay(w *world, ts *testscript.TestScript, args []string) {
	p := w.jobs[args[0]]
	ts.Check(p.cmd.Process.Kill())
	<-p.gone
}

// broker hold|drop: commits are held back from now on; what is held never happens.
func tellBroker(w *world, ts *testscript.TestScript, args []string) {
	_, err := fmt.Fprintln(w.control, args[0])
	ts.Check(err)
}

// forget NAME waits until a commit is held back: then the job is killed, and the commit never happens.
func forget(w *world, ts *testscript.TestScript, args []string) {
	select {
	case <-w.held:
	case <-time.After(patience):
		ts.Fatalf("no commit came")
	}
	slay(w, ts, args)
	tellBroker(w, ts, []string{"drop"})
}

// abort aborts every open transaction, as an operator may do.
func abort(w *world, ts *testscript.TestScript, _ []string) {
	open, err := w.adm.ListTransactions(context.Background(), nil, nil)
	ts.Check(err)
	for _, x := range open.Sorted() {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &x.TxnID, 1000
		_, err := req.RequestWith(context.Background(), w.cl)
		ts.Check(err)
	}
}

// winner A B: A's end names the incarnation of B.
func winner(w *world, ts *testscript.TestScript, args []string) {
	find := func(name, pattern string) []byte {
		said, err := os.ReadFile(w.jobs[name].log)
		ts.Check(err)
		m := regexp.MustCompile(pattern).FindSubmatch(said)
		if m == nil {
			ts.Fatalf("%s says nothing like %s:\n%s", name, pattern, said)
		}
		return m[1]
	}
	if named, is := find(args[0], `deposed: .*\(incarnation ([0-9a-f]+)\)`), find(args[1], `incarnation=([0-9a-f]+)`); !bytes.Equal(named, is) {
		ts.Fatalf("%s names %s, %s is %s", args[0], named, args[1], is)
	}
}

// trim TOPIC OFFSET deletes the records below an offset.
func trim(w *world, ts *testscript.TestScript, args []string) {
	at := kadm.Offsets{}
	for p := range int32(3) {
		at.AddOffset(args[0], p, int64(number(ts, args[1])), -1)
	}
	_, err := w.adm.DeleteRecords(context.Background(), at)
	ts.Check(err)
}

// remove TOPIC deletes a topic.
func remove(w *world, ts *testscript.TestScript, args []string) {
	_, err := w.adm.DeleteTopic(context.Background(), args[0])
	ts.Check(err)
}

// recreate TOPIC deletes a topic and creates it again.
func recreate(w *world, ts *testscript.TestScript, args []string) {
	remove(w, ts, args)
	_, err := w.adm.CreateTopic(context.Background(), 3, 1, nil, args[0])
	ts.Check(err)
}

// limit TOPIC BYTES sets the size of the largest batch.
func limit(w *world, ts *testscript.TestScript, args []string) {
	_, err := w.adm.AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &args[1]}}, args[0])
	ts.Check(err)
}

// grow TOPIC N gives a topic N partitions.
func grow(w *world, ts *testscript.TestScript, args []string) {
	_, err := w.adm.UpdatePartitions(context.Background(), number(ts, args[1]), args[0])
	ts.Check(err)
}

var errNoObject = errors.New("no object begins so")

// find is the first object of the bucket whose name begins with a prefix.
func (w *world) find(prefix string) (string, error) {
	for _, f := range w.files() {
		if strings.HasPrefix(f, prefix) {
			return f, nil
		}
	}
	return "", fmt.Errorf("%q: %w", prefix, errNoObject)
}
