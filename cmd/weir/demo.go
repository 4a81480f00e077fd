package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"weir/checker"
	"weir/cmd/accesslog/job"
	"weir/cmd/accesslog/logs"
	"weir/faults"
	"weir/reports"
	"weir/runtime/embed"
	"weir/runtime/engine"
	"weir/runtime/host"
	"weir/scenarios"
)

const (
	demoTimeout  = 50 * time.Second // of the part on the broker
	demoSeeds    = 500
	demoInterval = "200ms"
	// childEnv makes this program the job: the demo runs itself as a child.
	childEnv = "WEIR_DEMO_JOB"
)

// demo is the README's first command.
func demo(args []string, stdout, stderr io.Writer) (code int, err error) {
	set := flags("demo", stderr)
	seeds := set.Int("seeds", demoSeeds, "seeds of the same job in the simulator")
	keep := set.String("dir", "", "folder for the broker's data, the checkpoints and the job's log; a temporary one without it")
	if err := parse(set, args); err != nil {
		return 0, err
	}
	if *seeds <= 0 {
		return 0, fmt.Errorf("--seeds %d must be above zero", *seeds)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	s := &show{out: stdout, dir: *keep}
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "weir-demo-")
		if err != nil {
			return 0, err
		}
		defer func() {
			if code == 0 || code == 130 { // else somebody will want to look at it
				os.RemoveAll(dir)
			}
		}()
		s.dir = dir
	}
	code, err = s.real(ctx)
	switch {
	case ctx.Err() != nil:
		return 130, nil
	case err != nil:
		fmt.Fprintf(stderr, "weir demo: %v\n", err)
		return 1, nil
	case code != 0:
		return code, nil
	}
	if err := s.replay(); err != nil {
		fmt.Fprintf(stderr, "weir demo: %v\n", err)
		return reports.ExitCode(reports.Nondeterministic), nil
	}
	if code = s.hunt(*seeds); code == 0 {
		fmt.Fprintf(stdout, "\nAll held. The job lost nothing and doubled nothing, on a broker and in %d simulated worlds, in %v.\n", *seeds, time.Since(began).Round(100*time.Millisecond))
	}
	return code, nil
}

// show is the demo's first part: a real broker, a real folder, a job that is killed.
type show struct {
	out    io.Writer
	dir    string
	broker *embed.Broker
	job    *child
	feed   *feeder
	read   *reader
	kills  int
	// between counts kills after a decision and before its commits: the broker held the commit back.
	between int
}

func (s *show) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

func (s *show) real(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	lines := logs.Lines()
	s.say("1. A broker of its own process, with topics %q and %q.", job.Input, job.Output)
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	topics := fmt.Sprintf("%s=3,%s=3", job.Input, job.Output)
	if s.broker, err = embed.Start(ctx, exe, "broker", "--dir", filepath.Join(s.dir, "broker"), "--topics", topics); err != nil {
		return 0, err
	}
	defer s.broker.Stop()
	s.say("2. %d real lines of a web server's log are appended to %q, bit by bit; a read_committed reader follows %q.", len(lines), job.Input, job.Output)
	if s.feed, err = startFeeder(ctx, s.broker.Addr, lines); err != nil {
		return 0, err
	}
	if s.read, err = startReader(ctx, s.broker.Addr); err != nil {
		return 0, err
	}
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	s.job = &child{exe: exe, dir: s.dir, addr: s.broker.Addr, gone: gone}
	defer s.job.end()
	s.say("3. The job counts requests and bytes per path and status, with a checkpoint every %s. It is killed with SIGKILL and started again:", demoInterval)
	if err := s.torment(ctx); err != nil {
		return 0, err
	}
	if err := s.read.wait(ctx, len(lines)); err != nil {
		return 0, fmt.Errorf("%w; the job's log is %s", err, s.job.log())
	}
	if err := s.job.stop(); err != nil {
		return 0, err
	}
	return s.verify(lines)
}

