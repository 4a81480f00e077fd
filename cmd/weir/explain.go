package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

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
	st := f.Explain()
	if st.Outcome.Passed() {
		fmt.Fprintf(stdout, "PASS: there is nothing to explain: %d inputs, %d outputs judged, %d of %d faults struck\n",
			st.Outcome.Verdict.Scope.Inputs, st.Outcome.Verdict.Scope.Records, len(f.Plan)-len(st.Outcome.Run.Missed), len(f.Plan))
		return code5(&st.Outcome), nil
	}
	x := explanation(st, f, run.file)
	x.Shrunk, x.File = told, f.With(f.Plan).String()
	if *markdown {
		x.Markdown(stdout)
	} else {
		x.Text(stdout)
	}
	return max(code5(&st.Outcome), 1), nil
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
func (r *seedOrFile) explained() (f *scenarios.File, told string, err error) {
	if r.file != "" {
		f, err = readFile(r.file)
		if err == nil && len(f.Comment) > 0 {
			told = minimised(f.Comment)
		}
		return f, told, err
	}
	list, err := named(r.scenario)
	if err != nil {
		return nil, "", err
	}
	f, o := list[0].File(uint64(r.seed), scenarios.Options{Limit: faults.Full()})
	if o.Passed() || o.Unknown {
		return f, "", nil
	}
	s, told, err := shrunk(f, mostShrinkRuns)
	if err != nil {
		return nil, "", err
	}
	o = s.Best.Run(scenarios.Watching{})
	r.file = filepath.Join(savedIn, fmt.Sprintf("%s-%s.min%s", r.scenario, hex(uint64(r.seed)), scenarioExt))
	return s.Best, told, writeFile(r.file, s.Best, words(&o, told))
}

// explanation is a story for the reports.
func explanation(st *scenarios.Story, f *scenarios.File, name string) *reports.Explanation {
	o := &st.Outcome
	x := &reports.Explanation{
		Title: st.Proof.Verdict, Evidence: st.Proof.Evidence, Model: st.Proof.Model, Observed: st.Proof.Observed,
		Subject: fmt.Sprintf("%s (%s): %d steps, %s of virtual time, %d checkpoints sealed, %d faults", f.Scenario, filepath.Base(name), o.Run.Steps,
			reports.Seconds(int64(o.Run.Virtual)), o.Run.Sealed, len(o.Run.Plan)),
	}
	for _, t := range st.Events {
		x.Events = append(x.Events, reports.ExplainedEvent{Step: t.Step, At: reports.Seconds(int64(t.At)), Where: t.Where, What: t.What, Fault: t.Fault, Apart: t.Apart})
	}
	if st.Needs == nil {
		for i := range f.Plan {
			x.Faults = append(x.Faults, reports.ExplainedFault{Fault: f.Plan[i].String()})
		}
	}
	for _, n := range st.Needs {
		x.Faults = append(x.Faults, reports.ExplainedFault{Fault: n.Fault.String(), Without: n.Without, Needed: n.Without != f.Expect && n.Without != o.Sort()})
	}
	if st.Nearest >= 0 {
		x.Nearest = fmt.Sprintf("without %v; it parts at step %d (%s): %s", st.Needs[st.Nearest].Fault.ID, st.Apart.Step, reports.Seconds(int64(st.Apart.At)), st.Apart.Where+" "+st.Apart.What)
	}
	for i := range o.Run.Missed {
		x.Missed = append(x.Missed, o.Run.Missed[i].String())
	}
	x.Again = []string{"again    go run ./cmd/weir repro " + name, "every step  go run ./cmd/weir repro --trace " + name}
	if _, err := os.Stat(name); err == nil {
		x.Again = append(x.Again, "keep     mv "+name+" scenarios/regressions/   (runs first in every sweep and in go test)")
	}
	return x
}
