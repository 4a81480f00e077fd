package weir_test

import (
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Wrong types are errors of the compiler that name both types: each file of testdata/bad has one, on the line that says
// which words it wants, with ~ for a space within one.
func TestWrongTypesDoNotCompile(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("testdata/bad has %d files, %v", len(files), err)
	}
	fset := token.NewFileSet()
	imp := compiled(t, fset)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) { checkBad(t, fset, imp, name) })
	}
}

// compiled imports packages from what go build leaves in its cache.
func compiled(t *testing.T, fset *token.FileSet) types.Importer {
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", ".")
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(list)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = file
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
}

func checkBad(t *testing.T, fset *token.FileSet, imp types.Importer, name string) {
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var errs []types.Error
	conf := types.Config{Importer: imp, Error: func(err error) { errs = append(errs, err.(types.Error)) }}
	conf.Check("bad", fset, []*ast.File{f}, nil)
	if len(errs) != 1 {
		t.Fatalf("got %d errors, want 1: %v", len(errs), errs)
	}
	line := fset.Position(errs[0].Pos).Line
	_, want, found := strings.Cut(string(bytes.Split(src, []byte("\n"))[line-1]), "// want ")
	if !found {
		t.Fatalf("error on line %d, which wants none: %v", line, errs[0])
	}
	for word := range strings.FieldsSeq(want) {
		if !strings.Contains(strings.ReplaceAll(errs[0].Msg, " ", "~"), word) {
			t.Errorf("the error does not name %s: %s", word, errs[0].Msg)
		}
	}
}
