package host

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"weir"
	"weir/protocol"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/state/memory"
	"weir/protocol/txn"
	"weir/runtime/engine"
	"weir/runtime/kafka"
	"weir/runtime/localfs"
	"weir/runtime/s3"
)

// Exit codes of a job's process.
const (
	exitDone    = 0 // finished, or stopped as asked
	exitFailed  = 1 // lost output, fenced, or restarts exhausted
	exitRefused = 2 // usage, or refused at start
)

// probeTimeout bounds the questions asked before a job starts, so that a refusal comes within 15 s.
const probeTimeout = 11 * time.Second

// Main runs a job as a process until it finishes, fails for good or is asked to stop: the first SIGINT or SIGTERM asks
// for a last checkpoint, the second ends at once, which loses nothing but time.
func Main(factory func() *weir.Job) {
	os.Exit(Run(factory, os.Args[0], os.Args[1:], os.Stderr))
}

// Run is Main without the exit: it returns the exit code.
func Run(factory func() *weir.Job, name string, args []string, stderr io.Writer) int {
	cfg, err := Parse(name, args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitRefused
	}
	p, err := open(factory, cfg)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitRefused
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.obey(ctx, cancel)
	code, text := p.run(ctx)
	p.close() // before the last word is said
	fmt.Fprintf(stderr, "%s: %s\n", name, text)
	return code
}

// process is a job with its devices.
type process struct {
	engine *engine.Engine
	log    *kafka.Device
	store  bucket
	copies *localfs.Copies // nil without -local
	logger *slog.Logger
	// recorder and its file are nil without -record.
	recorder *engine.Recorder
	file     *os.File
}

// bucket is a store device that can be probed.
type bucket interface {
	protocol.Device
	Probe(ctx context.Context) error
	Close() error
}

// open builds the plan, opens the devices and probes them; nothing of the job is written yet.
func open(factory func() *weir.Job, cfg Config) (*process, error) {
	graph, err := weir.Graph(factory)
	if err != nil {
		return nil, err
	}
	plan, err := job.NewPlan(graph, cfg.Job)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	pool, clock := new(engine.Pool), engine.NewClock()
	p := &process{logger: cfg.Log}
	if p.log, err = kafka.New(logOptions(cfg, pool, clock)); err != nil {
		return nil, err
	}
	if err := p.keepCopies(cfg.Local, graph.Name); err != nil {
		p.close()
		return nil, err
	}
	if err := p.probe(ctx, plan, cfg); err != nil {
		p.close()
		return nil, err
	}
	if err := p.record(cfg.Record); err != nil {
		p.close()
		return nil, err
	}
	me := incarnation()
	opt := engine.Options{Plan: plan, Incarnation: me, Store: p.store, Log: p.log, Clock: clock, Pool: pool, NewState: newState, Logger: cfg.Log}
	if p.copies != nil {
		opt.Disk = p.copies
	}
	if p.recorder != nil {
		opt.Observe = p.recorder.Observe
	}
	p.engine = engine.New(opt)
	cfg.Log.Info("job starts", "job", graph.Name, "incarnation", fmt.Sprintf("%x", uint64(me)), "brokers", cfg.Brokers, "bucket", cfg.Bucket)
	return p, nil
}

// keepCopies opens the job's folder below the one for copies of state, if there is to be one.
func (p *process) keepCopies(dir, job string) (err error) {
	if dir != "" {
		p.copies, err = localfs.OpenCopies(filepath.Join(dir, url.PathEscape(job)), p.logger)
	}
	return err
}

func logOptions(cfg Config, pool *engine.Pool, clock engine.Clock) kafka.Options {
	o := cfg.Kafka()
	o.Pool, o.Now, o.Logger, o.IOTimeout = pool, clock.Now, cfg.Log, std(cfg.Job.IOTimeout)
	return o
}

func newState(owned state.Groups, total int) state.Keyed { return memory.New(owned, total) }

