package sim

import (
	"weir/protocol"
)

// digest is a rolling 64-bit digest of everything that happens.
type digest struct{ h uint64 }

func newDigest(seed uint64) digest { return digest{seed ^ 0x6a09e667f3bcc909} }

func (d *digest) mix(a, b, c uint64) {
	h := (d.h ^ a) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32 ^ b) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>29 ^ c) * 0x94d049bb133111eb
	d.h = h ^ h>>31
}

func (d *digest) text(tag uint64, s string, x uint64) {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	d.mix(tag, h, x)
}

func (d *digest) bytes(tag uint64, b []byte) {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	d.mix(tag, h, uint64(len(b)))
}

func (d *digest) frame(tag uint64, id protocol.ChannelID, f protocol.Frame) {
	switch f := f.(type) {
	case protocol.Data:
		n := uint64(0)
		if k := f.Batch.Len(); k > 0 {
			n = uint64(f.Batch.Record(k - 1).Offset)
		}
		d.mix(tag, uint64(id)<<32|uint64(f.Batch.Len()), uint64(f.Batch.Size())<<32^n)
	case protocol.Barrier:
		d.mix(tag, uint64(id), uint64(f.Checkpoint))
	default:
		d.mix(tag, uint64(id), 1<<63)
	}
}

// event mixes in when, to whom and what.
func (d *digest) event(now protocol.Time, to protocol.Address, ev protocol.Event) {
	d.mix(uint64(now), uint64(to.Node)<<32|uint64(to.Task), 0)
	switch e := ev.(type) {
	case protocol.Started:
		d.mix(1, uint64(e.Incarnation), 0)
	case protocol.Resumed:
	case protocol.Woken:
		d.mix(3, uint64(e.Timer), 0)
	case protocol.Received:
		d.frame(4, e.Channel, e.Frame)
	case protocol.Granted:
		d.mix(5, uint64(e.Channel), uint64(e.N))
	case protocol.Lost:
		d.mix(6, uint64(e.Channel), 0)
	case protocol.Told:
		d.message(uint64(e.From.Node)<<32|uint64(e.From.Task), e.Message)
	case protocol.Died:
		d.mix(8, uint64(e.Task), uint64(e.Failure.Kind))
	case protocol.StopAsked:
		d.mix(9, 0, 0)
	default:
		d.outcome(ev)
	}
}

// outcome mixes in what a device reports.
func (d *digest) outcome(ev protocol.Event) {
	switch e := ev.(type) {
	case protocol.Stored:
		d.text(uint64(e.Op)<<8|uint64(e.Outcome), string(e.Version), uint64(e.Size))
		d.mix(uint64(e.Sum[0]), uint64(e.Sum[1]), uint64(e.Sum[2]))
	case protocol.Loaded:
		d.mix(uint64(e.Op)<<8|uint64(e.Outcome), uint64(len(e.Body)), 11)
	case protocol.Deleted:
		d.mix(uint64(e.Op)<<8|uint64(e.Outcome), 12, 0)
	case protocol.Recalled:
		d.bytes(uint64(e.Op)<<8|uint64(e.Outcome), e.Body)
	case protocol.Surveyed:
		d.mix(uint64(e.Op)<<8|uint64(e.Outcome), uint64(len(e.Ranges)), 13)
	case protocol.Fetched:
		n := 0
		if e.Batch != nil {
			n = e.Batch.Len()<<32 | e.Batch.Size()
		}
		d.mix(uint64(e.Op)<<8|uint64(e.Outcome), uint64(e.Next), uint64(n))
	case protocol.Opened:
		d.text(uint64(e.Op)<<8|uint64(e.Outcome), string(e.ID), uint64(e.Producer.ID)<<16|uint64(e.Producer.Epoch))
	case protocol.Produced:
		d.mix(e.Seq<<8|uint64(e.Outcome), uint64(e.Partition), uint64(e.Offset))
	case protocol.Flushed:
		d.text(uint64(e.Op)<<8|uint64(e.Outcome), string(e.ID), 16)
	case protocol.Ended:
		d.text(uint64(e.Op)<<8|uint64(e.Outcome), string(e.ID), 17)
	case protocol.LedgerRead:
		d.mix(uint64(e.Op)<<8|uint64(e.Outcome), uint64(len(e.Value)), 18)
	case protocol.Fenced:
		d.text(uint64(e.Op)<<8|uint64(e.Outcome), string(e.ID), 19)
	case protocol.Erased:
		d.mix(uint64(e.Op)<<8|uint64(e.Outcome), 0, 21)
	case protocol.TxnsListed:
		d.mix(uint64(e.Op)<<8|uint64(e.Outcome), uint64(len(e.Open)), 20)
	default: // dear, but right for what is new to the language
		d.text(21, protocol.Format(ev), 0)
	}
}

func (d *digest) scope(tag, x uint64, s protocol.Scope) {
	d.mix(tag<<56|uint64(s.Epoch)<<28|uint64(s.Attempt), uint64(s.Incarnation), x)
}

