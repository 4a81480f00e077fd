// Package protocol is the language of weir: the ids, frames, events, effects and messages of the checkpoint protocol, and what drivers owe.
//
// # The model
//
// A Machine is a pure, single-threaded state machine. It is given an Event and appends Effects to an ordered list. A
// Device performs one family of effects and reports each outcome as an event. An effect is an imperative (Store, Send,
// Tell, Flush), its outcome the past participle (Stored, Received, Told, Flushed), a message between machines a noun.
//
//	driver:  pop event ─▶ Machine.Step(now, event, out) ─▶ perform out in order ─▶ devices ─▶ events
//
// The simulator and the engine are two drivers of the same machines. Nothing else is shared and nothing else is needed.
//
// # What a driver owes
//
//  1. One event at a time per machine; now is strictly larger than at the step before.
//  2. It performs the effects of a step in order, all of them, before that machine's next step; a crash may cut the list at any point.
//  3. It keeps each family's promise as its effect type states it, and no other.
//  4. It never steps a machine from inside Device.Perform.
//  5. What follows a Fail or an Exit in a list is dropped.
//  6. A crash drops the machine, its inbox and everything unsent; a restart makes a new machine in a new incarnation.
//  7. Frames of one channel belong to one (epoch, attempt): a frame sent in another attempt than the receiver's never arrives.
//     What is sent to a task of this attempt that is not spawned yet waits for it.
//
// # Exceptions worth knowing
//
//   - Received only enqueues; records are processed on Resumed, one frame per step.
//   - Keyed state is the one synchronous seam: the data plane calls it inside Step.
//   - Outcomes are a closed enum, not errors. Unknown means: it may have happened, or may happen later.
package protocol