// torment kills the job: twice anywhere, twice between a decision and its commits. Of these, the broker carries out
// the first one's commit only after the job is dead, and never the second one's: its recovery has to.
func (s *show) torment(ctx context.Context) error {
	if err := s.job.start(); err != nil {
		return err
	}
	for _, how := range []func(context.Context) error{s.killAnywhere, s.killAfterDecision(s.broker.Release, "then the broker carried the commit out"),
		s.killAnywhere, s.killAfterDecision(s.broker.Drop, "the broker forgot the commit")} {
		if err := s.read.more(ctx, 300); err != nil {
			return fmt.Errorf("%w; the job's log is %s", err, s.job.log())
		}
		if err := how(ctx); err != nil {
			return err
		}
		if err := s.job.start(); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) killAnywhere(context.Context) error {
	s.kills++
	if err := s.job.kill(); err != nil {
		return err
	}
	s.say("   kill %d: %5d of the lines are fed, %5d results are visible", s.kills, s.feed.fed(), s.read.seen())
	return nil
}

// killAfterDecision makes the broker hold commits back, and kills the job when one is held: its checkpoint is decided.
func (s *show) killAfterDecision(end func() error, what string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := s.broker.Hold(); err != nil {
			return err
		}
		id, err := s.broker.Held(ctx)
		if err != nil {
			return fmt.Errorf("wait for a commit: %w; the job's log is %s", cmp.Or(context.Cause(ctx), err), s.job.log())
		}
		s.kills++
		if err := s.job.kill(); err != nil {
			return err
		}
		s.between++
		s.say("   kill %d: between a decision and the commit of %s; %s", s.kills, id, what)
		return end()
	}
}

// verify judges what the reader saw against the file.
func (s *show) verify(lines []string) (int, error) {
	h, err := s.read.history(s.feed)
	if err != nil {
		return 0, err
	}
	v := checker.Check(&h, scenarios.AccessLogSpec())
	s.say("4. Verified from outside, against the file: %d lines, %d results, %d keys, in %d fetches by a reader that ran all the while.",
		v.Scope.Inputs, v.Scope.Records, v.Scope.Keys, len(h.Fetches))
	switch {
	case v.Result == checker.Fail:
		s.say("   FAIL: %v", v.String())
		return reports.ExitCode(reports.Fail), nil
	case v.Result != checker.Pass || v.Scope.Inputs != len(lines):
		s.say("   UNKNOWN: %v", v.String())
		return reports.ExitCode(reports.Unknown), nil
	case s.kills < 3 || s.between < 1:
		s.say("   VACUOUS: %d kills, %d of them between a decision and its commits", s.kills, s.between)
		return reports.ExitCode(reports.Vacuous), nil
	}
	s.say("   Every key's count is 1, 2, 3 … without gap or repeat, and every sum of bytes is right: exactly once, over %d kills, %d of them between a decision and its commits.", s.kills, s.between)
	return 0, nil
}

// replay shows that the machines of the engine are those of the simulator: what they did is done again, byte for byte, by
// fresh ones that are given the recorded events.
func (s *show) replay() error {
	var all engine.Replayed
	for life := range s.job.lives {
		f, err := os.Open(s.job.recording(life + 1))
		if errors.Is(err, fs.ErrNotExist) {
			continue // killed before it did anything
		}
		if err != nil {
			return err
		}
		done, err := host.Replay(job.Job, s.job.args(life+1), f)
		f.Close()
		if err != nil {
			return fmt.Errorf("life %d of the job is not repeated by fresh machines: %w", life+1, err)
		}
		all.Steps += done.Steps
		all.Machines += done.Machines
	}
	s.say("5. One core, not two: the recorded events of the job's %d lives, fed to %d fresh machines: the same effects, byte for byte, in all %d steps.", s.job.lives, all.Machines, all.Steps)
	return nil
}

// hunt is the third part: the same job, the same protocol code, in the simulator.
func (s *show) hunt(seeds int) int {
	s.say("6. The same job, and the very same protocol code, in %d simulated worlds where processes die and stand still, networks break, requests get lost, late and doubled:", seeds)
	h := hunt{scenarios: []*scenarios.Scenario{scenarios.AccessLog()}, seeds: seeds, workers: 2, options: scenarios.Options{Limit: faults.Full()}}
	r := h.run()
	r.Text(s.out)
	return reports.ExitCode(r.Verdict)
}

// runChild is the job's process.
func runChild(args []string) int { return host.Run(job.Job, "accesslog", args, os.Stderr) }
