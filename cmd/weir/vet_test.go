package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestVet(t *testing.T) {
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"../accesslog/job ../../scenarios/jobs", 0, "ok: ", ""},
		{"../tidy/determinism/testdata/jobs", 1, "../tidy/determinism/testdata/jobs/jobs.go:32: clock: time.Now reads the clock, which another run finds elsewhere; take the time from the record\n", ""},
		{"../tidy/determinism/testdata/broken", 2, "broken.go:4: typecheck: ", ""},
		{"./nowhere", 2, ": typecheck: ", ""},
		{"../../protocol/align", 2, "", `weir vet: there is no job in ["../../protocol/align"]: nothing was looked at`},
		{"", 2, "", "weir vet: name packages, such as ./...; see weir vet -h"},
		{"-x .", 2, "", "weir vet: flag provided but not defined: -x; see weir vet -h"},
		{"-h", 0, "", "usage: weir vet PACKAGES"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(append([]string{"vet"}, strings.Fields(c.args)...), &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("weir vet %s: %d\n%s%s", c.args, code, &stdout, &stderr)
		}
		if c.stderr == "" && stderr.Len() > 0 {
			t.Errorf("weir vet %s: %s", c.args, &stderr)
		}
	}
}
