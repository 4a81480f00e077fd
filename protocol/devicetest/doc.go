// Package devicetest is one suite of what any device must do, for virtual devices and real ones alike.
//
// A device that cannot show a promise names it in Lacks, with the reason, and the test is skipped with that reason: the
// list of skips is the table of where the worlds differ.
package devicetest
