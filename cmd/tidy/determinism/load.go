package determinism

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/tools/go/analysis"
)

// A Finding is one breach of one rule.
type Finding struct {
	File    string // absolute, if Check made it
	Line    int
	Rule    string
	Message string
}

// String is "file:line: rule: message".
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Message)
}

// Check runs Analyzer over the packages that patterns name, as go list
// understands them in dir. The go command gives it compiled dependencies; the
// packages themselves are checked from source. The error is for a go command
// that can't be run; code that can't be checked is a Finding.
func Check(dir string, patterns ...string) (out []Finding, err error) {
	pkgs, err := list(dir, patterns)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", exportData(pkgs))
	for _, p := range pkgs {
		if p.DepOnly {
			continue
		}
		report := func(file string, line int, rule, message string) {
			out = append(out, Finding{file, line, rule, message})
		}
		for _, name := range p.IgnoredGoFiles {
			report(filepath.Join(p.Dir, name), 1, "buildtag", "left out by its build constraints, so nobody has looked at it")
		}
		if err := p.check(fset, imp, report); err != nil {
			file, line, message := locate(err, p.Dir)
			report(file, line, "typecheck", message)
		}
	}
	return out, nil
}

// A listed is a package as go list prints it.
type listed struct {
	ImportPath, Dir         string
	Export                  string // file of export data, "" if it did not compile
	GoFiles, IgnoredGoFiles []string
	DepOnly                 bool
	Error                   *struct{ Err string }
}

func list(dir string, patterns []string) (pkgs []*listed, err error) {
	args := []string{"list", "-e", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,IgnoredGoFiles,DepOnly,Error", "--"}
	cmd := exec.Command("go", append(args, patterns...)...)
	cmd.Dir = dir
	cmd.Stderr = new(bytes.Buffer)
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w\n%s", dir, err, cmd.Stderr)
	}
	for dec := json.NewDecoder(bytes.NewReader(stdout)); dec.More(); {
		p := new(listed)
		if err := dec.Decode(p); err != nil {
			return nil, fmt.Errorf("go list in %s: reading its output: %w", dir, err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

func exportData(pkgs []*listed) importer.Lookup {
	files := make(map[string]string, len(pkgs))
	for _, p := range pkgs {
		files[p.ImportPath] = p.Export
	}
	return func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("%s does not compile", path)
		}
		return os.Open(files[path])
	}
}

func (p *listed) check(fset *token.FileSet, imp types.Importer, report func(file string, line int, rule, message string)) error {
	if p.Error != nil && len(p.GoFiles) == 0 {
		return errors.New(p.Error.Err)
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imp}
	pkg, err := conf.Check(p.ImportPath, fset, files, info)
	if err != nil {
		return err
	}
	_, err = Analyzer.Run(&analysis.Pass{
		Analyzer: Analyzer, Fset: fset, Files: files, Pkg: pkg, TypesInfo: info,
		Report: func(d analysis.Diagnostic) {
			at := fset.Position(d.Pos)
			report(at.Filename, at.Line, d.Category, d.Message)
		},
	})
	return err
}

// locate says where the compiler gave up: in dir, if it did not say.
func locate(err error, dir string) (file string, line int, message string) {
	if te := (types.Error{}); errors.As(err, &te) {
		at := te.Fset.Position(te.Pos)
		return at.Filename, at.Line, te.Msg
	}
	return dir, 1, err.Error()
}
