// Package state is keyed state with O(1) freezes: a table of live values, a delta since the last freeze, runs that hold frozen deltas.
package state
