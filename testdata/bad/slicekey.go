package bad

import "weir"

func _(j *weir.Job, lines weir.Stream[string], counts weir.Stream[weir.KV[string, int64]], byWord weir.Keyed[string, string]) {
	weir.KeyBy(lines, func(s string) []byte { return nil }, weir.Bytes{}, weir.String{}) // want []byte comparable
}
