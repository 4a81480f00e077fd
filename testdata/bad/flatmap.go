package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	weir.FlatMap(lines, "x", func(v int64, emit func(string)) { emit("") }) // want func(v~int64 func(v~string
}
