package main

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

//go:embed policy.txt
var policyText string

// A policy is the partial order that policy.txt describes, closed transitively.
type policy struct {
	nodes []string                   // in the order of their definitions
	below map[string]map[string]bool // node → what it may import
	errs  []error
}

// parsePolicy reads the grammar of policy.txt, after Go's internal/dag:
//
//	a, b < c < d;   # c may import a and b; d may import a, b and c
//	a !< d;         # it is an error if d may import a
//
// Each name is defined once, on the right of a <, before it is used on the left:
// a cycle can't be written. On the left, NONE is nothing, p/... is p and what
// has been defined below it, ... is all that has been defined. In a !<, which is
// judged at the end, the wildcards stand on both sides.
func parsePolicy(text string) (*policy, error) {
	p := &policy{below: map[string]map[string]bool{}}
	p.statements(text, "<", p.define)
	p.statements(text, "!<", p.deny)
	return p, errors.Join(p.errs...)
}

// statements calls do for each pair of lists that op joins, with its line.
func (p *policy) statements(text, op string, do func(line int, less, def []string)) {
	text = regexp.MustCompile(`#.*`).ReplaceAllString(text, "")
	ops := regexp.MustCompile(`!?<`)
	line := 1
	for stmt := range strings.SplitAfterSeq(text, ";") {
		line += strings.Count(stmt, "\n")
		stmt, ended := strings.CutSuffix(strings.TrimSpace(stmt), ";")
		found := ops.FindAllString(stmt, -1)
		if stmt != "" && (!ended || found == nil) {
			p.errorf(line, "want a < b; got %q", stmt)
		}
		lists := ops.Split(stmt, -1)
		for i := range found {
			if found[i] == op {
				do(line, p.names(line, lists[i]), p.names(line, lists[i+1]))
			}
		}
	}
}

func (p *policy) errorf(line int, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("policy.txt:%d: "+format, append([]any{line}, args...)...))
}

func (p *policy) names(line int, list string) (out []string) {
	for name := range strings.SplitSeq(list, ",") {
		if len(strings.Fields(name)) != 1 {
			p.errorf(line, "want one name between commas, got %q", name)
		}
		out = append(out, strings.TrimSpace(name))
	}
	return out
}

func (p *policy) define(line int, less, def []string) {
	less = p.expand(line, less)
	for _, d := range def {
		if p.below[d] != nil || d == "NONE" || strings.HasSuffix(d, "...") {
			p.errorf(line, "%s can't be defined here", d)
			continue
		}
		p.nodes = append(p.nodes, d)
		p.below[d] = map[string]bool{}
		for _, l := range less {
			p.below[d][l] = true
			for b := range p.below[l] {
				p.below[d][b] = true
			}
		}
	}
}

func (p *policy) deny(line int, less, def []string) {
	less = p.expand(line, less)
	for _, d := range p.expand(line, def) {
		for _, l := range less {
			if p.below[d][l] {
				p.errorf(line, "%s !< %s does not hold", l, d)
			}
		}
	}
}

// expand replaces the wildcards in names by the nodes defined so far.
func (p *policy) expand(line int, names []string) (out []string) {
	for _, name := range names {
		before := len(out)
		for _, node := range p.nodes {
			tree, wild := strings.CutSuffix(name, "/...")
			if name == "..." || name == node || wild && within(node, tree) {
				out = append(out, node)
			}
		}
		if len(out) == before && name != "NONE" {
			p.errorf(line, "%s is not defined yet", name)
		}
	}
	return out
}

// checkPolicy holds the imports of files that are no tests against the policy.
func checkPolicy(t *tree, policy *policy) (out breaches) {
	for _, p := range t.pkgs {
		if policy.below[p.name()] == nil {
			out.add(p.files[0].path, 1, "policy", "policy.txt does not name package %s", p.name())
			continue
		}
		t.imports(p, func(file string, line int, path string, ours bool) {
			if ours && !policy.below[p.name()][path] {
				out.add(file, line, "policy", "%s may not import %s", p.name(), path)
			}
		})
	}
	return out
}
