// Package txn is the two-phase-commit protocol of the Kafka sink: slots, the ledger, commits that are read back, and the order of recovery.
//
// A slot is one transactional id of a sink task's pool and, while it is used, one transaction:
//
//	idle ─OpenSlot▶ opening ─Opened▶ open ─first record▶ filling ─barrier: ledger record, Flush▶ flushing ─Flushed▶ prepared
//	prepared ─Confirm: EndTxn▶ ending ─Ended▶ reading ─LedgerRead▶ sealed ─Settled▶ idle
//
// Nothing aborts a transaction but a new attempt, which fences the ids of its predecessors (Recovery). An OpenSlot
// whose outcome is unknown abandons the id for the attempt. Sources: the design's §6; KIP-98, KIP-890, KIP-447.
package txn
