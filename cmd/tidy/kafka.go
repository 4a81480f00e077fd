package main

import (
	"bytes"
	"go/ast"

	"weir/cmd/tidy/determinism"
)

// checkKafka reports what would end a transaction behind the protocol's back,
// with retries and versions of the client's choice, or make the client ask for
// a new epoch by itself. Names are enough: nothing of ours is called so.
func checkKafka(t *tree) (out breaches) {
	for _, p := range t.pkgs {
		for _, f := range p.files {
			client := bytes.Contains(f.src, []byte(`"github.com/twmb/franz-go/pkg/kgo"`))
			ast.Inspect(f.ast, func(n ast.Node) bool {
				name, why := endsTransaction(n)
				if client && name == nil && !within(p.folder, "runtime/kafka") {
					name, why = asksProducerID(n)
				}
				if name != nil && !determinism.Covers(f.allows, "kafka", t.line(name.Pos())) {
					out.add(f.path, t.line(name.Pos()), "kafka", "%s: %s", name.Name, why)
				}
				return true
			})
		}
	}
	return out
}

func endsTransaction(n ast.Node) (*ast.Ident, string) {
	if sel, ok := n.(*ast.SelectorExpr); ok {
		switch sel.Sel.Name {
		case "EndTransaction", "EndAndBeginTransaction", "TryAbort", "TryCommit", "GroupTransactSession", "NewGroupTransactSession":
			return sel.Sel, "transactions are ended by a raw EndTxn in one pinned version only"
		}
	}
	return nil, ""
}

// asksProducerID finds calls only: a field of a request may have this name.
func asksProducerID(n ast.Node) (*ast.Ident, string) {
	if call, ok := n.(*ast.CallExpr); ok {
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "ProducerID" {
			return sel.Sel, "after a failure the client begins a new epoch to answer this; runtime/kafka knows when not to ask"
		}
	}
	return nil, ""
}
