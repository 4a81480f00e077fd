package determinism

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// look reports what one function does that it may not.
func (v *vetting) look(f *jobFunc) {
	ast.Inspect(f.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt:
			v.report(n.Pos(), "go", "a goroutine or channel in a job: when it runs, no seed fixes; work on one record at a time")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				v.report(n.Pos(), "go", "a channel in a job: when something comes, no seed fixes; work on one record at a time")
			}
		case *ast.RangeStmt:
			v.ranges(f, n)
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				v.writes(f, l)
			}
		case *ast.IncDecStmt:
			v.writes(f, n.X)
		case *ast.CallExpr:
			v.call(f, n)
		case *ast.Ident:
			if fn, ok := v.pass.TypesInfo.Uses[n].(*types.Func); ok {
				v.uses(n, fn)
			}
		}
		return true
	})
}

// uses looks at a function that is called or taken as a value.
func (v *vetting) uses(id *ast.Ident, fn *types.Func) {
	v.declared(fn, false)
	if fn.Pkg() == nil {
		return
	}
	global := fn.Signature().Recv() == nil && !strings.HasPrefix(fn.Name(), "New")
	switch {
	case slices.Contains(clockFuncs(), fn.FullName()):
		v.report(id.Pos(), "clock", "%s reads the clock, which another run finds elsewhere; take the time from the record", name(fn))
	case slices.Contains(randomPackages(), fn.Pkg().Path()) && global:
		v.report(id.Pos(), "random", "%s is another one in each run; derive it from the record, such as from a hash of its key", name(fn))
	}
}

// call looks at calls that change what they are called on.
func (v *vetting) call(f *jobFunc, c *ast.CallExpr) {
	if id, ok := c.Fun.(*ast.Ident); ok {
		if _, builtin := v.pass.TypesInfo.Uses[id].(*types.Builtin); builtin && slices.Contains([]string{"delete", "clear", "copy"}, id.Name) {
			v.writes(f, c.Args[0])
		}
	}
	if fn := v.callee(c.Fun); fn != nil && slices.Contains([]string{"maps.Keys", "maps.Values", "maps.All", "(reflect.Value).MapKeys", "(reflect.Value).MapRange", "(*sync.Map).Range"}, fn.FullName()) && !v.sorted(f, c) {
		v.unordered(c.Pos())
	}
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	s := v.pass.TypesInfo.Selections[sel]
	if s == nil || s.Kind() != types.MethodVal {
		return
	}
	fn := s.Obj().(*types.Func)
	_, pointer := types.Unalias(fn.Signature().Recv().Type()).(*types.Pointer)
	_, behind := types.Unalias(s.Recv()).Underlying().(*types.Pointer)
	shared := fn.Pkg() != nil && (fn.Pkg().Path() == "sync" || fn.Pkg().Path() == "sync/atomic")
	if pointer && (!behind || shared) {
		v.writes(f, sel.X)
	}
}

// sorted reports whether what a call returns is sorted at once.
func (v *vetting) sorted(f *jobFunc, c *ast.CallExpr) (yes bool) {
	ast.Inspect(f.body, func(n ast.Node) bool {
		if outer, ok := n.(*ast.CallExpr); ok && len(outer.Args) > 0 && ast.Unparen(outer.Args[0]) == ast.Expr(c) {
			fn := v.callee(outer.Fun)
			yes = yes || fn != nil && strings.HasPrefix(fn.FullName(), "slices.Sorted")
		}
		return !yes
	})
	return yes
}

func (v *vetting) unordered(pos token.Pos) {
	v.report(pos, "maprange", "the order of a map is another one in each run; go by sorted keys: slices.Sorted(maps.Keys(m))")
}

// ranges looks at loops over maps whose order may show.
func (v *vetting) ranges(f *jobFunc, r *ast.RangeStmt) {
	if r.Tok == token.ASSIGN {
		for _, e := range []ast.Expr{r.Key, r.Value} {
			if e != nil {
				v.writes(f, e)
			}
		}
	}
	t := v.pass.TypesInfo.TypeOf(r.X)
	if t == nil {
		return
	}
	switch t.Underlying().(type) {
	case *types.Map:
		if !v.orderless(f, r.Body) {
			v.unordered(r.Pos())
		}
	case *types.Chan:
		v.report(r.Pos(), "go", "a channel in a job: when something comes, no seed fixes; work on one record at a time")
	}
}

