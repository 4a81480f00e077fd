// Package align decides which inputs may flow while a barrier is being collected.
package align
