package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output string }

// record reads what the tests of an arm did and writes the verdicts of those that the table names, without times, so
// that the file changes only when a verdict does. What failed is shown, and is an error.
func record(in io.Reader, out io.Writer, dir, arm string) error {
	if !slices.Contains(arms, arm) {
		return fmt.Errorf("no such arm: %q; there are %s", arm, strings.Join(arms, ", "))
	}
	verdicts, failed, err := verdictsOf(in, out)
	if err != nil {
		return err
	}
	items, err := readItems(dir)
	if err != nil {
		return err
	}
	wanted := named(items)
	var b strings.Builder
	for _, test := range slices.Sorted(maps.Keys(verdicts)) {
		if wanted[test] {
			fmt.Fprintf(&b, "%s %s\n", verdicts[test], test)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, arm+".txt"), []byte(b.String()), 0o644); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("%s: failed: %s", arm, strings.Join(failed, "; "))
	}
	return nil
}

// verdictsOf are the verdicts, by package and test, and the packages and tests that failed.
func verdictsOf(in io.Reader, out io.Writer) (verdicts map[string]string, failed []string, err error) {
	verdicts = map[string]string{}
	said := map[string]*strings.Builder{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // of the build
			continue
		}
		at := strings.TrimPrefix(e.Package, "weir/") + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if said[at] == nil {
				said[at] = new(strings.Builder)
			}
			said[at].WriteString(e.Output)
		case "fail":
			failed = append(failed, strings.TrimSpace(at))
			if said[at] != nil {
				io.WriteString(out, said[at].String())
			}
			fallthrough
		case "pass", "skip":
			if e.Test != "" {
				verdicts[at] = e.Action
			}
		}
	}
	return verdicts, failed, lines.Err()
}
