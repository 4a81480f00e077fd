package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	var _ weir.Stream[int64] = weir.Map(lines, "x", func(s string) string { return s }) // want weir.Stream[int64] weir.Stream[string]
}
