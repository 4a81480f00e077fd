package jobs

import (
	"fmt"
	"slices"
	"strings"

	"weir"
)

// Of a key in Recent.
const (
	recentIDs  = 3 // kept
	recentFull = 3 // a digit's count, which then ends
	recentAll  = 5 // inputs, after which the key begins anew
)

// Recent keeps a count, the last ids and counts of their last characters, of the keys of two topics together.
func Recent() Job {
	return Job{"recent", recent, []string{"recent-a", "recent-b"}, []string{"recent-out"}, 2, 2}
}

func recent() *weir.Job {
	j := weir.New("recent")
	a := weir.From(j, "a", weir.Topic("recent-a", weir.String{}))
	b := weir.From(j, "b", weir.Topic("recent-b", weir.String{}))
	n := weir.NewValueState("n", weir.Int64{})
	last := weir.NewListState("last", weir.String{})
	ends := weir.NewMapState("ends", weir.String{}, weir.Int64{})
	out := weir.Process(byKey(weir.Union(a, b)), "recent", func(c *weir.Context[string, weir.KV[string, string]], id string) error {
		count, _ := n.Get()
		n.Set(count + 1)
		last.Append(id)
		last.Drop(last.Len() - recentIDs)
		end := id[max(0, len(id)-1):]
		if had, _ := ends.Get(end); had+1 < recentFull {
			ends.Put(end, had+1)
		} else {
			ends.Delete(end)
		}
		var counts []string
		for end, n := range ends.All() {
			counts = append(counts, fmt.Sprintf("%s%d", end, n))
		}
		text := fmt.Sprintf("id=%s n=%d last=%s ends=%s", id, count+1, strings.Join(slices.Collect(last.All()), ","), strings.Join(counts, ","))
		if count+1 == recentAll {
			n.Clear()
			last.Clear()
			ends.Clear()
		}
		c.Emit(weir.KV[string, string]{Key: c.Key(), Value: text})
		return nil
	}, n, last, ends)
	weir.To(out, "out", weir.KeyedTopic("recent-out", weir.String{}, weir.String{}))
	return j
}
