// Package statetest is the conformance suite of state.Keyed: the same calls give the same answers and the same runs, byte for byte.
package statetest
