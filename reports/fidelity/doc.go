// Command fidelity keeps the table of promises: what is held to each, where, by which test, and where worlds differ.
//
//	go test -json ./sim/broker | fidelity record virtual    the verdicts of an arm, into reports/fidelity/virtual.txt
//	fidelity write                                           reports/fidelity.md, from all arms' verdicts
//
// runtime/conformance/arms.sh goes over all arms. Promises come from protocol/devicetest and items.txt; what differs,
// and why it does not matter, from differences.txt and devicetest's tables.
package main
