package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	weir.Aggregate(byWord, "x", weir.Count[int64]()) // want weir.Agg[int64, weir.Agg[string,
}
