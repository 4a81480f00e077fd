package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	weir.Filter(lines, "x", func(n int64) bool { return n > 0 }) // want func(n~int64) func(string)
}
