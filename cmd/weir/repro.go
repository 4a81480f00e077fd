package main

import (
	"fmt"
	"io"

	"weir/faults"
	"weir/reports"
	"weir/scenarios"
)

// repro runs one seed twice: what is not repeated the second time is not reproducible, whatever came out.
func repro(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("repro", stderr)
	var which seedOrFile
	which.flags(fs)
	var c scenarios.Case
	fs.Func("case", "one case of an enumeration, as fuzz --enumerate prints it", func(text string) (err error) { c, err = scenarios.ParseCase(text); return err })
	trace := fs.Bool("trace", false, "print every event and effect")
	pin := fs.String("pin", "", "of a file: write it as it came out now, with the faults that struck, to this file")
	if err := which.parse(fs, args); err != nil {
		return 0, err
	}
	if which.file != "" {
		return reproFile(which.file, *pin, *trace, stdout)
	}
	list, err := named(which.scenario)
	if err != nil {
		return 0, err
	}
	opt := scenarios.Options{Limit: faults.Full()}
	run := func() scenarios.Outcome { return list[0].Run(uint64(which.seed), opt) }
	if len(c.Crash) > 0 || c.Unknown.Request > 0 {
		run = func() scenarios.Outcome { return list[0].RunCase(uint64(which.seed), c, opt) }
	}
	first := run()
	if *trace {
		opt.Trace = func(line string) { fmt.Fprintln(stdout, line) }
	}
	o := run()
	return tell(stdout, &first, &o), nil
}

// reproFile runs a scenario file twice, and says whether it came out as it expects.
func reproFile(name, pin string, trace bool, stdout io.Writer) (int, error) {
	f, err := readFile(name)
	if err != nil {
		return 0, err
	}
	first := f.Run(scenarios.Watching{})
	var w scenarios.Watching
	if trace {
		w.Trace = func(line string) { fmt.Fprintln(stdout, line) }
	}
	o := f.Run(w)
	code := tell(stdout, &first, &o)
	if o.Sort() != f.Expect {
		fmt.Fprintf(stdout, "  the file expects %q\n", f.Expect)
	}
	for i := range o.Run.Missed {
		code = reports.ExitCode(reports.Stale)
		fmt.Fprintf(stdout, "STALE: did not strike: %s\n", o.Run.Missed[i].String())
	}
	if pin == "" || code == reports.ExitCode(reports.Nondeterministic) {
		return code, nil
	}
	pinned := f.With(o.Run.Plan)
	pinned.Expect = o.Sort()
	return code, writeFile(pin, pinned, f.Comment)
}

// tell prints the outcome and returns the exit code.
func tell(w io.Writer, first, o *scenarios.Outcome) int {
	fmt.Fprintf(w, "%s\n", o.Run.String())
	for _, f := range o.Run.Fired {
		fmt.Fprintf(w, "  fault %v\n", f)
	}
	switch {
	case first.Run.Digest != o.Run.Digest:
		fmt.Fprintf(w, "NONDETERMINISTIC: digest %016x the first time, %016x the second\n", first.Run.Digest, o.Run.Digest)
		return reports.ExitCode(reports.Nondeterministic)
	case o.Broken != "":
		fmt.Fprintf(w, "FAIL %s: %s\n", o.Broken, o.Message)
		return reports.ExitCode(reports.Fail)
	case o.Unknown:
		fmt.Fprintf(w, "UNKNOWN: %s\n", o.Message)
		return reports.ExitCode(reports.Unknown)
	}
	fmt.Fprintf(w, "PASS: %d inputs, %d outputs judged\n", o.Verdict.Scope.Inputs, o.Verdict.Scope.Records)
	return 0
}

// entry is a scenario in the list.
type entry struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

func list(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("scenarios", stderr)
	asJSON := fs.Bool("json", false, "print one JSON object")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	var all []entry
	for _, s := range scenarios.All() {
		all = append(all, entry{s.Name, s.About})
		if !*asJSON {
			fmt.Fprintf(stdout, "%-22s %s\n", s.Name, s.About)
		}
	}
	if !*asJSON {
		return 0, nil
	}
	return 0, reports.JSON(stdout, struct {
		SchemaVersion int     `json:"schema_version"`
		Scenarios     []entry `json:"scenarios"`
	}{reports.SchemaVersion, all})
}
