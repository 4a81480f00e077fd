// Package simtest tests a job under faults in an ordinary go test: in a simulated cluster, from a seed, judged from outside.
//
//	func TestCounts(t *testing.T) {
//		simtest.Check(t, Job,
//			simtest.Input("lines", "the fox", "the dog"),
//			simtest.Output("counts", simtest.Fold(word, count).Split(words)))
//	}
//
// [Check] runs the job's own code and weir's own protocol over and over, each time in another world: a seed draws the
// topology, the configuration, when the input comes and what goes wrong. Processes die between any two actions or stand
// still and wake as zombies, networks break, requests to broker and bucket are lost, late and doubled. Then the faults
// stop, and what readers saw of the output must be what the [Model] of each topic says: nothing lost, nothing doubled.
// No real broker, no clock and no network is needed; a run takes milliseconds.
//
// # Seeds
//
// A test runs the same seeds each time, so that it does not fail now and then. A seed that fails is printed with the one
// command that repeats it; the run is the same for the same binary. These flags of the test binary, and environment
// variables for go test ./..., where not every package knows the flags, choose others:
//
//	-weir.seed=0x2a       WEIR_SEED=0x2a       this seed only, decimal or hex
//	-weir.seeds=10000     WEIR_SEEDS=10000     so many seeds per test; a fifth of the default with -short
//	-weir.time=10m        WEIR_TIME=10m        as many seeds per test as there is time for
//	-weir.replay=FILE     WEIR_REPLAY=FILE     this scenario file only; all: those that the test keeps
//	-weir.strict=true     WEIR_STRICT=true     fail if something that [Sometimes] names was never reached, a fault never struck, or a file is stale
//	-weir.shrinktime=1m   WEIR_SHRINKTIME=1m   how long to make a failure smaller, and to explain it; 5s each without it
//
// # Scenario files
//
// A seed that fails is run again with fewer faults, less input, fewer processes and rounder times, as long as it fails in
// the same way. What is left is told as a story, beside how the run should have gone, and is kept in a scenario file under
// testdata/weir/<Test>/, which the test runs first from then on, until it passes; then that is told. The file is text: the
// cluster, how many records of each input come, and each fault by its place in the run, such as
//
//	fault crash-worker#0: node 1, after coordinator Sealed(checkpoint 1) from counts[0]
//
// so that it still means the same after most changes of the job. A file of which a fault no longer strikes shows nothing:
// that is told as STALE, and fails the test if the file was asked for by -weir.replay, or with -weir.strict. A file that
// is mended and kept may say "expect pass" in place of what it failed with.
//
// # Determinism
//
// A seed repeats only if the job's functions are as package weir wants them: what they do depends on nothing but their
// arguments. The first seed, each eighth one and each that fails is run twice; if the runs differ, that is the failure,
// with the first event that has another effect. Command weir vet finds most causes without running anything.
package simtest
