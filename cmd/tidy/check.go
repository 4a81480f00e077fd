package main

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"weir/cmd/tidy/determinism"
)

// breaches are violations of rules; their files are relative to the root.
type breaches []determinism.Finding

func (b *breaches) add(file string, line int, rule, format string, args ...any) {
	*b = append(*b, determinism.Finding{File: file, Line: line, Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// check runs every rule over the tree at root, the folder of go.mod.
func check(root string) (breaches, error) {
	t, err := readTree(root)
	if err != nil {
		return nil, err
	}
	p, err := parsePolicy(policyText)
	if err != nil {
		return nil, err
	}
	out, err := checkDeterminism(t)
	if err != nil {
		return nil, err
	}
	out = slices.Concat(out, checkPolicy(t, p), checkImports(t, importsText), checkShape(t), checkKafka(t), checkTexts(t))
	slices.SortStableFunc(out, func(a, b determinism.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return out, nil
}

// checkDeterminism runs the analyzer over the trees that a seed replays.
func checkDeterminism(t *tree) (out breaches, err error) {
	var patterns []string
	for _, p := range t.pkgs {
		if within(p.folder, "protocol", "sim", "checker", "faults", "scenarios") {
			patterns = append(patterns, "./"+p.folder)
		}
	}
	if patterns == nil {
		return nil, nil
	}
	all, err := determinism.Check(t.root, patterns...)
	for _, b := range all {
		b.File = t.rel(b.File)
		if !isTestDoor(path.Dir(b.File)) || b.Rule != "go" && b.Rule != "clock" {
			out = append(out, b)
		}
	}
	return out, err
}

// isTestDoor is for packages that only tests import: they also drive real
// devices, so they may start goroutines and look at the clock.
func isTestDoor(folder string) bool {
	return within(folder, "protocol/protocoltest", "protocol/devicetest", "protocol/statetest", "sim/simtest")
}

// within reports whether folder is one of trees or stands below one.
func within(folder string, trees ...string) bool {
	return slices.ContainsFunc(trees, func(t string) bool {
		return folder == t || strings.HasPrefix(folder, t+"/")
	})
}
