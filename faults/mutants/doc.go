// Package mutants holds planted bugs: patches of the protocol's source, each of which breaks a rule that the protocol depends on.
//
// A mutant is data. It is planted by `go build -overlay`, so that production code has no hooks for it, and hunted like
// any other bug; `weir mutants` says after how many seeds each is caught. A mutant that is not caught shows a hole in
// the hunt. Whoever changes a line that a patch names changes the patch too: a test says which.
package mutants