// probe asks broker and bucket for what the job needs, and looks at what is there. Only when nothing speaks against the
// start are the ledgers created, which are the job's own.
func (p *process) probe(ctx context.Context, plan *job.Plan, cfg Config) error {
	reads, writes, ledgers := plan.Topics()
	if err := cfg.Kafka().Reach(ctx); err != nil {
		return err
	}
	if err := p.log.Probe(ctx, append(reads, writes...)...); err != nil {
		return err
	}
	for _, l := range ledgers {
		writes = append(writes, l.Topic)
	}
	if len(writes) > 0 {
		if err := cfg.Kafka().Rights(ctx, txn.ProbeID(plan.Graph.Name), writes...); err != nil {
			return err
		}
	}
	told, err := checkLimit(ctx, cfg)
	if err != nil {
		return err
	}
	if p.store, err = openBucket(ctx, cfg); err != nil {
		return err
	}
	if err := p.store.Probe(ctx); err != nil {
		return err
	}
	if err := inspect(ctx, p.store, plan); err != nil {
		return err
	}
	if !told {
		if err := tryLimit(ctx, plan.Graph.Name, cfg); err != nil {
			return err
		}
	}
	topics := make(map[string]kafka.Topic, len(ledgers))
	for _, l := range ledgers {
		topics[l.Topic] = kafka.Topic{Partitions: int32(l.Partitions), Compacted: true}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout) // no question any more
	defer cancel()
	return p.log.EnsureTopics(ctx, topics)
}

func openBucket(ctx context.Context, cfg Config) (bucket, error) {
	if cfg.S3.Bucket == "" {
		d, err := localfs.OpenWith(cfg.Bucket, localfs.Options{Logger: cfg.Log})
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	cfg.S3.Logger = cfg.Log
	d, err := s3.New(ctx, cfg.S3)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (p *process) close() {
	p.endRecording()
	if p.log != nil {
		p.log.Close()
	}
	if p.store != nil {
		p.store.Close()
	}
	if p.copies != nil {
		p.copies.Close()
	}
}

// incarnation is random and not zero.
func incarnation() protocol.Incarnation {
	var b [8]byte
	rand.Read(b[:])
	return protocol.Incarnation(binary.BigEndian.Uint64(b[:]) | 1)
}

// run runs the job and returns the exit code and the last word.
func (p *process) run(ctx context.Context) (code int, text string) {
	v, err := p.engine.Run(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		return exitDone, "ended at the second signal, without a last checkpoint: the next start goes on from the newest one, and nothing is lost"
	case err != nil:
		return exitFailed, err.Error()
	}
	return ExitCode(v.Kind), words(v)
}

// obey acts on signals from now on: the first asks for a last checkpoint, the second calls end, the third kills.
func (p *process) obey(ctx context.Context, end func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer signal.Stop(signals)
		for _, act := range []func(){p.stop, end} {
			select {
			case <-signals:
				act()
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (p *process) stop() {
	p.logger.Info("asked to stop: a last checkpoint is taken; a second signal ends the process without it")
	p.engine.Stop()
}

// words is a verdict as the operator reads it, with what there is to do.
func words(v protocol.Verdict) string {
	switch v.Kind {
	case protocol.Finished, protocol.Stopped:
		return v.Text
	case protocol.Deposed:
		return "deposed: " + v.Text + ". That process goes on with the job; this one has dropped its tasks, and nothing of them is lost or doubled. Run one of them only"
	case protocol.Exhausted:
		return "exhausted: " + v.Text + ". Nothing of the failed attempts is committed. Remove the cause and start the job again: it goes on from its newest checkpoint"
	case protocol.LostWork, protocol.Refused:
	}
	return v.Kind.String() + ": " + v.Text
}

// ExitCode is the process's exit code for a verdict.
func ExitCode(k protocol.VerdictKind) int {
	switch k {
	case protocol.Finished, protocol.Stopped:
		return exitDone
	case protocol.Refused:
		return exitRefused
	case protocol.Deposed, protocol.LostWork, protocol.Exhausted:
	}
	return exitFailed
}
