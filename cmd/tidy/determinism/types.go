package determinism

import "go/types"

// anyTerm reports whether is holds for the underlying type of t or, when t is a
// type parameter, for one of the types that its constraint names.
func anyTerm(t types.Type, is func(types.Type) bool) bool {
	switch t := types.Unalias(t).(type) {
	case nil:
		return false
	case *types.TypeParam:
		return anyEmbedded(t.Constraint(), is)
	default:
		return is(t.Underlying())
	}
}

// anyEmbedded looks through the unions and interfaces that a constraint embeds.
func anyEmbedded(t types.Type, is func(types.Type) bool) bool {
	switch t := t.Underlying().(type) {
	case *types.Interface:
		for e := range t.EmbeddedTypes() {
			if anyEmbedded(e, is) {
				return true
			}
		}
		return false
	case *types.Union:
		for term := range t.Terms() {
			if anyEmbedded(term.Type(), is) {
				return true
			}
		}
		return false
	default:
		return is(t)
	}
}

func returnsFloat(fn *types.Func) bool {
	for v := range fn.Signature().Results().Variables() {
		if b, ok := v.Type().Underlying().(*types.Basic); ok && b.Info()&types.IsFloat != 0 {
			return true
		}
	}
	return false
}

func randomPackages() []string {
	return []string{"math/rand", "math/rand/v2", "crypto/rand", "hash/maphash"}
}

// mapFuncs also has what builds a map: among equal keys the last one wins, so
// the order of the sequence shows.
func mapFuncs() []string {
	return []string{
		"maps.Keys", "maps.Values", "maps.All", "maps.Collect", "maps.Insert", "maps.DeleteFunc", "maps.EqualFunc",
		"(reflect.Value).MapKeys", "(reflect.Value).MapRange", "(reflect.Value).Seq", "(reflect.Value).Seq2",
		"(*sync.Map).Range",
	}
}

func clockFuncs() []string {
	return []string{
		"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc",
		"time.Tick", "time.NewTimer", "time.NewTicker",
		"context.WithTimeout", "context.WithTimeoutCause", "context.WithDeadline", "context.WithDeadlineCause",
	}
}

// exactFuncs are functions of package math that return floats and do not compute.
func exactFuncs() []string {
	return []string{"Float64frombits", "Float32frombits", "Inf", "NaN"}
}
