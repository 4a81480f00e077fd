package bad

import "weir"

func _(k weir.Keyed[string, int]) {
	weir.Process(k, "p", func(c *weir.Context[string, int], v string) error { return nil }) // want int) string)
}
