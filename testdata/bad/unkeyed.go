package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	weir.Aggregate(lines, "x", weir.Count[string]()) // want weir.Stream[string] weir.Keyed[K,~T]
}
