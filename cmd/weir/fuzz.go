package main

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"weir/faults"
	"weir/reports"
	"weir/scenarios"
)

// hunt is a sweep over seeds. Seed s belongs to scenario s modulo their number, so that any range takes all in turn.
type hunt struct {
	scenarios []*scenarios.Scenario
	first     uint64
	seeds     int
	workers   int
	options   scenarios.Options
	// cases, if set, are run in place of the seeds.
	cases []enumeratedCase
	// each, if set, is called for every outcome, in order of seed.
	each func(*scenarios.Outcome)
}

func fuzz(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("fuzz", stderr)
	name := fs.String("scenario", "", "one scenario; all of them in turn without it")
	seeds := fs.Int("seeds", 1000, "how many seeds")
	var from seed
	fs.Var(&from, "from", "first seed, decimal or 0x hex")
	workers := fs.Int("workers", runtime.NumCPU(), "seeds at a time")
	asJSON := fs.Bool("json", false, "print one JSON object")
	audits := fs.Int("audit", 0, "run so many seeds again in other processes and under -race, and compare digests")
	canary := fs.Bool("audit-canary", false, "audit a job that is not deterministic: it must be seen (exit 4)")
	onlyDigests := fs.Bool("digests", false, "print a digest per seed and nothing else")
	save := fs.String("save", savedIn, "write a scenario file for each failure there; nothing if empty")
	enumerates := fs.Bool("enumerate", false, "run every crash and every unknown outcome of a small run, once each, of linear and shuffle or of the scenario; --from varies the run")
	strict := fs.Bool("strict", false, "exit 6 when a fault never struck or a rare state was never reached")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if *audits > 0 || *canary {
		*seeds = max(*audits, 1)
	}
	if *seeds <= 0 || *workers <= 0 {
		return 0, fmt.Errorf("--seeds %d and --workers %d must be above zero", *seeds, *workers)
	}
	list, err := named(*name)
	if err != nil {
		return 0, err
	}
	debug.SetGCPercent(400) // runs are short and hold little: garbage is cheaper than its collection
	h := hunt{scenarios: list, first: uint64(from), seeds: *seeds, workers: *workers, options: scenarios.Options{Limit: faults.Full()}}
	switch {
	case *onlyDigests:
		for _, d := range digests(&h) {
			fmt.Fprintln(stdout, d)
		}
		return 0, nil
	case *canary:
		h.scenarios = []*scenarios.Scenario{scenarios.Canary()}
		fallthrough
	case *audits > 0:
		return audit(&h, stdout, stderr)
	case *enumerates:
		h.enumerate(*name == "")
	}
	if !*asJSON {
		h.each = progress(stderr, h.seeds)
	}
	repeated, err := h.repeat()
	if err != nil {
		return 0, err
	}
	r := h.run()
	repeated.into(r)
	if *strict && r.Verdict == reports.Pass && len(r.Missing()) > 0 {
		r.Verdict = reports.Vacuous
	}
	if err := h.save(r, *save); err != nil {
		return 0, err
	}
	if *asJSON {
		return reports.ExitCode(r.Verdict), reports.JSON(stdout, r)
	}
	r.Text(stdout)
	return reports.ExitCode(r.Verdict), nil
}

// name is the scenario's, or "all".
func (h *hunt) name() string {
	if len(h.scenarios) == 1 {
		return h.scenarios[0].Name
	}
	return "all"
}

// named is one scenario, or all for no name.
func named(name string) ([]*scenarios.Scenario, error) {
	if name == "" {
		return scenarios.All(), nil
	}
	if c := scenarios.Canary(); name == c.Name {
		return []*scenarios.Scenario{c}, nil
	}
	s, ok := scenarios.Named(name)
	if !ok {
		return nil, fmt.Errorf("there is no scenario %q; see weir scenarios", name)
	}
	return []*scenarios.Scenario{s}, nil
}

// mostSaved is how many failures are written down.
const mostSaved = 10

// save writes a scenario file for each failure.
func (h *hunt) save(r *reports.Hunt, dir string) error {
	if dir == "" || h.cases != nil {
		return nil
	}
	for i := range r.Failures[:min(len(r.Failures), mostSaved)] {
		f := &r.Failures[i]
		if f.Regression != "" {
			continue
		}
		s, ok := scenarios.Named(f.Scenario)
		var at seed
		if err := at.Set(f.Seed); err != nil || !ok {
			continue // the canary
		}
		file, o := s.File(uint64(at), h.options)
		name := filepath.Join(dir, fmt.Sprintf("%s-%s%s", f.Scenario, f.Seed, scenarioExt))
		if err := writeFile(name, file, file.Words(&o, "", f.Repro)); err != nil {
			return fmt.Errorf("save a failure: %w; name another folder with --save, or none", err)
		}
		f.Saved = name
	}
	return nil
}

// progress prints a line every second.
func progress(w io.Writer, seeds int) func(*scenarios.Outcome) {
	done, failed, last := 0, 0, time.Now()
	return func(o *scenarios.Outcome) {
		done++
		if !o.Passed() {
			failed++
		}
		if time.Since(last) > time.Second {
			last = time.Now()
			fmt.Fprintf(w, "  %d of %d seeds, %d failed\n", done, seeds, failed)
		}
	}
}

func (h *hunt) scenario(s uint64) *scenarios.Scenario {
	return h.scenarios[s%uint64(len(h.scenarios))]
}

// outcome runs the ith seed, or case.
func (h *hunt) outcome(i int) scenarios.Outcome {
	if h.cases != nil {
		return h.cases[i].scenario.RunCase(h.first, h.cases[i].Case, h.options)
	}
	s := h.first + uint64(i)
	return h.scenario(s).Run(s, h.options)
}

// run runs the seeds on several goroutines and adds the outcomes up in order of seed, so that the report does not
// depend on who was first.
func (h *hunt) run() *reports.Hunt {
	began := time.Now()
	r := newReport(h)
	outcomes := make([]chan scenarios.Outcome, h.workers)
	var wait sync.WaitGroup
	for w := range outcomes {
		outcomes[w] = make(chan scenarios.Outcome, 16)
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := w; i < h.seeds; i += h.workers {
				outcomes[w] <- h.outcome(i)
			}
		}()
	}
	for i := range h.seeds {
		o := <-outcomes[i%h.workers]
		told := r.add(&o)
		if h.cases != nil {
			r.addCase(&h.cases[i], &o, told)
		}
		if h.each != nil {
			h.each(&o)
		}
	}
	wait.Wait()
	return r.finish(time.Since(began))
}
