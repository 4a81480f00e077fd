package determinism

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"

	"golang.org/x/tools/go/analysis"
)

// Analyzer reports constructs whose outcome a seed does not fix. The category
// of each diagnostic is the name of the rule.
var Analyzer = &analysis.Analyzer{
	Name: "determinism",
	Doc:  "report code whose outcome a seed does not fix: goroutines, channels, map order, clocks, randomness, floats, package variables",
	Run:  run,
}

func run(pass *analysis.Pass) (any, error) {
	for _, f := range pass.Files {
		in := &inspection{pass: pass, allows: Allows(pass.Fset, f), seen: map[string]bool{}}
		in.decls(f)
		ast.Inspect(f, in.node)
		for _, a := range in.allows { // last: now it is known which were needed
			if !a.used {
				in.report(a.pos, "allow", "this suppresses nothing: unknown rule, no reason given, or not needed")
			}
		}
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
	if !in.seen[key] && !Covers(in.allows, rule, line) {
		in.seen[key] = true
		in.pass.Report(analysis.Diagnostic{Pos: pos, Category: rule, Message: fmt.Sprintf(format, args...)})
	}
}

// decls looks at imports and package-level variables.
func (in *inspection) decls(f *ast.File) {
	for _, s := range f.Imports {
		if path, _ := strconv.Unquote(s.Path.Value); slices.Contains(randomPackages(), path) {
			in.report(s.Pos(), "random", "import of %s", path)
		}
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			for _, n := range s.(*ast.ValueSpec).Names {
				if n.Name != "_" {
					in.report(n.Pos(), "pkgvar", "package-level variable %s", n.Name)
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
		if in.mayBe(n.X, isMap) {
			in.report(n.Pos(), "maprange", "range over a map")
		}
		if in.mayBe(n.X, isChan) {
			in.report(n.Pos(), "chan", "range over a channel")
		}
	case *ast.Ident:
		in.use(n)
	case *ast.BinaryExpr:
		if isArithmetic(n.Op) && in.varies(n) && in.mayBe(n, isFloat) {
			in.report(n.OpPos, "float", "floating point %s", n.Op)
		}
	case *ast.AssignStmt:
		if n.Tok != token.ASSIGN && n.Tok != token.DEFINE && in.mayBe(n.Lhs[0], isFloat) {
			in.report(n.Pos(), "float", "floating point %s", n.Tok)
		}
	case *ast.IncDecStmt:
		if in.mayBe(n.X, isFloat) {
			in.report(n.Pos(), "float", "floating point %s", n.Tok)
		}
	case *ast.CallExpr:
		// Out of range, each architecture converts to another integer.
		if in.pass.TypesInfo.Types[n.Fun].IsType() && in.varies(n) && in.mayBe(n, isInteger) && in.mayBe(n.Args[0], isFloat) {
			in.report(n.Pos(), "float", "conversion of a float to an integer")
		}
	}
	return true
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
	case fn.Pkg().Path() == "math" && computes(fn):
		in.report(id.Pos(), "float", "%s computes with floats", name)
	}
}

// mayBe reports whether is holds for the type of e or, if that is a type
// parameter, for one of the types that its constraint admits.
func (in *inspection) mayBe(e ast.Expr, is func(types.Type) bool) bool {
	t := types.Unalias(in.pass.TypesInfo.TypeOf(e))
	if p, ok := t.(*types.TypeParam); ok {
		return anyTerm(p.Constraint(), is)
	}
	return t != nil && is(t.Underlying())
}

// varies reports whether e is no constant: those the compiler computes exactly.
func (in *inspection) varies(e ast.Expr) bool { return in.pass.TypesInfo.Types[e].Value == nil }
