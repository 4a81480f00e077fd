package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"weir/scenarios"
)

const mostShrinkRuns = 1000

// shrink makes a failing scenario file smaller.
func shrink(args []string, stdout, stderr io.Writer) (int, error) {
	fs := flags("shrink", stderr)
	out := fs.String("o", "", "where to write it; FILE with .min before its ending if empty")
	most := fs.Int("runs", mostShrinkRuns, "executions at most")
	name, err := fileArgs(fs, args)
	if err != nil {
		return 0, err
	}
	if name == "" || *most < 1 {
		return 0, errors.New("a FILE is needed, and --runs above zero; weir fuzz writes one for each failure")
	}
	f, err := readFile(name)
	if err != nil {
		return 0, err
	}
	if *out == "" {
		*out = strings.TrimSuffix(name, scenarioExt) + ".min" + scenarioExt
	}
	s, err := shrunk(f, *most)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	for _, p := range s.Passes {
		if p.Accepted > 0 {
			fmt.Fprintf(stdout, "  %-20s %6d -> %-6d (%d of %d runs helped)\n", p.Name, p.Before, p.After, p.Accepted, p.Runs)
		}
	}
	o := s.Best.Run(scenarios.Watching{})
	if err := writeFile(*out, s.Best, s.Best.Words(&o, s.String())); err != nil {
		return 0, err
	}
	fmt.Fprintf(stdout, "%s\n  %s\n  explain: go run ./cmd/weir explain %s\n", s, *out, *out)
	return 0, nil
}

// shrunk is a shrink that has come to its end.
func shrunk(f *scenarios.File, most int) (*scenarios.Shrink, error) {
	s, err := scenarios.NewShrink(f, most)
	if err != nil {
		return nil, err
	}
	s.Run()
	return s, s.Check()
}
