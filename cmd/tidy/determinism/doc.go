// Package determinism reports Go code whose outcome a seed does not fix.
//
// Its analyzer knows these rules:
//
//	go        a go statement
//	select    a select statement
//	chan      a channel type, a send, a receive
//	maprange  iteration in a map's order, also through type parameters, package maps, reflect and sync.Map
//	clock     a read of the machine's clock, a timer, a context with a deadline
//	random    an import of a package of random numbers or random hash seeds
//	float     floating point arithmetic, which Go may fuse on one architecture and not on another
//	pkgvar    a package-level variable other than var _ I = T{}
//	allow     a suppression that suppresses nothing
//
// A comment that gives its reason suppresses one rule, behind the code on its
// line or, alone, on the line below its comment group:
//
//	//tidy:allow maprange the keys are sorted before anybody sees them
//
// Vet is another analyzer, for the jobs of users of package weir.
//
// Check runs it over files that are no tests, and adds two rules: typecheck (a
// package does not compile) and buildtag (a file is left out by its build
// constraints, so nobody has looked at it).
package determinism
