package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	weir.To(counts, "x", weir.SinkTopic("x", weir.String{}.Append, weir.String{}.Append)) // want weir.Sink[string] weir.Sink[weir.KV[string,~int64]]
}
