package determinism

import (
	"go/ast"
	"go/token"
	"strings"
)

const allowPrefix = "//tidy:allow"

// An Allow is one suppression comment.
type Allow struct {
	Pos    token.Pos
	Rule   string // as written, "" if missing
	Reason string // "" if missing: the comment then suppresses nothing

	first, last int // lines covered
	used        bool
}

// Allows returns the suppression comments of f in the order of their lines.
func Allows(fset *token.FileSet, f *ast.File) []*Allow {
	var out []*Allow
	for _, g := range f.Comments {
		for _, c := range g.List {
			rest, ok := strings.CutPrefix(c.Text, allowPrefix)
			if !ok || rest != "" && rest[0] != ' ' {
				continue
			}
			rule, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
			out = append(out, &Allow{
				Pos: c.Pos(), Rule: rule, Reason: strings.TrimSpace(reason),
				first: fset.Position(c.Pos()).Line,
				last:  fset.Position(g.End()).Line + 1,
			})
		}
	}
	return out
}

// Covers reports whether one of allows suppresses rule on line, and marks each
// that does as used.
func Covers(allows []*Allow, rule string, line int) bool {
	covered := false
	for _, a := range allows {
		if a.Rule == rule && a.Reason != "" && a.first <= line && line <= a.last {
			a.used, covered = true, true
		}
	}
	return covered
}
