package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/checker"
)

// judge lets both jobs come to their end, and compares what was read with what was fed.
func (s *soak) judge() {
	s.t.Helper()
	for _, w := range s.jobs {
		w.ended.Store(true)
	}
	for _, w := range s.jobs {
		<-w.feed.ended
		s.drain(w)
		s.stop(w)
	}
	for _, w := range s.jobs {
		s.verdict(w)
	}
	s.hanging()
	s.summary()
}

// drain waits until all results are visible.
func (s *soak) drain(w *worked) {
	for began := time.Now(); w.behind() > 0; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 3*time.Minute {
			s.say("%s: LOST or stuck: %d of %d results after everything was mended", w.name, w.read.seen(), w.feed.fed())
			s.t.Errorf("%s: %d results are missing", w.name, w.behind())
			return
		}
	}
}

// stop asks a job to stop, which takes a last checkpoint.
func (s *soak) stop(w *worked) {
	w.mu.Lock()
	w.wanted = false
	cmd := w.main
	w.killed[cmd] = false
	w.mu.Unlock()
	cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
	w.gone.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("%s did not stop well: exit code %d", w.name, code)
	}
}

func (s *soak) verdict(w *worked) {
	h := checker.History{Inputs: w.feed.inputs(s.t), Fetches: w.read.end(), Complete: true}
	v := checker.Check(&h, w.spec())
	s.say("%s: %s: %d records in, %d out, %d keys; %d checkpoints decided, %d times HEAD told of a newer seal; processes: %v",
		w.name, verdictWord(v), v.Scope.Inputs, v.Scope.Records, v.Scope.Keys, w.gate.count, w.gate.seals, counts(w.exits))
	if v.Result != checker.Pass {
		s.t.Errorf("%s: %s", w.name, v.String())
	}
	if w.exits["exit 1"] > s.met["replace-job"] {
		s.t.Errorf("%s gave up %d times, and was replaced %d times", w.name, w.exits["exit 1"], s.met["replace-job"])
	}
	s.independent(w, v.Scope.Records)
}

func verdictWord(v checker.Verdict) string {
	if v.Result == checker.Pass {
		return "exactly once, 0 lost, 0 doubled"
	}
	return "FAIL"
}

func counts(m map[string]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(out, ", ")
}

// independent counts the committed records with another implementation of Kafka's client.
func (s *soak) independent(w *worked, want int) {
	if _, err := exec.LookPath("kcat"); err != nil {
		s.say("  NOT RUN: there is no kcat to count the records a second time (Debian: apt-get install kcat)")
		return
	}
	out, err := exec.Command("kcat", "-b", strings.Join(s.kafka.Brokers, ","), "-C", "-t", w.out, "-o", "beginning", "-e", "-q", "-u",
		"-X", "isolation.level=read_committed", "-f", `%p %o\n`).Output()
	if err != nil {
		s.t.Errorf("kcat: %v", err)
	}
	if n := bytes.Count(out, []byte("\n")); n != want {
		s.t.Errorf("%s: kcat reads %d records, want %d", w.name, n, want)
	} else {
		s.say("  kcat reads %d committed records too", n)
	}
}

// hanging looks for transactions that nobody will end.
func (s *soak) hanging() {
	ctx, cancel := within(time.Minute)
	defer cancel()
	list, err := s.adm.ListTransactions(ctx, nil, []string{"Ongoing", "PrepareCommit", "PrepareAbort"})
	if err != nil {
		s.t.Errorf("list of transactions: %v", err)
	}
	for _, x := range list.Sorted() {
		s.t.Errorf("transaction %s is %s", x.TxnID, x.State)
	}
	s.say("%d transactions are open", len(list))
}

func (s *soak) summary() {
	n := 0
	for _, c := range s.met {
		n += c
	}
	s.say("%d troubles: %s", n, counts(s.met))
	if s.t.Failed() {
		s.say("FAIL")
	} else {
		s.say("PASS")
	}
}
