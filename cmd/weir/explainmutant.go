package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	planted "weir/faults/mutants"
	"weir/reports"
)

// explainMutant lets a weir with a bug hunt, shrink and explain, and writes the explanation into a folder.
func explainMutant(m *planted.Mutant, weir string, seeds int, dir string, stdout io.Writer) (int, error) {
	found, err := firstFailure(weir, seeds)
	if err != nil {
		return 0, fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	cmd := exec.Command(weir, "explain", "--scenario", found.Scenario, "--seed", found.Seed, "--markdown")
	if cmd.Dir, err = os.MkdirTemp("", "weir-explain-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(cmd.Dir)
	page, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return 0, fmt.Errorf("mutant %s: explain: %w", m.Name, err)
	}
	head := fmt.Sprintf("<!-- weir mutants --name %s --explain %s -->\n\nThe bug that was planted: %s.\n\n", m.Name, filepath.ToSlash(dir), m.Breaks)
	to := filepath.Join(dir, m.Name+".md")
	fmt.Fprintln(stdout, to)
	return 0, os.WriteFile(to, append([]byte(head), page...), 0o644)
}

// firstFailure hunts in small steps, so that it need not wait for a sweep's end.
func firstFailure(weir string, seeds int) (f reports.Failure, err error) {
	const step = 50
	for from := 0; from < seeds; from += step {
		out, err := exec.Command(weir, "fuzz", "--json", "--save=", "--seeds", fmt.Sprint(step), "--from", fmt.Sprint(from)).Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return f, err
		}
		var h reports.Hunt
		if err := json.Unmarshal(out, &h); err != nil {
			return f, fmt.Errorf("weir fuzz: %w", err)
		}
		for _, f := range h.Failures {
			if f.Regression == "" {
				return f, nil
			}
		}
	}
	return f, fmt.Errorf("no failure in %d seeds", seeds)
}
