package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	weir.To(counts, "x", weir.KeyedTopic("x", weir.String{}, weir.String{})) // want weir.Sink[weir.KV[string,~string]] weir.Sink[weir.KV[string,~int64]]
}
