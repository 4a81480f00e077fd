// Package pending is the set of what a machine waits for: each entry has an ending event and a deadline.
package pending
