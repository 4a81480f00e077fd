package main

import (
	"errors"
	"fmt"
	"io"
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
	if *explained != "" {
		return explainMutant(&list[0], *seeds, *explained, stdout)
	}
	if *demo {
		if *name == "" {
			return 0, errors.New("--demo needs --name, the bug to run it with: fence-before-commit, say")
		}
		return demoWith(&list[0], stdout)
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

// demoWith runs the demo with a planted bug, which it must not survive.
func demoWith(m *planted.Mutant, stdout io.Writer) (int, error) {
	f, err := plant.Open()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	program, err := f.BuildProgram(m, "./cmd/weir")
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(program, "demo")
	cmd.Stdout, cmd.Stderr = stdout, stdout
	switch err := cmd.Run(); {
	case err == nil:
		fmt.Fprintf(stdout, "FAIL: the demo passed with %s in it: %s\n", m.Name, m.Breaks)
		return 1, nil
	default:
		fmt.Fprintf(stdout, "PASS: the demo failed with %s in it: %v\n", m.Name, err)
		return 0, nil
	}
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
