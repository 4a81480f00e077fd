package main

import (
	"fmt"
	"io"
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
