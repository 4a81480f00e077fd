// Package checkpoint decides when a cut is complete, durable and released; what to restore; and who holds the coordinator's office.
//
// The coordinator's phases:
//
//	loading ─HEAD read▶ claiming ─HEAD won▶ reading ─manifests here▶ recovering ─all judged▶ gathering ─workers here▶ starting
//	                        ▲                                                                                             │ all ready
//	                        └─ restarting ◀─ a task failed, a worker was lost, too many checkpoints aborted ─ running ◀───┘
//	                                                      ended ◀─ nothing left open ─ closing ◀─ last checkpoint sealed ─┘
//
// One write decides: HEAD, replaced under a condition. Its outcome, unless it is OK, is found out by reading HEAD and
// comparing the nonce in its body (writer). Nothing is fenced, restored or opened before the attempt is in HEAD.
package checkpoint
