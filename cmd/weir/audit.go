package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"weir/reports"
	"weir/scenarios"
)

// audit runs seeds here and in other processes: at GOMAXPROCS 1, 2 and 8, and in a binary built with -race where there
// is a Go to build it with. Every digest must be the same.
func audit(h *hunt, stdout, stderr io.Writer) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	here := digests(h)
	runs := []struct{ what, exe, procs string }{{"GOMAXPROCS=1", self, "1"}, {"GOMAXPROCS=2", self, "2"}, {"GOMAXPROCS=8", self, "8"}}
	dir, err := os.MkdirTemp("", "weir-audit-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if exe, err := buildRace(dir); err == nil {
		runs = append(runs, struct{ what, exe, procs string }{"-race", exe, "2"})
	} else {
		fmt.Fprintf(stderr, "  no run under -race: %v\n", err)
	}
	for _, r := range runs {
		there, err := digestsOf(r.exe, r.procs, h)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", r.what, err)
		}
		if i := differ(here, there); i >= 0 {
			return nondeterministic(h, h.first+uint64(i), r.what, stdout), nil
		}
		fmt.Fprintf(stdout, "  %-13s %d seeds, 0 differences\n", r.what, len(there))
	}
	fmt.Fprintf(stdout, "PASS: %d seeds of %s gave equal digests in %d processes\n", h.seeds, h.name(), 1+len(runs))
	return 0, nil
}

// digests runs the seeds and lists their digests in order.
func digests(h *hunt) (list []string) {
	h.each = func(o *scenarios.Outcome) {
		list = append(list, fmt.Sprintf("%s %#x %016x", o.Scenario, o.Seed, o.Run.Digest))
	}
	h.run()
	return list
}

// digestsOf runs the seeds in a process of its own.
func digestsOf(exe, procs string, h *hunt) (list []string, err error) {
	args := []string{"fuzz", "--digests", "--seeds", fmt.Sprint(h.seeds), "--from", hex(h.first)}
	if len(h.scenarios) == 1 {
		args = append(args, "--scenario", h.scenarios[0].Name)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+procs)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		list = append(list, s.Text())
	}
	if len(list) != h.seeds {
		return nil, fmt.Errorf("%d digests of %d seeds: %w", len(list), h.seeds, err)
	}
	return list, nil
}

// differ is the first index at which the lists differ, or -1.
func differ(a, b []string) int {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return -1
}

// nondeterministic looks for the first event that differs, by running the seed twice here.
func nondeterministic(h *hunt, s uint64, what string, w io.Writer) int {
	fmt.Fprintf(w, "NONDETERMINISTIC: seed %s of %s has another digest with %s\n", hex(s), h.scenario(s).Name, what)
	r := h.scenario(s).Audit(s, h.options)
	if r.Failure == nil || len(r.Ring) == 0 {
		fmt.Fprintln(w, "  two runs in this process agree: what differs lies between processes")
	} else {
		fmt.Fprintf(w, "  %v\n  the first event that differs: %s\n", r.Failure, strings.TrimSpace(r.Ring[len(r.Ring)-1]))
	}
	return reports.ExitCode(reports.Nondeterministic)
}

// buildRace builds this command with the race detector, which schedules goroutines differently.
func buildRace(dir string) (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("there is no Go, or this is not the module's folder: %w", err)
	}
	exe := filepath.Join(dir, "weir-race")
	cmd := exec.Command("go", "build", "-race", "-o", exe, "./cmd/weir")
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build -race: %w: %s", err, out)
	}
	return exe, nil
}
