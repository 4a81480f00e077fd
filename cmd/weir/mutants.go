package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"

	"weir/cmd/weir/internal/plant"
	planted "weir/faults/mutants"
	"weir/reports"
)

// mutants plants each known bug and counts the seeds until it is caught.
func mutants(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("mutants", stderr)
	name := fs.String("name", "", "one bug; all of them without it")
	seeds := fs.Int("seeds", 10_000, "how many seeds at most, from each start")
	starts := fs.Int("starts", 5, "how many hunts for each bug, from different first seeds")
	workers := fs.Int("workers", runtime.NumCPU(), "hunts at a time")
	demo := fs.Bool("demo", false, "let the demo run with the bug that --name names: exit 0 when it fails, as it must")
	asJSON := fs.Bool("json", false, "print one JSON object")
	explained := fs.String("explain", "", "plant the bug of --name in weir itself, and write there how weir explains the first failure, as a page")
	asMarkdown := fs.Bool("markdown", false, "print the page reports/mutants.md")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	if *seeds <= 0 || *starts <= 0 || *workers <= 0 {
		return 0, fmt.Errorf("--seeds %d, --starts %d and --workers %d must be above zero", *seeds, *starts, *workers)
	}
	list := planted.All()
	if *name != "" {
		m, ok := planted.Named(*name)
		if !ok {
			return 0, fmt.Errorf("there is no mutant %q", *name)
		}
		list = []planted.Mutant{m}
	}
	switch alone := *explained != "" || *demo; {
	case alone && *name == "":
		return 0, errors.New("--demo and --explain are of one bug: name it, --name fence-before-commit say")
	case *explained != "":
		return planting(&list[0], func(weir string) (int, error) { return explainMutant(&list[0], weir, *seeds, *explained, stdout) })
	case *demo:
		return planting(&list[0], func(weir string) (int, error) { return demoWith(&list[0], weir, stdout) })
	}
	rows := stdout
	if *asJSON || *asMarkdown {
		rows = stderr
	}
	h := plant.Hunt{Seeds: *seeds, Starts: *starts, Workers: *workers, Alone: true}
	r, err := hunted(&h, list, rows)
	if err != nil {
		return 0, err
	}
	switch {
	case *asJSON:
		err = reports.JSON(stdout, r)
	case *asMarkdown:
		r.Markdown(stdout)
	}
	if !r.Caught() {
		return 1, err
	}
	return 0, err
}

// planting builds weir with a bug and hands the program on.
func planting(m *planted.Mutant, run func(weir string) (int, error)) (int, error) {
	f, err := plant.Open()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	weir, err := f.BuildProgram(m, "./cmd/weir")
	if err != nil {
		return 0, err
	}
	return run(weir)
}

// demoWith runs the demo as it is, which must pass, and with a planted bug, which it must not survive: else whatever
// keeps a demo from passing would count as a catch.
func demoWith(m *planted.Mutant, weir string, stdout io.Writer) (int, error) {
	sound, err := os.Executable()
	if err != nil {
		return 0, err
	}
	if out, err := exec.Command(sound, "demo").CombinedOutput(); err != nil {
		fmt.Fprintf(stdout, "%s\nFAIL: the demo does not pass without a bug: %v\n", out, err)
		return 1, nil
	}
	cmd := exec.Command(weir, "demo")
	cmd.Stdout, cmd.Stderr = stdout, stdout
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(stdout, "PASS: the demo passes as it is, and fails with %s in it: %v\n", m.Name, err)
		return 0, nil
	}
	fmt.Fprintf(stdout, "FAIL: the demo passed with %s in it: %s\n", m.Name, m.Breaks)
	return 1, nil
}

// hunted hunts for each mutant, and prints a row for each on the way.
func hunted(h *plant.Hunt, list []planted.Mutant, rows io.Writer) (*reports.Mutants, error) {
	f, err := plant.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &reports.Mutants{SchemaVersion: reports.SchemaVersion, Seeds: h.Seeds, Starts: h.Starts, Mutants: []reports.Mutant{}}
	fmt.Fprintln(rows, reports.MutantHeader())
	err = f.All(h, list, func(m *planted.Mutant, found []planted.Found) {
		row := plant.Row(m, found)
		r.Mutants = append(r.Mutants, row)
		fmt.Fprintln(rows, row.Row())
	})
	if err != nil {
		return nil, err
	}
	if r.Unpatched, err = f.Unpatched(h); err != nil {
		return nil, err
	}
	fmt.Fprintln(rows, r.Sum())
	return r, nil
}
