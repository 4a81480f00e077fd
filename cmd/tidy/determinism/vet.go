package determinism

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// Vet reports what the jobs of users of package weir may not do. It looks at factories, at what is
// given to package weir, at codecs, and at all functions of the same package
// that these call; not at those of other packages. Its rules, which a comment
// such as //weir:allow captured a cache suppresses:
//
//	go        a goroutine, or a channel
//	maprange  a loop over a map whose order may show
//	clock     a read of the clock, a timer
//	random    a random number that no seed of the job's fixes
//	pkgvar    a package variable is changed: it survives simulated crashes
//	captured  an operator's function changes what it captured: a crash loses it
//	allow     a suppression that suppresses nothing
//
// Its result is the number of functions that it began at.
var Vet = &analysis.Analyzer{
	Name:       "weirvet",
	Doc:        "report what makes a weir job differ from run to run, or keeps state where a crash does not take it away as it should",
	Run:        vet,
	ResultType: reflect.TypeFor[int](),
}

// root is the import path of the API in which jobs are written.
const root = "weir"

// A vetting is the walk over the jobs of one package.
type vetting struct {
	pass  *analysis.Pass
	files map[*token.File]*inspection
	decls map[*types.Func]*ast.FuncDecl
	lits  map[types.Object]*ast.FuncLit // local variables that are functions
	// todo grows while it is worked off; seen is what has ever been in it.
	todo []*jobFunc
	seen map[ast.Node]bool
	jobs int
}

// A jobFunc is code that runs in a job.
type jobFunc struct {
	node ast.Node // *ast.FuncDecl or *ast.FuncLit
	body *ast.BlockStmt
	// operator says that it is called for records: what it writes must be its own.
	operator bool
}

func vet(pass *analysis.Pass) (any, error) {
	v := &vetting{pass: pass, files: map[*token.File]*inspection{}, decls: map[*types.Func]*ast.FuncDecl{}, lits: map[types.Object]*ast.FuncLit{}, seen: map[ast.Node]bool{}}
	for _, f := range pass.Files {
		v.files[pass.Fset.File(f.Pos())] = &inspection{pass: pass, allows: allowsOf(pass.Fset, f, "//weir:allow "), seen: map[string]bool{}}
		ast.Inspect(f, v.index)
	}
	for _, f := range pass.Files {
		ast.Inspect(f, v.find)
	}
	v.jobs = len(v.todo)
	for len(v.todo) > 0 {
		next := v.todo[0]
		v.todo = v.todo[1:]
		v.look(next)
	}
	for _, in := range v.files {
		for _, a := range in.allows {
			if !a.used {
				in.report(a.pos, "allow", "this suppresses nothing: unknown rule, no reason given, or not needed")
			}
		}
	}
	return v.jobs, nil
}

func (v *vetting) report(pos token.Pos, rule, format string, args ...any) {
	v.files[v.pass.Fset.File(pos)].report(pos, rule, format, args...)
}

// index remembers where functions are.
func (v *vetting) index(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if fn, ok := v.pass.TypesInfo.Defs[n.Name].(*types.Func); ok {
			v.decls[fn] = n
		}
	case *ast.AssignStmt:
		for i, l := range n.Lhs {
			if id, ok := l.(*ast.Ident); ok && len(n.Rhs) == len(n.Lhs) {
				v.bind(id, n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, id := range n.Names {
			if len(n.Values) == len(n.Names) {
				v.bind(id, n.Values[i])
			}
		}
	}
	return true
}

func (v *vetting) bind(id *ast.Ident, value ast.Expr) {
	if lit, ok := value.(*ast.FuncLit); ok {
		v.lits[v.pass.TypesInfo.ObjectOf(id)] = lit
	}
}

// find takes up factories, what is given to package weir, and the methods of
// codecs.
func (v *vetting) find(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if fn, ok := v.pass.TypesInfo.Defs[n.Name].(*types.Func); ok && n.Body != nil && (makesJob(fn.Signature()) || v.codes(fn)) {
			v.add(n, n.Body, false)
		}
	case *ast.FuncLit:
		if sig, ok := v.pass.TypesInfo.TypeOf(n).(*types.Signature); ok && makesJob(sig) {
			v.add(n, n.Body, true)
		}
	case *ast.CallExpr:
		if fn := v.callee(n.Fun); fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == root {
			for _, a := range n.Args {
				v.operator(a)
			}
		}
	case *ast.CompositeLit:
		if !isOfRoot(v.pass.TypesInfo.TypeOf(n)) {
			break
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				e = kv.Value
			}
			v.operator(e)
		}
	}
	return true
}

// makesJob reports whether a function is the factory of a job.
func makesJob(sig *types.Signature) bool {
	if sig.Results().Len() != 1 {
		return false
	}
	p, ok := types.Unalias(sig.Results().At(0).Type()).(*types.Pointer)
	return ok && isOfRoot(p.Elem()) && types.Unalias(p.Elem()).(*types.Named).Obj().Name() == "Job"
}

func isOfRoot(t types.Type) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == root
}

// codes reports whether a method is one of a codec's, in a package that knows
// package weir.
func (v *vetting) codes(fn *types.Func) bool {
	sig := fn.Signature()
	knows := slices.ContainsFunc(v.pass.Pkg.Imports(), func(p *types.Package) bool { return p.Path() == root })
	shape := fn.Name() == "Append" && sig.Params().Len() == 2 || fn.Name() == "Decode" && sig.Params().Len() == 1
	return knows && sig.Recv() != nil && shape && sig.Results().Len() == 2
}

// operator takes up a function that is called for records.
func (v *vetting) operator(e ast.Expr) {
	switch e := ast.Unparen(e).(type) {
	case *ast.FuncLit:
		v.add(e, e.Body, true)
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr, *ast.IndexListExpr:
		if fn := v.callee(e); fn != nil {
			v.declared(fn, true)
		} else if id, ok := e.(*ast.Ident); ok {
			if lit := v.lits[v.pass.TypesInfo.ObjectOf(id)]; lit != nil {
				v.add(lit, lit.Body, true)
			}
		}
	}
}

func (v *vetting) declared(fn *types.Func, operator bool) {
	if d := v.decls[fn.Origin()]; d != nil && d.Body != nil {
		v.add(d, d.Body, operator)
	}
}

func (v *vetting) add(n ast.Node, body *ast.BlockStmt, operator bool) {
	if operator && v.seen[n] { // it may have been found as something less
		for _, f := range v.todo {
			f.operator = f.operator || f.node == n
		}
	}
	if !v.seen[n] {
		v.seen[n] = true
		v.todo = append(v.todo, &jobFunc{n, body, operator})
	}
}

// callee is the declared function that an expression names.
func (v *vetting) callee(e ast.Expr) *types.Func {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		fn, _ := v.pass.TypesInfo.Uses[e].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		fn, _ := v.pass.TypesInfo.Uses[e.Sel].(*types.Func)
		return fn
	case *ast.IndexExpr:
		return v.callee(e.X)
	case *ast.IndexListExpr:
		return v.callee(e.X)
	}
	return nil
}

// name is how a finding speaks of a function.
func name(fn *types.Func) string {
	if fn.Pkg() == nil {
		return fn.Name()
	}
	return fmt.Sprintf("%s.%s", fn.Pkg().Name(), fn.Name())
}
