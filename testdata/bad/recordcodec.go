package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	weir.KeyBy(lines, func(s string) string { return s }, weir.String{}, weir.Int64{}) // want weir.Codec[string] weir.Int64
}
