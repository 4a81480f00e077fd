package state_test

import (
	"strconv"
	"testing"

	"weir/protocol/state"
)

// TestOwnership: at every parallelism the ranges of the tasks cover all groups, in order, without overlap, and say the
// same as OwnerOf.
func TestOwnership(t *testing.T) {
	for _, groups := range []int{1, 2, 7, 128, 1000} {
		for p := 1; p <= 130; p++ {
			next := 0
			for i := range p {
				g := state.Owned(i, groups, p)
				if g.From != next || g.To < g.From {
					t.Fatalf("%d groups, parallelism %d: task %d owns %v, want it to begin at %d", groups, p, i, g, next)
				}
				for k := g.From; k < g.To; k++ {
					if o := state.OwnerOf(k, groups, p); o != i {
						t.Fatalf("%d groups, parallelism %d: group %d is in the range of task %d, its owner is %d", groups, p, k, i, o)
					}
				}
				if n, least := g.To-g.From, groups/p; n < least || n > least+1 {
					t.Fatalf("%d groups, parallelism %d: task %d owns %d groups", groups, p, i, n)
				}
				next = g.To
			}
			if next != groups {
				t.Fatalf("%d groups, parallelism %d: the last task ends at %d", groups, p, next)
			}
		}
	}
}

// TestGroupOf: the group of a hash is one of the groups, ascends with the hash, and each is taken by 1/groups of the
// hashes.
func TestGroupOf(t *testing.T) {
	for _, groups := range []int{1, 2, 7, 128, 1000} {
		last := 0
		for _, h := range []uint32{0, 1, 1 << 16, 1 << 30, 1 << 31, 1<<32 - 2, 1<<32 - 1} {
			g := state.GroupOf(h, groups)
			if g < last || g >= groups {
				t.Errorf("%d groups: hash %#x is of group %d, after %d", groups, h, g, last)
			}
			last = g
		}
		if last != groups-1 {
			t.Errorf("%d groups: the highest hash is of group %d", groups, last)
		}
	}
}

// TestHashSpreads: short keys that differ in their last digit only fill all groups evenly, within five sigma.
func TestHashSpreads(t *testing.T) {
	const groups, n = 128, 128 * 1000
	var count [groups]int
	for i := range n {
		count[state.GroupOf(state.Hash([]byte("user-"+strconv.Itoa(i))), groups)]++
	}
	for g, c := range count {
		if c < 840 || c > 1160 {
			t.Errorf("group %d has %d of %d keys", g, c, n)
		}
	}
}
