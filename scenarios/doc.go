// Package scenarios holds the named situations in which jobs are hunted: job, input, topology, configurations to draw from, and what must come out.
package scenarios
