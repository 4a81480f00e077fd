// Package engine drives the machines of one process on goroutines: one each, its inbox swapped whole.
//
// It is one of the two routing tables between machines and devices; the simulator is the other. It keeps no state of
// the protocol: what waits, retries or times out is in the machines.
package engine
