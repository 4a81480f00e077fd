// Package sim runs jobs in a seeded world: virtual time, virtual network, processes that crash and pause, faults, and invariants checked online.
//
// A World is one event heap ordered by (time, sequence). It pops an item, steps one machine, performs the machine's
// effects in order, and pushes what comes of them. Everything drawn comes from faults.Choice, in streams by purpose, so
// equal configurations give equal runs; Result.Digest is the proof.
//
// There is one broker, and one job or several, each with processes, a configuration and a bucket of its own. A run has
// two phases. In the safety phase faults strike up to a horizon. Then they stop, what is broken is mended, and every job
// must show within a bound computed from its configuration that it works: a checkpoint triggered after the mending is
// sealed and covers all input, or the job ends as it should, and leaves no transaction open.
//
// Faults are drawn, replayed by name, or enumerated: a Census lists the places of a calm run, CrashPoint and UnknownPoint
// put one fault at one of them.
package sim
