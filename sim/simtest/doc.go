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
//	-weir.replay=FILE     WEIR_REPLAY=FILE     this fail file only; all: those of the test
//	-weir.strict=true     WEIR_STRICT=true     fail if something that [Sometimes] names was never reached, or a fault never struck
//	-weir.shrinktime=1m   WEIR_SHRINKTIME=1m   how long to look for fewer faults that fail; 5s without it
//
// # Fail files
//
// A seed that fails is run again with fewer and fewer of its faults. What it needs is told, and kept in a file under
// testdata/weir/<Test>/, which the test runs first from then on, until it passes; then that is told. Whoever changes the
// job such that the named faults no longer strike is told that too: the file then shows nothing. What else the seed
// draws, such as when the input comes, stays as it is.
//
// # Determinism
//
// A seed repeats only if the job's functions are as package weir wants them: what they do depends on nothing but their
// arguments. The first seed, each eighth one and each that fails is run twice; if the runs differ, that is the failure,
// with the first event that has another effect. Command weir vet finds most causes without running anything.
package simtest
