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
//	-weir.seed=0x2a    WEIR_SEED=0x2a     this seed only, decimal or hex
//	-weir.seeds=10000  WEIR_SEEDS=10000   so many seeds per test; a fifth of the default with -short
//
// # Determinism
//
// A seed repeats only if the job's functions are as package weir wants them: what they do depends on nothing but their
// arguments. Each seed that fails, and every eighth one, is run twice; if the runs differ, that is the failure.
package simtest
