package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// item is a line of items.txt: a fact that weir's design stands on, and the tests that pin it.
type item struct {
	section, id, text string
	tests             []string // package and test; none: it is from source, not tested
	note              string
}

// difference is a line of differences.txt.
type difference struct{ title, promise, how, why string }

// lines are a file's lines, taken apart at " | "; a line that begins with # is none.
func lines(dir, name string, fields int) (out [][]string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, " | ")
		if len(f) != fields {
			return nil, fmt.Errorf("%s:%d: %d fields, want %d", name, n, len(f), fields)
		}
		out = append(out, f)
	}
	return out, nil
}

func readItems(dir string) (out []item, err error) {
	all, err := lines(dir, "items.txt", 5)
	for _, f := range all {
		it := item{section: f[0], id: f[1], text: f[2], note: strings.Trim(f[4], "-")}
		for t := range strings.SplitSeq(f[3], ";") {
			if t = strings.TrimSpace(t); t != "-" {
				pack, test, _ := strings.Cut(t, " ")
				it.tests = append(it.tests, pack+" "+sub(test))
			}
		}
		out = append(out, it)
	}
	return out, err
}

func readDifferences(dir string) (out []difference, err error) {
	all, err := lines(dir, "differences.txt", 4)
	for _, f := range all {
		out = append(out, difference{f[0], f[1], f[2], f[3]})
	}
	return out, err
}

// verdict is what the tests of an arm came to.
type verdicts map[string]map[string]string // by arm, by package and test

func readVerdicts(dir string) (verdicts, error) {
	out := verdicts{}
	for _, arm := range arms {
		text, err := os.ReadFile(filepath.Join(dir, arm+".txt"))
		if err != nil {
			return nil, fmt.Errorf("the verdicts of %s: %w; make conformance records them", arm, err)
		}
		out[arm] = map[string]string{}
		for line := range strings.Lines(string(text)) {
			verdict, test, _ := strings.Cut(strings.TrimSpace(line), " ")
			out[arm][test] = verdict
		}
	}
	return out, nil
}
