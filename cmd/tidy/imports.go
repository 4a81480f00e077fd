package main

import (
	_ "embed"
	"strings"
)

//go:embed imports.txt
var importsText string

// checkImports holds what files that are no tests import from outside this
// module against the lines "folders: import paths" of list. Each line is for
// its folders and what is below them; lines for the same folder add up; a
// folder that none is for imports what it likes.
func checkImports(t *tree, list string) (out breaches) {
	for _, p := range t.pkgs {
		allowed := map[string]bool{}
		for line := range strings.Lines(list) {
			folders, paths, _ := strings.Cut(line, ":")
			if within(p.name(), strings.Fields(folders)...) {
				for _, path := range strings.Fields(paths) {
					allowed[path] = true
				}
			}
		}
		t.imports(p, func(file string, line int, path string, ours bool) {
			if len(allowed) > 0 && !ours && !allowed[path] {
				out.add(file, line, "imports", "imports.txt does not allow %q in %s", path, p.name())
			}
		})
	}
	return out
}
