package determinism

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer reports constructs whose outcome a seed does not fix. The category
// of each diagnostic is the name of the rule, see the package comment.
var Analyzer = &analysis.Analyzer{
	Name: "determinism",
	Doc:  "report code whose outcome a seed does not fix: goroutines, channels, map order, clocks, randomness, floats, package variables",
	Run:  run,
}

// Rules returns the names of the rules that a suppression comment may name.
func Rules() []string {
	return []string{"go", "select", "chan", "maprange", "clock", "random", "float", "pkgvar"}
}

func run(pass *analysis.Pass) (any, error) {
	for _, f := range pass.Files {
		if strings.HasSuffix(pass.Fset.Position(f.FileStart).Filename, "_test.go") {
			continue
		}
		in := &inspection{pass: pass, allows: Allows(pass.Fset, f), seen: map[string]bool{}}
		in.decls(f)
		ast.Inspect(f, in.node)
		in.judgeAllows()
	}
	return nil, nil
}

// An inspection is the walk over one file.
type inspection struct {
	pass   *analysis.Pass
	allows []*Allow
	seen   map[string]bool // "rule line" already reported: x*x+1 is one breach, not two
}

func (in *inspection) report(pos token.Pos, rule, format string, args ...any) {
	line := in.pass.Fset.Position(pos).Line
	key := rule + " " + strconv.Itoa(line)
	if in.seen[key] || Covers(in.allows, rule, line) {
		return
	}
	in.seen[key] = true
	in.pass.Report(analysis.Diagnostic{Pos: pos, Category: rule, Message: fmt.Sprintf(format, args...)})
}

// judgeAllows runs last, when it is known which comments were needed.
func (in *inspection) judgeAllows() {
	for _, a := range in.allows {
		switch {
		case !slices.Contains(Rules(), a.Rule):
			// Somebody else's rule.
		case a.Reason == "":
			in.report(a.Pos, "allow", "%s %s gives no reason", allowPrefix, a.Rule)
		case !a.used:
			in.report(a.Pos, "allow", "%s %s suppresses nothing", allowPrefix, a.Rule)
		}
	}
}

// decls reports what the top level of a file gives away.
func (in *inspection) decls(f *ast.File) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			switch s := s.(type) {
			case *ast.ImportSpec:
				if path, _ := strconv.Unquote(s.Path.Value); slices.Contains(randomPackages(), path) {
					in.report(s.Pos(), "random", "import of %s", path)
				}
			case *ast.ValueSpec:
				if i := slices.IndexFunc(s.Names, func(n *ast.Ident) bool { return n.Name != "_" }); g.Tok == token.VAR && i >= 0 {
					in.report(s.Pos(), "pkgvar", "package-level variable %s", s.Names[i].Name)
				}
			}
		}
	}
}

func (in *inspection) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		in.report(n.Pos(), "go", "go statement")
	case *ast.SelectStmt:
		in.report(n.Pos(), "select", "select statement")
	case *ast.ChanType:
		in.report(n.Pos(), "chan", "channel type")
	case *ast.SendStmt:
		in.report(n.Pos(), "chan", "send on a channel")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			in.report(n.Pos(), "chan", "receive from a channel")
		}
	case *ast.RangeStmt:
		in.rangeOver(n)
	case *ast.Ident:
		in.use(n)
	case *ast.BinaryExpr:
		in.binary(n)
	case *ast.AssignStmt:
		if n.Tok != token.ASSIGN && n.Tok != token.DEFINE && in.mayBe(n.Lhs[0], types.IsFloat|types.IsComplex) {
			in.report(n.Pos(), "float", "floating point %s", n.Tok)
		}
	case *ast.IncDecStmt:
		if in.mayBe(n.X, types.IsFloat|types.IsComplex) {
			in.report(n.Pos(), "float", "floating point %s", n.Tok)
		}
	case *ast.CallExpr:
		in.conversion(n)
	}
	return true
}

func (in *inspection) rangeOver(n *ast.RangeStmt) {
	t := in.pass.TypesInfo.TypeOf(n.X)
	if anyTerm(t, func(u types.Type) bool { _, ok := u.(*types.Map); return ok }) {
		in.report(n.Pos(), "maprange", "range over a map")
	}
	if anyTerm(t, func(u types.Type) bool { _, ok := u.(*types.Chan); return ok }) {
		in.report(n.Pos(), "chan", "range over a channel")
	}
}

// use reports functions of the standard library by their full names, whether
// they are called or taken as values.
func (in *inspection) use(id *ast.Ident) {
	fn, ok := in.pass.TypesInfo.Uses[id].(*types.Func)
	if !ok || fn.Pkg() == nil {
		return
	}
	name := fn.FullName()
	switch {
	case slices.Contains(mapFuncs(), name):
		in.report(id.Pos(), "maprange", "%s goes by a map's order", name)
	case slices.Contains(clockFuncs(), name):
		in.report(id.Pos(), "clock", "%s reads the machine's clock", name)
	case fn.Pkg().Path() == "math" && !slices.Contains(exactFuncs(), fn.Name()) && returnsFloat(fn):
		in.report(id.Pos(), "float", "%s computes with floats", name)
	}
}

func (in *inspection) binary(n *ast.BinaryExpr) {
	switch n.Op {
	case token.ADD, token.SUB, token.MUL, token.QUO:
		// Constant expressions are exact: the compiler evaluates them.
		constant := in.pass.TypesInfo.Types[n].Value != nil
		if !constant && in.mayBe(n, types.IsFloat|types.IsComplex) {
			in.report(n.OpPos, "float", "floating point %s", n.Op)
		}
	}
}

// conversion reports float to integer conversions: out of range, each
// architecture gives another result.
func (in *inspection) conversion(n *ast.CallExpr) {
	if len(n.Args) != 1 || !in.pass.TypesInfo.Types[n.Fun].IsType() || in.pass.TypesInfo.Types[n].Value != nil {
		return
	}
	if in.mayBe(n, types.IsInteger) && in.mayBe(n.Args[0], types.IsFloat) && !in.mayBe(n.Args[0], types.IsInteger) {
		in.report(n.Pos(), "float", "conversion of a float to an integer")
	}
}

// mayBe reports whether e's type, or a type its type parameter admits, has info.
func (in *inspection) mayBe(e ast.Expr, info types.BasicInfo) bool {
	return anyTerm(in.pass.TypesInfo.TypeOf(e), func(u types.Type) bool {
		b, ok := u.(*types.Basic)
		return ok && b.Info()&info != 0
	})
}
