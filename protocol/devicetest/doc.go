// Package devicetest is one suite of what any device must do, for virtual devices and real ones alike.
//
// No device of ours may skip a promise. A fake that cannot show one names it in Lacks, with the reason, and the test is
// skipped with that reason: reports/fidelity.md shows it as a difference.
package devicetest
