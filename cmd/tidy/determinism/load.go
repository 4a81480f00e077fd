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
	out, _, err = check(Analyzer, dir, patterns)
	return out, err
}

// CheckJobs is Check with Vet. It also returns how many functions of jobs there
// were: without any, nothing was looked at.
func CheckJobs(dir string, patterns ...string) (out []Finding, jobs int, err error) {
	return check(Vet, dir, patterns)
}

func check(a *analysis.Analyzer, dir string, patterns []string) (out []Finding, jobs int, err error) {
	pkgs, err := list(dir, patterns)
	if err != nil {
		return nil, 0, err
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
			if a == Vet {
				break // users build for several systems
			}
			report(filepath.Join(p.Dir, name), 1, "buildtag", "left out by its build constraints, so nobody has looked at it")
		}
		n, err := p.check(a, fset, imp, report)
		if jobs += n; err != nil {
			file, line, message := locate(err, p.Dir)
			report(file, line, "typecheck", message)
		}
	}
	return out, jobs, nil
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

func (p *listed) check(a *analysis.Analyzer, fset *token.FileSet, imp types.Importer, report func(file string, line int, rule, message string)) (jobs int, err error) {
	if p.Error != nil && len(p.GoFiles) == 0 {
		return 0, errors.New(p.Error.Err)
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return 0, err
		}
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	conf := types.Config{Importer: imp}
	pkg, err := conf.Check(p.ImportPath, fset, files, info)
	if err != nil {
		return 0, err
	}
	result, err := a.Run(&analysis.Pass{
		Analyzer: a, Fset: fset, Files: files, Pkg: pkg, TypesInfo: info,
		Report: func(d analysis.Diagnostic) {
			at := fset.Position(d.Pos)
			report(at.Filename, at.Line, d.Category, d.Message)
		},
	})
	jobs, _ = result.(int)
	return jobs, err
}

// locate says where the compiler gave up: in dir, if it did not say.
func locate(err error, dir string) (file string, line int, message string) {
	if te := (types.Error{}); errors.As(err, &te) {
		at := te.Fset.Position(te.Pos)
		return at.Filename, at.Line, te.Msg
	}
	return dir, 1, err.Error()
}
