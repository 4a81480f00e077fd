package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// meet lets one trouble happen, mends what it broke, and waits until the jobs go on.
func (s *soak) meet(f trouble) {
	s.t.Helper()
	time.Sleep(f.after)
	s.say("%v", f)
	s.met[f.kind]++
	if f.also > 0 {
		var killed sync.WaitGroup
		defer killed.Wait() // before the next one
		killed.Go(func() {
			time.Sleep(f.at)
			s.jobs[f.also-1].kill()
		})
		s.met["kill-job-meanwhile"]++
	}
	switch where, what, _ := strings.Cut(f.kind, "-"); {
	case strings.HasSuffix(f.kind, "job") || strings.Contains(f.kind, "-job-"):
		s.troubleJob(f, s.jobs[f.target])
	case strings.Contains(f.kind, "at-commit"):
		s.troubleCommit(f, s.jobs[f.target])
	case f.kind == "kill-broker":
		s.downBroker(f.target, f.last)
	case f.kind == "pause-broker":
		s.stillBroker(f.target, f.last)
	case f.kind == "kill-s3":
		s.must(s.s3.Kill())
		time.Sleep(f.last)
		s.must(s.s3.Start())
	case f.kind == "pause-s3":
		s.must(s.s3.Pause())
		time.Sleep(f.last)
		s.must(s.s3.Resume())
	case where == "broker":
		s.spoil("broker-"+strconv.Itoa(f.target), what, f.last)
	case where == "s3":
		for i := range s.jobs {
			s.must(s.toxi.spoil("s3-"+strconv.Itoa(i), toxicsOf(what)...))
		}
		time.Sleep(f.last)
		for i := range s.jobs {
			s.must(s.toxi.mend("s3-"+strconv.Itoa(i), len(toxicsOf(what))))
		}
	default:
		s.t.Fatalf("trouble %q is not known", f.kind)
	}
	for _, w := range s.jobs {
		s.grows(w, f.kind)
	}
}

func (s *soak) spoil(proxy, what string, last time.Duration) {
	list := toxicsOf(what)
	s.must(s.toxi.spoil(proxy, list...))
	time.Sleep(last)
	s.must(s.toxi.mend(proxy, len(list)))
}

func (s *soak) troubleJob(f trouble, w *worked) {
	switch f.kind {
	case "kill-job":
		w.kill()
	case "kill-job-before-decision":
		s.held(w, beforeDecision)
		w.kill()
	case "kill-job-after-decision":
		s.held(w, afterDecision)
		w.kill()
	case "pause-job":
		w.signal(syscall.SIGSTOP)
		time.Sleep(f.last)
		w.signal(syscall.SIGCONT)
	case "replace-job":
		s.replace(f, w)
	}
}

// replace lets a process stand still, starts another one, which takes over, and wakes the first one up: it must end.
func (s *soak) replace(f trouble, w *worked) {
	old := w.signal(syscall.SIGSTOP)
	w.start()
	s.grows(w, "a take-over")
	time.Sleep(f.last)
	old.Process.Signal(syscall.SIGCONT)
	for began := time.Now(); w.lives(old); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			s.t.Fatalf("the process of %s that was replaced lives on", w.name)
		}
	}
}

func (w *worked) lives(cmd *exec.Cmd) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.procs[cmd]
}

// held waits until the job's next decision is where it is to be caught.
func (s *soak) held(w *worked, h hold) bool {
	select {
	case <-w.gate.arm(h):
		return true
	case <-time.After(2 * time.Minute):
		s.t.Fatalf("%s decides no checkpoint", w.name)
		return false
	}
}

// troubleCommit strikes the broker that is sent the job's next EndTxn, within 5 ms of that.
func (s *soak) troubleCommit(f trouble, w *worked) {
	var e ending
	select {
	case e = <-s.taps.next(w.name):
	case <-time.After(2 * time.Minute):
		s.t.Fatalf("%s ends no transaction", w.name)
	}
	strike := time.Duration((f.after+f.last)/(100*time.Millisecond)*7%31) * 100 * time.Microsecond // 0 to 3 ms, by the plan
	time.Sleep(time.Until(e.at.Add(strike)))
	proc := s.brokerProcess(e.broker)
	if f.kind == "kill-coordinator-at-commit" {
		proc.Kill()
	} else {
		proc.Signal(syscall.SIGSTOP)
	}
	s.say("  broker %d was struck %v after an EndTxn of %s had come to it", e.broker, time.Since(e.at).Round(10*time.Microsecond), w.name)
	time.Sleep(f.last)
	if f.kind == "kill-coordinator-at-commit" {
		s.must(s.kafka.Restart(e.broker))
	} else {
		s.must(s.kafka.Resume(e.broker))
	}
}

func (s *soak) brokerProcess(i int) *os.Process {
	text, err := os.ReadFile(filepath.Join(s.kafka.dir, strconv.Itoa(i), "pid"))
	s.must(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	s.must(err)
	p, err := os.FindProcess(pid)
	s.must(err)
	return p
}

func (s *soak) downBroker(i int, last time.Duration) {
	s.must(s.kafka.Kill(i))
	time.Sleep(last)
	s.must(s.kafka.Restart(i))
}

func (s *soak) stillBroker(i int, last time.Duration) {
	s.must(s.kafka.Pause(i))
	time.Sleep(last)
	s.must(s.kafka.Resume(i))
}
