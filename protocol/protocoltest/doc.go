// Package protocoltest runs the machines of a job from a script, so that the protocol can be read as a sequence of events and effects.
//
// World is the driver: machines, what is on its way between them, timers, a bucket and a log in memory. Nothing in it
// happens by itself: a test delivers what is on its way, in the order and with the outcome it chooses, and lets time
// pass. What it does not choose is answered by devices that are perfect.
//
// The tests of this package are the golden traces in testdata, a guided tour of the protocol: ARCHITECTURE.md names an
// order worth reading, which begins with 00_first_checkpoint. A change of the protocol shows as a change of the traces:
//
//	go test ./protocol/protocoltest -rewrite
package protocoltest
