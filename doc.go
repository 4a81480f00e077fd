// Package weir is the typed API in which stream jobs are written; a job runs exactly once, on real services or in the simulator.
//
// A job is a factory, a func() *Job. It is called anew for every life of every task, so that nothing a closure captured
// outlives a crash. It puts operators together with free functions; each operator has a mandatory, stable id, because
// ids name state, transactional ids and failures:
//
//	func Job() *weir.Job {
//		j := weir.New("wordcount")
//		lines := weir.From(j, "lines", weir.Topic("lines", weir.String{}))
//		words := weir.FlatMap(lines, "split", split) // func split(line string, emit func(string))
//		byWord := weir.KeyBy(words, func(w string) string { return w }, weir.Interned(), weir.String{})
//		counts := weir.Aggregate(byWord, "count", weir.Count[string]())
//		weir.To(counts, "counts", weir.KeyedTopic("counts", weir.String{}, weir.Int64{}))
//		return j
//	}
//
// [Graph] turns the factory into what both worlds run. Mistakes in how a job is put together are its errors, all at once;
// mistakes of type are errors of the compiler.
//
// # Fan-out and fan-in
//
// A stream may be used any number of times; every user sees every record. [Union] makes one stream of several. Operators
// that follow a union run in each of the stages whose records it brings together.
//
// # Stages
//
// The operators between two shuffles are fused into the code of one stage, a chain of closures without allocation or
// type assertion per record. A stage begins at [From], [Aggregate] or [Process] and bears its id; each [To] is a stage of its own.
//
// # State
//
// Keyed state is what [Aggregate] folds into, or the handles of a [Process]: a value, a map or a list per key. It is in
// checkpoints, and after a crash it is again what it was at the checkpoint that the output continues from. Nothing else is.
//
// # What functions may do
//
// They are called for one record at a time, in order. They must be pure but for caches: what they return may depend on
// nothing but their arguments, and they change neither their argument (another user of the stream sees it too) nor keep
// it: what [Bytes] decoded is valid during the call only. An error or a panic fails the job, naming operator and record;
// so does a record that its codec cannot decode. To live with malformed records read them with [Bytes] or [String] and
// parse them in a [FlatMap] or [Map], which sends what it cannot parse where it can be counted.
package weir
