package checkpoint

import (
	"slices"
	"testing"

	"weir/protocol"
)

// TestHomes: a task stays where its machine has copies of its state, as long as that worker lives; those of the dead go where
// there are fewest, and come back with it.
func TestHomes(t *testing.T) {
	c := &Coordinator{}
	for n := range protocol.NodeID(3) {
		c.members = append(c.members, member{node: 11 + n})
	}
	tasks := []protocol.TaskID{1, 2, 3, 4, 5, 6, 7}
	for _, x := range []struct{ alive, want []protocol.NodeID }{
		{[]protocol.NodeID{11, 12, 13}, []protocol.NodeID{11, 12, 13, 11, 12, 13, 11}},
		{[]protocol.NodeID{11, 13}, []protocol.NodeID{11, 13, 13, 11, 11, 13, 11}},
		{[]protocol.NodeID{12}, []protocol.NodeID{12, 12, 12, 12, 12, 12, 12}},
	} {
		var alive []*member
		for i := range c.members {
			if slices.Contains(x.alive, c.members[i].node) {
				alive = append(alive, &c.members[i])
			}
		}
		var got []protocol.NodeID
		for _, m := range c.homes(tasks, alive) {
			got = append(got, m.node)
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("alive %v: homes %v, want %v", x.alive, got, x.want)
		}
	}
}
