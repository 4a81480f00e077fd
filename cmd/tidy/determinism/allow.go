package determinism

import (
	"go/ast"
	"go/token"
	"strings"
)

// An Allow is one suppression comment.
type Allow struct {
	pos          token.Pos
	rule, reason string // "" if missing
	first, last  int    // lines covered
	used         bool
}

// Allows returns the suppression comments of f. One behind code covers its own
// line, any other covers the line below its comment group as well.
func Allows(fset *token.FileSet, f *ast.File) []*Allow { return allowsOf(fset, f, "//tidy:allow ") }

// allowsOf is Allows for comments with any prefix.
func allowsOf(fset *token.FileSet, f *ast.File, prefix string) (out []*Allow) {
	code := map[int]bool{} // lines on which something ends
	ast.Inspect(f, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.File, *ast.CommentGroup, *ast.Comment:
		default:
			code[fset.Position(n.End()).Line] = true
		}
		return true
	})
	for _, g := range f.Comments {
		for _, c := range g.List {
			rest, ok := strings.CutPrefix(c.Text, prefix)
			if !ok {
				continue
			}
			rule, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
			first, last := fset.Position(c.Pos()).Line, fset.Position(g.End()).Line+1
			if code[first] {
				last = first
			}
			out = append(out, &Allow{pos: c.Pos(), rule: rule, reason: reason, first: first, last: last})
		}
	}
	return out
}

// Covers reports whether one of allows suppresses rule on line. A comment
// without a reason suppresses nothing.
func Covers(allows []*Allow, rule string, line int) (covered bool) {
	for _, a := range allows {
		if a.rule == rule && a.reason != "" && a.first <= line && line <= a.last {
			a.used, covered = true, true
		}
	}
	return covered
}
