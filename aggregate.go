package weir

import (
	"weir/protocol/batch"
	"weir/protocol/state"
)

// Agg folds the records of a key, T, into an accumulator, A, which is kept in state, and tells the result, R, after each.
type Agg[T, A, R any] struct {
	// Init makes the accumulator of a key not seen before; nil: the zero value.
	Init func() A
	// Add changes the accumulator by one record. It may keep parts of both until Out has returned.
	Add func(acc *A, v T)
	// Out is what is passed on after Add. It sees the accumulator as Add left it, also what Codec does not encode.
	Out func(A) R
	// Codec encodes the accumulator in state. To change it loses state, unless the new one reads what the old one wrote.
	Codec Codec[A]
}

// Count is how many records a key has had.
func Count[T any]() Agg[T, int64, int64] { return Sum(func(T) int64 { return 1 }) }

// Sum is the sum of f over the records of a key.
func Sum[T any](f func(T) int64) Agg[T, int64, int64] {
	a := Agg[T, int64, int64]{Out: func(sum int64) int64 { return sum }, Codec: Int64{}}
	if f != nil {
		a.Add = func(sum *int64, v T) { *sum += f(v) }
	}
	return a
}

// Aggregate passes on, for each record, what a has made of its key's records so far; id names the state.
func Aggregate[K comparable, T, A, R any](k Keyed[K, T], id string, a Agg[T, A, R]) Stream[KV[K, R]] {
	n := Stream[T]{k.n}.then("Aggregate", id)
	n.keyed = true
	n.must(a.Add != nil, "Add")
	n.must(a.Out != nil, "Out")
	n.must(a.Codec != nil, "Codec")
	n.root = aggregateCode(n, k, a)
	return Stream[KV[K, R]]{n}
}

// aggregateCode begins a stage: the key's bytes are the state's key as they are.
func aggregateCode[K comparable, T, A, R any](n *node, k Keyed[K, T], a Agg[T, A, R]) func(*chain) func(*batch.Batch) {
	return func(c *chain) func(*batch.Batch) {
		down := join[KV[K, R]](c, n)
		f := &fold[K, T, A, R]{Agg: a, c: c, acc: new(A)}
		return func(in *batch.Batch) {
			for i := range in.Len() {
				c.begin(n.index, i, in)
				key, err := k.kc.Decode(in.Key(i))
				c.fail("decode key", err)
				v, err := k.vc.Decode(in.Value(i))
				c.fail("decode record", err)
				down(KV[K, R]{key, f.add(c.state, in.Key(i), v)})
			}
		}
	}
}

// fold is an Agg at work on one task's state.
type fold[K comparable, T, A, R any] struct {
	Agg[T, A, R]
	c *chain
	// Invariant: acc and old are of the record in work; they are here so that no record allocates them. old is a copy of
	// the state's bytes, so that an accumulator may alias and change them without touching what the state has frozen.
	acc      *A
	old, new []byte
}

func (f *fold[K, T, A, R]) add(st state.Keyed, key []byte, v T) R {
	f.load(st.Get(key))
	f.Add(f.acc, v)
	r := f.Out(*f.acc)
	var err error
	f.new, err = f.Codec.Append(f.new[:0], *f.acc)
	f.c.fail("encode accumulator", err)
	st.Put(key, f.new)
	return r
}

// load makes acc what the state holds.
func (f *fold[K, T, A, R]) load(value []byte, ok bool) {
	switch {
	case ok:
		f.old = append(f.old[:0], value...)
		acc, err := f.Codec.Decode(f.old)
		f.c.fail("decode accumulator", err)
		*f.acc = acc
	case f.Init != nil:
		*f.acc = f.Init()
	default:
		*f.acc = *new(A)
	}
}
