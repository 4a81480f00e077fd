package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/cmd/tidy/determinism"
)

// vet reports what the functions of jobs may not do, in packages of the module that it is called in.
func vet(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("vet", stderr)
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), "usage: weir vet PACKAGES\n\nIt reports, by file and line, what makes a job differ from run to run (clocks, random numbers, the order of a map,\n"+
			"goroutines), and what its functions keep outside of state (package variables, captured variables). PACKAGES are as for\n"+
			"the go command, such as ./... . A comment \"//weir:allow RULE REASON\" suppresses one rule on its line or the next.\n\n"+
			"exit codes: 0 nothing found, 1 something found, 2 usage, no job, or code that does not compile")
	}
	packages, err := packagesOf(fs, args)
	if err != nil {
		return 0, err
	}
	findings, jobs, err := determinism.CheckJobs(".", packages...)
	if err != nil {
		return 0, err
	}
	code := 0
	slices.SortStableFunc(findings, func(a, b determinism.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	for _, f := range findings {
		f.File = near(f.File)
		fmt.Fprintln(stdout, f)
		if code = max(code, 1); f.Rule == "typecheck" {
			code = exitUsage
		}
	}
	if jobs == 0 && code == 0 {
		return 0, fmt.Errorf("there is no job in %q: nothing was looked at", packages)
	}
	if code == 0 {
		fmt.Fprintf(stdout, "ok: %d functions of jobs, and what they call in their packages\n", jobs)
	}
	return code, nil
}

// packagesOf is the arguments behind the flags, of which there are none but -h.
func packagesOf(fs *flag.FlagSet, args []string) ([]string, error) {
	n := 0
	for n < len(args) && strings.HasPrefix(args[n], "-") {
		n++
	}
	if err := parse(fs, args[:n]); err != nil {
		return nil, err
	}
	if len(args) == n {
		return nil, errors.New("name packages, such as ./...; see weir vet -h")
	}
	return args[n:], nil
}

// near is a file's path as seen from here.
func near(file string) string {
	dir, err := os.Getwd()
	if err != nil {
		return file
	}
	if rel, err := filepath.Rel(dir, file); err == nil {
		return rel
	}
	return file
}
