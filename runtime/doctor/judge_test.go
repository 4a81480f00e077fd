package doctor

import (
	"testing"

	"weir/protocol"
	"weir/protocol/checkpoint"
)

// TestStanding: what a transaction is to its job follows from HEAD and the newest manifest, by id and producer: an id is
// used again, and what its owner has open now is not what was decided of it before.
func TestStanding(t *testing.T) {
	pair := protocol.Producer{ID: 7, Epoch: 3}
	s := &state{
		head: &checkpoint.Head{Job: "words", Epoch: 2, Attempt: 4, Sealed: 8},
		manifest: &checkpoint.Manifest{Snapshots: []protocol.Snapshot{{Committables: []protocol.Committable{
			{ID: "words/out/0/2.4/1", Producer: pair, Checkpoint: 9},
			{ID: "words/out/0/2.4/0", Producer: pair, Checkpoint: 8},
		}}}},
	}
	for _, c := range []struct {
		id       string
		producer protocol.Producer
		want     standing
	}{
		{"words/out/0/2.4/1", pair, decided},
		{"words/out/0/2.4/1", protocol.Producer{ID: 7, Epoch: 4}, current}, // the id's next transaction
		{"words/out/0/2.4/0", pair, current},                               // sealed
		{"words/out/0/2.3/1", pair, ended},
		{"words/out/0/1.9/1", pair, ended},
		{"words/out/0/3.1/1", pair, current}, // of a claim that came after HEAD was read
		{"letters/out/0/2.3/1", pair, unknown},
	} {
		x := Txn{ID: c.id, producer: c.producer}
		if x.judge(s); x.standing != c.want {
			t.Errorf("%s of %v: %d, want %d: %s", c.id, c.producer, x.standing, c.want, x.What)
		}
	}
	x := Txn{ID: "words/out/0/2.3/1"}
	if x.judge(nil); x.standing != unknown {
		t.Errorf("without HEAD: %d", x.standing)
	}
}
