package conformance

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

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
	s.doctor()
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
	s.independent(w, h.Fetches)
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

// independent reads the committed records with another implementation of Kafka's client, and compares byte by byte.
func (s *soak) independent(w *worked, seen []checker.Fetch) {
	if _, err := exec.LookPath("kcat"); err != nil {
		s.say("  NOT RUN: there is no kcat to read the records a second time (Debian: apt-get install kcat)")
		return
	}
	out, err := exec.Command("kcat", "-b", strings.Join(s.kafka.Brokers, ","), "-C", "-t", w.out, "-o", "beginning", "-e", "-q", "-u",
		"-X", "isolation.level=read_committed", "-f", `%p %o %K %k %S %s\n`).Output()
	if err != nil {
		s.t.Errorf("kcat: %v", err)
	}
	ours := map[string]bool{}
	for _, f := range seen {
		for _, r := range f.Records {
			ours[fmt.Sprintf("%d %d %d %s %d %s\n", f.Partition, r.Offset, len(r.Key), r.Key, len(r.Value), r.Value)] = true
		}
	}
	n, strange := 0, 0
	for line := range strings.Lines(string(out)) {
		if n++; !ours[line] {
			strange++
		}
	}
	if n != len(ours) || strange > 0 {
		s.t.Errorf("%s: kcat reads %d records, our reader %d, and %d of kcat's are others", w.name, n, len(ours), strange)
	} else {
		s.say("  kcat reads the same %d records", n)
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
	held := s.heldUp(ctx)
	s.say("%d transactions are open, %d partitions are held up", len(list), held)
}

// heldUp counts the partitions whose read_committed readers do not get to the end.
func (s *soak) heldUp(ctx context.Context) (n int) {
	stable, err := s.adm.ListCommittedOffsets(ctx)
	if err != nil {
		s.t.Errorf("stable offsets: %v", err)
	}
	ends, err := s.adm.ListEndOffsets(ctx)
	if err != nil {
		s.t.Errorf("end offsets: %v", err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if at, ok := stable.Lookup(end.Topic, end.Partition); !ok || at.Offset != end.Offset {
			s.t.Errorf("%s/%d: readers are held up at %d of %d", end.Topic, end.Partition, at.Offset, end.Offset)
			n++
		}
	})
	return n
}

// doctor has weir doctor look at what each job leaves behind: the command an operator would type.
func (s *soak) doctor() {
	exe := s.build("weir")
	for _, w := range s.jobs {
		cmd := exec.Command(exe, "doctor", "-brokers", strings.Join(s.kafka.Brokers, ","), "-topics", w.in+","+w.out,
			"-bucket", "s3://"+BucketName+"/"+w.name, "-s3-endpoint", s.s3.Endpoint, "-interval", "1s", "-timeout", "40s")
		cmd.Env = w.environ()
		out, err := cmd.CombinedOutput()
		s.say("weir doctor, about %s:\n%s", w.name, out)
		if err != nil {
			s.t.Errorf("weir doctor, about %s: %v", w.name, err)
		}
	}
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
