package main

import (
	"bytes"
	"go/ast"
	"path"
	"slices"
	"strings"
)

const (
	maxFuncLines = 70
	maxFileLines = 500
)

// checkShape looks at what a reader sees first: the sentence that says what a
// package is, and how long everything is.
func checkShape(t *tree) (out breaches) {
	for _, p := range t.pkgs {
		if want := sentence(p); !p.begins(want) {
			out.add(path.Join(p.folder, "doc.go"), 1, "doc", "must begin with %q", "// "+want)
		}
		for _, f := range p.files {
			if n := bytes.Count(f.src, []byte("\n")); n > maxFileLines {
				out.add(f.path, maxFileLines+1, "filelen", "file has %d lines, %d at most", n, maxFileLines)
			}
			for _, d := range f.ast.Decls {
				n := t.line(d.End()) - t.line(d.Pos()) + 1
				if fn, ok := d.(*ast.FuncDecl); ok && n > maxFuncLines {
					out.add(f.path, t.line(fn.Pos()), "funclen", "%s has %d lines, %d at most", fn.Name.Name, n, maxFuncLines)
				}
			}
		}
	}
	return out
}

// sentence returns how p's doc.go begins.
func sentence(p *pkg) string {
	if name := p.files[0].ast.Name.Name; name != "main" {
		return "Package " + strings.TrimSuffix(name, "_test") + " "
	}
	return "Command " + path.Base(p.folder) + " "
}

func (p *pkg) begins(sentence string) bool {
	return slices.ContainsFunc(p.files, func(f *file) bool {
		return path.Base(f.path) == "doc.go" && strings.HasPrefix(f.ast.Doc.Text(), sentence)
	})
}