func (d *digest) message(x uint64, msg protocol.Message) {
	switch g := msg.(type) {
	case protocol.Ping:
		d.scope(1, x, g.Scope)
	case protocol.Pong:
		d.scope(2, x, g.Scope)
		d.scope(2, 0, g.Running)
	case protocol.Start:
		d.scope(3, x^uint64(len(g.Tasks)), g.Scope)
	case protocol.Stop:
		d.scope(4, x, g.Scope)
	case protocol.TaskFailed:
		d.scope(5, x^uint64(g.Task)<<8, g.Scope)
	case protocol.Ready:
		d.scope(6, x, g.Scope)
	case protocol.Drained:
		d.scope(7, x, g.Scope)
	case protocol.Trigger:
		d.scope(8, x^uint64(g.Checkpoint)<<16, g.Scope)
	case protocol.Ack:
		d.scope(9, x^uint64(g.Checkpoint)<<16, g.Scope)
		d.snapshot(&g.Snapshot)
	case protocol.Decline:
		d.scope(10, x^uint64(g.Checkpoint)<<16, g.Scope)
	case protocol.Abort:
		d.scope(11, x^uint64(g.Checkpoint)<<16, g.Scope)
	case protocol.Aborted:
		d.scope(12, x^uint64(g.Checkpoint)<<16, g.Scope)
	case protocol.Confirm:
		d.scope(13, x^uint64(g.Checkpoint)<<16, g.Scope)
	case protocol.Sealed:
		d.scope(14, x^uint64(g.Checkpoint)<<16, g.Scope)
	case protocol.Settled:
		d.scope(15, x^uint64(g.Checkpoint)<<16, g.Scope)
	default:
		d.text(16, protocol.Format(msg), x)
	}
}

func (d *digest) snapshot(s *protocol.Snapshot) {
	d.mix(uint64(len(s.Positions)), uint64(len(s.Runs)), uint64(len(s.Committables)))
	for i := range s.Positions {
		d.mix(uint64(s.Positions[i].Partition), uint64(s.Positions[i].Next), uint64(s.Positions[i].End))
	}
	for i := range s.Committables {
		d.mix(s.Committables[i].Digest, s.Committables[i].Count, uint64(s.Committables[i].Age))
	}
}

// effect mixes in what a machine wants.
func (d *digest) effect(ef protocol.Effect) {
	switch e := ef.(type) {
	case protocol.Resume:
	case protocol.Wake:
		d.mix(32, uint64(e.Timer), uint64(e.At))
	case protocol.Send:
		d.frame(33, e.Channel, e.Frame)
	case protocol.Grant:
		d.mix(34, uint64(e.Channel), uint64(e.N))
	case protocol.Release:
	case protocol.Tell:
		d.message(uint64(e.To.Node)<<32|uint64(e.To.Task), e.Message)
	case protocol.Fetch:
		d.text(uint64(e.Op)<<8|35, e.Topic, uint64(e.Partition)<<48^uint64(e.From))
	case protocol.Produce:
		d.text(e.Seq<<8|36, string(e.ID), uint64(e.Partition)<<48^uint64(e.Batch.Len())<<24^uint64(e.Batch.Size()))
	default:
		d.rare(ef)
	}
}

// rare mixes in effects that are none of the data plane's.
func (d *digest) rare(ef protocol.Effect) {
	switch e := ef.(type) {
	case protocol.Store:
		d.text(uint64(e.Op)<<8|40, string(e.Key), 0)
		d.text(40, string(e.IfMatch), 0)
	case protocol.Load:
		d.text(uint64(e.Op)<<8|41, string(e.Key), 0)
	case protocol.Delete:
		d.text(uint64(e.Op)<<8|42, string(e.Key), 0)
	case protocol.Keep:
		d.text(56, string(e.Key), 0)
	case protocol.Recall:
		d.text(uint64(e.Op)<<8|57, string(e.Key), 0)
	case protocol.Retain:
		d.text(58, e.Shelf, uint64(len(e.Keys)))
	case protocol.Survey:
		d.text(uint64(e.Op)<<8|43, e.Topic, 0)
	case protocol.OpenSlot:
		d.text(uint64(e.Op)<<8|44, string(e.ID), uint64(e.Timeout))
	case protocol.Flush:
		d.text(uint64(e.Op)<<8|45, string(e.ID), uint64(e.Deadline))
	case protocol.EndTxn:
		d.text(uint64(e.Op)<<8|46, string(e.ID), uint64(e.Producer.ID)<<16|uint64(e.Producer.Epoch))
	case protocol.ReadLedger:
		d.text(uint64(e.Op)<<8|47, e.Topic, uint64(e.Partition)<<48^uint64(e.Offset))
	case protocol.Fence:
		d.text(uint64(e.Op)<<8|48, string(e.ID), 0)
	case protocol.Erase:
		d.text(uint64(e.Op)<<8|54, e.Topic, uint64(e.Partition)<<32|uint64(len(e.Key)))
	case protocol.ListTxns:
		d.text(uint64(e.Op)<<8|49, e.Prefix, 0)
	case protocol.Spawn:
		d.scope(50, uint64(e.Start.Task), e.Start.Scope)
	case protocol.Halt:
		d.mix(51, 0, 0)
	case protocol.Fail:
		d.text(uint64(e.Failure.Kind)<<8|52, e.Failure.Text, uint64(e.Failure.Offset))
	case protocol.Exit:
		d.text(uint64(e.Verdict.Kind)<<8|53, e.Verdict.Text, 0)
	case protocol.Note:
		d.text(54, string(e.Kind), uint64(e.Checkpoint))
		d.text(54, e.Detail, 0)
	default:
		d.text(55, protocol.Format(ef), 0)
	}
}
