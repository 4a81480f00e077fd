package txn

import (
	"weir/protocol"
	"weir/protocol/codec"
)

const (
	ledgerMagic   = "WLDG"
	ledgerVersion = 1
)

// EncodeLedger is the value of a ledger record.
func EncodeLedger(r protocol.LedgerRecord) []byte {
	return codec.Seal(nil, ledgerMagic, ledgerVersion, func(b []byte) []byte {
		b = codec.AppendString(codec.AppendString(b, r.Job), r.Sink)
		b = codec.AppendUint(codec.AppendUint(b, r.Task), r.Checkpoint)
		b = codec.AppendUint(codec.AppendUint(b, r.Epoch), r.Attempt)
		return codec.AppendUint(codec.AppendUint(b, r.Count), r.Digest)
	})
}

// DecodeLedger reads what EncodeLedger wrote.
func DecodeLedger(value []byte) (protocol.LedgerRecord, error) {
	body, err := codec.Open(value, ledgerMagic, ledgerVersion, "ledger record")
	if err != nil {
		return protocol.LedgerRecord{}, err
	}
	r := codec.NewReader(body)
	l := protocol.LedgerRecord{Job: r.String(), Sink: r.String(), Task: protocol.TaskID(r.Uint()), Checkpoint: protocol.CheckpointID(r.Uint()),
		Epoch: protocol.Epoch(r.Uint()), Attempt: protocol.Attempt(r.Uint()), Count: r.Uint(), Digest: r.Uint()}
	return l, r.Err()
}

// LedgerKey is the key of a committable's ledger record: compaction keeps one record per sink task and checkpoint.
func LedgerKey(c protocol.Committable) []byte {
	b := codec.AppendString(codec.AppendString(nil, c.Scope.Job), c.Sink)
	return codec.AppendUint(codec.AppendUint(b, c.Task), c.Checkpoint)
}

// LedgerTopic is the topic that holds a sink's ledger: one partition per sink task, compacted, no time retention.
func LedgerTopic(job, sink string) string { return job + "." + sink + ".ledger" }

// Proof is the record that must stand at a committable's ledger offset.
func Proof(c protocol.Committable) protocol.LedgerRecord {
	return protocol.LedgerRecord{Job: c.Scope.Job, Sink: c.Sink, Task: c.Task, Checkpoint: c.Checkpoint,
		Epoch: c.Scope.Epoch, Attempt: c.Scope.Attempt, Count: c.Count, Digest: c.Digest}
}
