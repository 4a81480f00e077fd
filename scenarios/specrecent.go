package scenarios

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"weir/checker"
)

// remembered expects each, in form recent. The state of a key is all its inputs since it last began anew, a line each.
func remembered(topic string) checker.Spec {
	s := each(nil, topic)
	s.Folds = perKey(topic, "n", checker.OrderMatters, func(state []byte, in *checker.Input) ([]byte, []byte) {
		next := append(append(bytes.Clone(state), in.Value...), '\n')
		ids := strings.Split(strings.TrimSuffix(string(next), "\n"), "\n")
		value := fmt.Appendf(nil, "%d last=%s ends=%s", len(ids), strings.Join(ids[max(0, len(ids)-3):], ","), endings(ids))
		if len(ids) == 5 {
			next = nil
		}
		return next, value
	})
	return s
}

// endings counts ids by their last character, modulo three.
func endings(ids []string) string {
	var counts [256]int
	for _, id := range ids {
		counts[id[len(id)-1]]++
	}
	var out []string
	for c, n := range counts {
		if n%3 > 0 {
			out = append(out, fmt.Sprintf("%c%d", c, n%3))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}
