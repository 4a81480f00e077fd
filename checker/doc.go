// Package checker judges from outside whether a stream job had the effect of every input exactly once.
//
// It knows nothing of the job but what a bystander can see: a [History] of what was appended to the input logs, and of
// what outside readers (read_committed) were given at every single fetch. The user says in a [Spec] what each input
// should lead to. [Check] compares the two and answers Pass, Fail with evidence, or Unknown; Unknown is never a pass.
//
// Three questions are asked, in this order:
//
//  1. Do the readers agree? Within one reader offsets only grow; two readers see the same record at every offset both
//     have gone past. What one reader saw and a later one did not is an aborted read. The result is one settled log per
//     output partition, with the time at which each record was first seen.
//  2. Is every effect there exactly once ([Spec.Expect], [Spec.Observe])? By unique ids, in linear time: no effect lost,
//     doubled, out of order within its key, half there, before its cause, or out of nothing.
//  3. Do the running values of a key make sense ([Fold])? Some order of the inputs, in which each input partition keeps
//     its own order, must explain every value seen. With one output per input, the values nearly dictate that order and
//     the answer takes linear time. Otherwise it is a search, done by porcupine, bounded by the number of operations
//     of the key and by a count of steps, never by a clock: the same history always gets the same answer.
//
// The readers are the bystander's own; a history that contradicts itself (a reader that seeks back, two inputs at one
// offset) is Unknown, not a failure of the job.
//
// From outside, some failures look alike. A checkpoint of which one sink is missing is Torn if an input has effects at
// both sinks, and Lost if the sinks get different inputs. An aborted input counted and a committed one counted twice are
// the same to a running count: the key's aborted inputs are blamed first.
//
// Not judged, because Kafka does not promise it: that a transaction becomes visible on all partitions at one moment, or
// that a fetch returns everything there is.
package checker
