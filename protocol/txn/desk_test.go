package txn

import (
	"fmt"
	"testing"

	"weir/protocol"
	"weir/protocol/batch"
)

// desk collects what a machine of this package asks for.
type desk struct {
	t   *testing.T
	cfg protocol.Config
	out protocol.Effects
	now protocol.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	cfg := protocol.Defaults()
	cfg.Tolerable = 1
	return &desk{t: t, cfg: cfg, now: 1}
}

// take is what has been asked for since the last call, but for notes and timers.
func (d *desk) take() (list []protocol.Effect) {
	for _, ef := range d.out.All() {
		switch ef.(type) {
		case protocol.Note, protocol.Wake:
		default:
			list = append(list, ef)
		}
	}
	d.out.Reset()
	d.now++
	return list
}

// asked is the one effect asked for, of type T.
func asked[T protocol.Effect](d *desk) T {
	d.t.Helper()
	list := d.take()
	if len(list) == 1 {
		if ef, ok := list[0].(T); ok {
			return ef
		}
	}
	var want T
	d.t.Fatalf("asked for %s, want one %T", formats(list), want)
	return want
}

// all are the effects asked for, all of type T.
func all[T protocol.Effect](d *desk) (got []T) {
	d.t.Helper()
	list := d.take()
	for _, ef := range list {
		x, ok := ef.(T)
		if !ok {
			d.t.Fatalf("asked for %s, want only %T", formats(list), x)
		}
		got = append(got, x)
	}
	return got
}

func formats(list []protocol.Effect) (text string) {
	for _, ef := range list {
		text += "\n  " + protocol.Format(ef)
	}
	return text
}

// quiet holds that nothing is asked for.
func (d *desk) quiet() {
	d.t.Helper()
	if list := d.take(); len(list) > 0 {
		d.t.Fatalf("asked for %s, want nothing", formats(list))
	}
}

// wait lets the deadline of whatever is under way, and every pause, pass.
func (d *desk) wait() { d.now = d.now.Add(d.cfg.IOTimeout + d.cfg.RetryDelay) }

func records(n int) *batch.Batch {
	b := new(batch.Batch)
	for i := range n {
		b.Append([]byte(fmt.Sprintf("k%d", i)), []byte("v"), batch.Record{})
	}
	return b
}

// committable is a flushed transaction of a checkpoint, in a slot of its own.
func committable(id protocol.CheckpointID) protocol.Committable {
	scope := protocol.Scope{Job: "words", Epoch: 2, Attempt: 3}
	n := SlotName{Job: "words", Sink: "sink", Epoch: 2, Attempt: 3, Slot: int(id)}
	return protocol.Committable{ID: n.ID(), Producer: protocol.Producer{ID: int64(id), Epoch: 4}, Version: 5, Checkpoint: id, Scope: scope, Sink: "sink", Task: 3,
		Count: 10, Digest: 77, Ledger: protocol.LedgerRef{Topic: "ledger", TopicID: protocol.TopicID{1}, Partition: 0, Offset: protocol.Offset(id) * 10}}
}
