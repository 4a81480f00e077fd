// Package engine drives the machines of one process on goroutines: one each, its inbox swapped whole.
//
// It is one of the two routing tables between machines and devices; the simulator is the other. It keeps no state of
// the protocol: what waits, retries or times out is in the machines.
//
// # What ends a task, and what the process
//
//   - A user function's error or panic, also of the job's factory, fails its task: the region restarts.
//   - A broken invariant of a machine ends the process: Run returns an error that names machine, event and place.
//   - A user function that does not return cannot be ended. The halt that waits for it gives up after the checkpoints'
//     timeout, and Run returns an error that shows where the function is. Run itself never waits for it for long.
//
// Once a machine's box is closed, nothing that its step under way still asks for is performed: that is a crash between
// two effects, which the protocol survives.
package engine
