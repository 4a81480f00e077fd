package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"weir/cmd/tidy/determinism"
)

const module = "weir"

// A tree is everything in the repository that somebody wrote.
type tree struct {
	root  string // absolute
	fset  *token.FileSet
	pkgs  []*pkg  // by folder
	texts []*file // every file that is no binary, the Go files among them
}

// A pkg is a folder with Go files in it, other than a testdata folder.
type pkg struct {
	folder string // slash-separated, "." for the root
	files  []*file
}

type file struct {
	path   string // relative to the root, slash-separated
	src    []byte
	ast    *ast.File            // of a Go file of a package, else nil
	allows []*determinism.Allow // of that Go file
}

func readTree(root string) (*tree, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return nil, fmt.Errorf("looking for the root of a module: %w", err)
	}
	t := &tree{root: root, fset: token.NewFileSet()}
	return t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		rel := t.rel(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (rel == ".git" || rel == ".components" || rel == "bin"):
			return fs.SkipDir
		case d.Type().IsRegular() && rel != ".git": // a file in a second work tree
			return t.add(rel)
		}
		return nil
	})
}

func (t *tree) add(rel string) error {
	src, err := os.ReadFile(filepath.Join(t.root, rel))
	if err != nil || bytes.IndexByte(src[:min(len(src), 8192)], 0) >= 0 {
		return err
	}
	f := &file{path: rel, src: src}
	t.texts = append(t.texts, f)
	if path.Ext(rel) != ".go" || slices.Contains(strings.Split(rel, "/"), "testdata") {
		return nil
	}
	f.ast, err = parser.ParseFile(t.fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f.allows = determinism.Allows(t.fset, f.ast)
	i, found := slices.BinarySearchFunc(t.pkgs, path.Dir(rel), func(p *pkg, folder string) int { return strings.Compare(p.folder, folder) })
	if !found {
		t.pkgs = slices.Insert(t.pkgs, i, &pkg{folder: path.Dir(rel)})
	}
	t.pkgs[i].files = append(t.pkgs[i].files, f)
	return nil
}

// rel makes an absolute path relative to the root.
func (t *tree) rel(name string) string {
	rel, _ := strings.CutPrefix(filepath.ToSlash(name), filepath.ToSlash(t.root)+"/")
	return rel
}

func (t *tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// name is what policy.txt and imports.txt call the package.
func (p *pkg) name() string {
	if p.folder == "." {
		return module
	}
	return p.folder
}

// imports calls found for each import of p's files that are no tests. A package
// of this module goes by its name, ours is then true.
func (t *tree) imports(p *pkg, found func(file string, line int, path string, ours bool)) {
	for _, f := range p.files {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, s := range f.ast.Imports {
			path, _ := strconv.Unquote(s.Path.Value)
			name, ours := strings.CutPrefix(path, module+"/")
			found(f.path, t.line(s.Pos()), name, ours || path == module)
		}
	}
}