// orderless reports whether a loop comes to the same in any order: it calls
// nothing, leaves nowhere, and only fills maps, adds integers up, and collects
// what is sorted afterwards.
func (v *vetting) orderless(f *jobFunc, body *ast.BlockStmt) bool {
	ok := true
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			id, _ := n.Fun.(*ast.Ident)
			_, builtin := v.pass.TypesInfo.Uses[id].(*types.Builtin)
			ok = ok && (builtin || v.pass.TypesInfo.Types[n.Fun].IsType())
		case *ast.ReturnStmt:
			ok = false
		case *ast.BranchStmt:
			ok = ok && n.Tok == token.CONTINUE
		case *ast.AssignStmt:
			ok = ok && v.commutes(f, body, n)
		}
		return ok
	})
	return ok
}

func (v *vetting) commutes(f *jobFunc, body *ast.BlockStmt, a *ast.AssignStmt) bool {
	switch a.Tok {
	case token.DEFINE:
		return true
	case token.ADD_ASSIGN, token.SUB_ASSIGN, token.OR_ASSIGN, token.AND_ASSIGN, token.XOR_ASSIGN, token.MUL_ASSIGN:
		return isInteger(v.pass.TypesInfo.TypeOf(a.Lhs[0]).Underlying())
	}
	for _, l := range a.Lhs {
		switch l := l.(type) {
		case *ast.IndexExpr:
			if !isMap(v.pass.TypesInfo.TypeOf(l.X).Underlying()) {
				return false
			}
		case *ast.Ident:
			obj := v.pass.TypesInfo.ObjectOf(l)
			inside := obj == nil || body.Pos() <= obj.Pos() && obj.Pos() < body.End()
			if !inside && !v.sortedLater(f, body.End(), obj) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// sortedLater reports whether a variable is sorted behind a place.
func (v *vetting) sortedLater(f *jobFunc, from token.Pos, obj types.Object) (yes bool) {
	ast.Inspect(f.body, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok || c.Pos() < from || len(c.Args) == 0 {
			return true
		}
		fn, id := v.callee(c.Fun), v.variable(c.Args[0])
		if fn != nil && fn.Pkg() != nil && id != nil && v.pass.TypesInfo.ObjectOf(id) == obj {
			yes = yes || fn.Pkg().Path() == "sort" || fn.Pkg().Path() == "slices" && strings.HasPrefix(fn.Name(), "Sort")
		}
		return !yes
	})
	return yes
}

// within is the expression of which e denotes a part, or nil.
func within(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.ParenExpr:
		return x.X
	case *ast.StarExpr:
		return x.X
	case *ast.IndexExpr:
		return x.X
	case *ast.SliceExpr:
		return x.X
	case *ast.SelectorExpr:
		return x.X
	}
	return nil
}

// writes looks at what is written to.
func (v *vetting) writes(f *jobFunc, e ast.Expr) {
	id := v.variable(e)
	if id == nil || id.Name == "_" {
		return
	}
	obj, ok := v.pass.TypesInfo.Uses[id].(*types.Var)
	if !ok { // it is defined here
		return
	}
	recv := func() bool {
		d, ok := f.node.(*ast.FuncDecl)
		return ok && d.Recv != nil && d.Recv.Pos() <= obj.Pos() && obj.Pos() < d.Recv.End()
	}
	switch {
	case obj.Parent() != nil && obj.Pkg() != nil && obj.Parent() == obj.Pkg().Scope():
		v.report(e.Pos(), "pkgvar", "this changes the package variable %s, which survives a simulated crash and not a real one; keep it in Aggregate's accumulator or in a handle of Process", obj.Name())
	case f.operator && (recv() || obj.Pos() < f.node.Pos() || obj.Pos() >= f.node.End()):
		v.report(e.Pos(), "captured", "this changes %s, which is not the function's own: after a crash no checkpoint brings it back; keep it in Aggregate's accumulator or in a handle of Process", obj.Name())
	}
}

// variable is the variable, of this or another package, that an expression is a part of.
func (v *vetting) variable(e ast.Expr) *ast.Ident {
	for e != nil {
		if s, ok := ast.Unparen(e).(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok {
				if _, ok := v.pass.TypesInfo.Uses[id].(*types.PkgName); ok {
					return s.Sel
				}
			}
		}
		next := within(e)
		if next == nil {
			id, _ := e.(*ast.Ident)
			return id
		}
		e = next
	}
	return nil
}
