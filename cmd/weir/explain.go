package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"weir/faults"
	"weir/reports"
	"weir/scenarios"
)

// explain tells the story of a failure: of a file as it is, of a seed after a shrink.
func explain(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("explain", stderr)
	var run seedOrFile
	run.flags(fs)
	markdown := fs.Bool("markdown", false, "print the body of an issue")
	if err := run.parse(fs, args); err != nil {
		return 0, err
	}
	f, told, err := run.explained()
	if err != nil {
		return 0, err
	}
	st := f.Explain(nil)
	if st.Outcome.Passed() {
		fmt.Fprintf(stdout, "PASS: there is nothing to explain: %d inputs, %d outputs judged, %d of %d faults struck\n",
			st.Outcome.Verdict.Scope.Inputs, st.Outcome.Verdict.Scope.Records, len(f.Plan)-len(st.Outcome.Run.Missed), len(f.Plan))
		return code5(&st.Outcome), nil
	}
	if *markdown {
		f.Comment = nil // the page says it
		fmt.Fprint(stdout, st.Markdown(told, again(run.file)))
	} else {
		fmt.Fprintf(stdout, "--- FAIL: %s (%s)\n", f.Scenario, filepath.Base(run.file))
		for line := range strings.Lines(st.Text(told, again(run.file))) {
			fmt.Fprintln(stdout, strings.TrimRight("    "+line, " \n"))
		}
	}
	return max(code5(&st.Outcome), 1), nil
}

// again is what repeats a file.
func again(name string) []string {
	list := []string{"again       go run ./cmd/weir repro " + name, "every step  go run ./cmd/weir repro --trace " + name}
	if _, err := os.Stat(name); err == nil {
		list = append(list, "keep        mv "+name+" scenarios/regressions/   (runs first in every sweep and in go test)")
	}
	return list
}

// code5 is the exit code of a run of a file: a fault that no longer strikes comes first.
func code5(o *scenarios.Outcome) int {
	switch {
	case len(o.Run.Missed) > 0:
		return reports.ExitCode(reports.Stale)
	case o.Broken != "":
		return reports.ExitCode(reports.Fail)
	case o.Unknown:
		return reports.ExitCode(reports.Unknown)
	}
	return 0
}

// explained is the file to explain, and what a shrink of it came to. What a seed came to is saved, so that it can be
// repeated.
func (r *seedOrFile) explained() (f *scenarios.File, told []string, err error) {
	if r.file != "" {
		f, err = readFile(r.file)
		if err == nil && f.Minimised() != "" {
			told = []string{f.Minimised()}
		}
		return f, told, err
	}
	list, err := named(r.scenario)
	if err != nil {
		return nil, nil, err
	}
	f, o := list[0].File(uint64(r.seed), scenarios.Options{Limit: faults.Full()})
	if o.Passed() || o.Unknown {
		return f, nil, nil
	}
	s, err := shrunk(f, mostShrinkRuns)
	if err != nil {
		return nil, nil, err
	}
	o = s.Best.Run(scenarios.Watching{})
	r.file = filepath.Join(savedIn, fmt.Sprintf("%s-%s.min%s", r.scenario, hex(uint64(r.seed)), scenarioExt))
	return s.Best, []string{s.String()}, writeFile(r.file, s.Best, s.Best.Words(&o, s.String()))
}
