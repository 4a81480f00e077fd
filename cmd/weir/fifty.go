package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"weir/protocol"
	"weir/reports"
	"weir/scenarios"
)

// fiftyStudy is the seed example at scale and its variations.
type fiftyStudy struct {
	fifty   scenarios.Fifty
	seed    uint64
	cases   []scenarios.FiftyCase // the example, its variations, the intervals
	results []scenarios.FiftyResult
}

// fiftyIntervals are where the page compares intervals, in seconds.
var fiftyIntervals = []int64{10, 30, 60, 120, 300}

func newFiftyStudy(f scenarios.Fifty, seed uint64) *fiftyStudy {
	s := &fiftyStudy{fifty: f, seed: seed}
	example := scenarios.FiftyCase{Name: "the example", Interval: 60 * protocol.Second, Detect: 10 * protocol.Second, Past: 10 * f.Rate}
	late, spare, single, local, both := example, example, example, example, example
	late.Name, late.Detect = "detection 30 s", 30*protocol.Second
	spare.Name, spare.Spare = "a spare worker", 1
	single.Name, single.Streams = "one stream per object", 1
	local.Name, local.Local = "local disks", true
	both.Name, both.Local, both.Spare = "local disks, a spare worker", true, 1
	s.cases = append(s.cases, example, late, spare, local, both, single)
	for _, seconds := range fiftyIntervals {
		s.cases = append(s.cases, scenarios.FiftyCase{
			Name: fmt.Sprintf("%d s", seconds), Interval: protocol.Duration(seconds) * protocol.Second, Detect: 10 * protocol.Second,
			Past: seconds * f.Rate / 2,
		})
	}
	return s
}

// intervals are the results of the cases that differ in interval.
func (s *fiftyStudy) intervals() []scenarios.FiftyResult {
	return s.results[len(s.results)-len(fiftyIntervals):]
}

// run runs the cases, longest first, on so many goroutines.
func (s *fiftyStudy) run(workers int, progress io.Writer) {
	x := scenarios.NewFiftyRunner(s.fifty)
	s.results = make([]scenarios.FiftyResult, len(s.cases))
	next := make(chan int, len(s.cases))
	for i := range s.cases {
		next <- len(s.cases) - 1 - i
	}
	close(next)
	var wait sync.WaitGroup
	var one sync.Mutex
	for range workers {
		wait.Go(func() {
			for i := range next {
				began := time.Now()
				s.results[i] = x.Run(s.seed, s.cases[i])
				one.Lock()
				fmt.Fprintf(progress, "  %-22s %d records, %d steps, %.1f s\n", s.cases[i].Name, s.results[i].Records, s.results[i].Run.Steps, time.Since(began).Seconds())
				one.Unlock()
			}
		})
	}
	wait.Wait()
}

func fifty(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("fifty", stderr)
	var from seed = 1
	fs.Var(&from, "seed", "the seed, decimal or 0x hex")
	workers := fs.Int("workers", runtime.NumCPU(), "runs at a time")
	out := fs.String("out", "", "file to write the page to; standard output without it")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if *workers <= 0 {
		return 0, fmt.Errorf("--workers %d must be above zero", *workers)
	}
	if err := writable(*out); err != nil {
		return 0, err
	}
	debug.SetGCPercent(400)
	s := newFiftyStudy(scenarios.DefaultFifty(), uint64(from))
	s.run(*workers, stderr)
	page := s.page()
	if *out == "" {
		fmt.Fprint(stdout, page)
	} else if err := os.WriteFile(*out, []byte(page), 0o644); err != nil {
		return 0, fmt.Errorf("write the page: %w", err)
	}
	return s.verdict(stderr), nil
}

// writable reports, before the work is done, that a file could not be written.
func writable(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("--out: %w; name a file in a folder that can be written", err)
	}
	return f.Close()
}

// verdict tells what is wrong and returns the exit code.
func (s *fiftyStudy) verdict(w io.Writer) int {
	code := 0
	for i := range s.results {
		if why := s.fifty.Broken(&s.results[i]); why != "" {
			fmt.Fprintf(w, "FAIL %s: %s\n", s.cases[i].Name, why)
			code = reports.ExitCode(reports.Fail)
		}
	}
	return code
}
