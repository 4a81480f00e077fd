// Package determinism reports Go code whose outcome a seed does not fix.
//
// The analyzer looks at non-test files only and knows these rules:
//
//	go        a go statement
//	select    a select statement
//	chan      a channel type, a send, a receive
//	maprange  iteration in a map's order, also through type parameters, package maps, reflect and sync.Map
//	clock     a read of the machine's clock, a timer, a context with a deadline
//	random    an import of a package of random numbers or random hash seeds
//	float     floating point arithmetic, which Go may fuse differently from one architecture to another
//	pkgvar    a package-level variable other than var _ I = T{}
//
// A comment that gives its reason suppresses one rule on its own line and on
// the line below its comment group:
//
//	//tidy:allow maprange the keys are sorted before anybody sees them
//
// A suppression without a reason, or one that suppresses nothing, is reported
// under the rule allow. Check, which loads packages by itself, also reports
// typecheck (a package that does not compile) and buildtag (a file left out by
// its build constraints, which nobody has looked at).
package determinism
