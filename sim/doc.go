// Package sim runs a job in a seeded world: virtual time, virtual network, processes that crash and pause, faults, and invariants checked online.
//
// A World is one event heap ordered by (time, sequence). It pops an item, steps one machine, performs the machine's
// effects in order, and pushes what comes of them. Everything drawn comes from faults.Choice, in streams by purpose, so
// equal configurations give equal runs; Result.Digest is the proof.
//
// A run has two phases. In the safety phase faults strike up to a horizon. Then they stop, what is broken is mended,
// and the job must show within a bound computed from its configuration that it works: a checkpoint triggered after the
// mending is sealed and covers all input, or the bounded job finishes.
package sim
