package determinism

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/tools/go/analysis"
)

// A Finding is one breach of one rule. Its String is "file:line: rule: message".
type Finding struct {
	File    string // as the loader got it; absolute if Check made it
	Line    int
	Rule    string
	Message string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.Message)
}

// Check runs Analyzer over the packages that patterns name, as go list
// understands them in dir. It asks the go command for compiled dependencies and
// type-checks the named packages from source. The error is for a go command
// that cannot be run; code that cannot be checked is a Finding.
func Check(dir string, patterns ...string) ([]Finding, error) {
	pkgs, err := list(dir, patterns)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", exportData(pkgs))
	var out []Finding
	for _, p := range pkgs {
		if !p.DepOnly {
			out = append(out, p.check(fset, imp)...)
		}
	}
	return out, nil
}

// A listed is a package as go list prints it.
type listed struct {
	ImportPath     string
	Dir            string
	Export         string // file of export data, "" if it did not compile
	GoFiles        []string
	IgnoredGoFiles []string
	DepOnly        bool
	Error          *struct{ Err string }
}

func list(dir string, patterns []string) ([]*listed, error) {
	args := []string{"list", "-e", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,IgnoredGoFiles,DepOnly,Error", "--"}
	cmd := exec.Command("go", append(args, patterns...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w\n%s", dir, err, stderr.Bytes())
	}
	var pkgs []*listed
	for dec := json.NewDecoder(bytes.NewReader(stdout)); ; {
		p := new(listed)
		if err := dec.Decode(p); err == io.EOF {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list in %s: reading its output: %w", dir, err)
		}
		pkgs = append(pkgs, p)
	}
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

func (p *listed) check(fset *token.FileSet, imp types.Importer) []Finding {
	var out []Finding
	for _, name := range p.IgnoredGoFiles {
		out = append(out, Finding{filepath.Join(p.Dir, name), 1, "buildtag", "left out by its build constraints, so nobody has checked it"})
	}
	files, err := parse(fset, p)
	if err == nil && p.Error != nil && len(files) == 0 {
		err = errors.New(p.Error.Err)
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
		Instances: map[*ast.Ident]types.Instance{}, Scopes: map[ast.Node]*types.Scope{},
	}
	conf := types.Config{Importer: imp, Sizes: types.SizesFor("gc", runtime.GOARCH)}
	var pkg *types.Package
	if err == nil {
		pkg, err = conf.Check(p.ImportPath, fset, files, info)
	}
	if err != nil {
		return append(out, p.broken(err))
	}
	pass := &analysis.Pass{
		Analyzer: Analyzer, Fset: fset, Files: files, Pkg: pkg, TypesInfo: info, TypesSizes: conf.Sizes,
		Report: func(d analysis.Diagnostic) {
			at := fset.Position(d.Pos)
			out = append(out, Finding{at.Filename, at.Line, d.Category, d.Message})
		},
	}
	if _, err := Analyzer.Run(pass); err != nil {
		out = append(out, p.broken(err))
	}
	return out
}

func parse(fset *token.FileSet, p *listed) ([]*ast.File, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// broken says that p was not checked and why, at the place where the compiler
// gave up if it named one.
func (p *listed) broken(err error) Finding {
	at := Finding{p.Dir, 1, "typecheck", err.Error()}
	if e := (types.Error{}); errors.As(err, &e) {
		pos := e.Fset.Position(e.Pos)
		at.File, at.Line, at.Message = pos.Filename, pos.Line, e.Msg
	}
	if e := (scanner.ErrorList{}); errors.As(err, &e) {
		at.File, at.Line, at.Message = e[0].Pos.Filename, e[0].Pos.Line, e[0].Msg
	}
	return at
}
