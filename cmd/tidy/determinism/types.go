package determinism

import (
	"go/token"
	"go/types"
	"slices"
)

// anyTerm looks through the unions and interfaces that a constraint embeds.
func anyTerm(t types.Type, is func(types.Type) bool) bool {
	found := false
	switch t := t.Underlying().(type) {
	case *types.Interface:
		for e := range t.EmbeddedTypes() {
			found = found || anyTerm(e, is)
		}
	case *types.Union:
		for term := range t.Terms() {
			found = found || anyTerm(term.Type(), is)
		}
	default:
		found = is(t)
	}
	return found
}

func isMap(t types.Type) bool     { _, ok := t.(*types.Map); return ok }
func isChan(t types.Type) bool    { _, ok := t.(*types.Chan); return ok }
func isFloat(t types.Type) bool   { return isBasic(t, types.IsFloat|types.IsComplex) }
func isInteger(t types.Type) bool { return isBasic(t, types.IsInteger) }

func isBasic(t types.Type, info types.BasicInfo) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&info != 0
}

func isArithmetic(op token.Token) bool {
	return op == token.ADD || op == token.SUB || op == token.MUL || op == token.QUO
}

// computes is for functions of package math: all that return a float, but for
// those that only make one.
func computes(fn *types.Func) bool {
	results := fn.Signature().Results()
	exact := []string{"Float64frombits", "Float32frombits", "Inf", "NaN"}
	return results.Len() > 0 && isFloat(results.At(0).Type()) && !slices.Contains(exact, fn.Name())
}

func randomPackages() []string {
	return []string{"math/rand", "math/rand/v2", "crypto/rand", "hash/maphash"}
}

// mapFuncs also has what builds a map: among equal keys the last one wins, so
// the order of the sequence shows.
func mapFuncs() []string {
	return []string{
		"maps.Keys", "maps.Values", "maps.All", "maps.Collect", "maps.Insert", "maps.DeleteFunc", "maps.EqualFunc",
		"(reflect.Value).MapKeys", "(reflect.Value).MapRange", "(reflect.Value).Seq", "(reflect.Value).Seq2", "(*sync.Map).Range",
	}
}

func clockFuncs() []string {
	return []string{
		"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.Tick", "time.NewTimer", "time.NewTicker",
		"context.WithTimeout", "context.WithTimeoutCause", "context.WithDeadline", "context.WithDeadlineCause",
	}
}
