package weir

// Stream is records of type T on their way through a job.
type Stream[T any] struct{ n *node }

// node is the stream's node. There is no job to tell a mistake to when there is no node.
func (s Stream[T]) node() *node {
	if s.n == nil {
		panic("weir: a zero Stream was used: streams begin with From")
	}
	return s.n
}

func (s Stream[T]) then(verb, id string) *node { return s.node().job.add(verb, id, s.n) }

// From begins a stream at a source; id names the positions in checkpoints.
func From[T any](j *Job, id string, src Source[T]) Stream[T] {
	n := j.add("From", id)
	n.topic, n.bounded = src.topic, src.bounded
	n.must(src.topic != "", "the name of the topic")
	n.must(src.codec != nil, "the codec")
	n.root = sourceCode(n, src)
	return Stream[T]{n}
}

// Filter passes on the records that keep is true for.
func Filter[T any](s Stream[T], id string, keep func(T) bool) Stream[T] {
	n := s.then("Filter", id)
	n.must(keep != nil, "the function")
	n.enter = func(c *chain) any {
		down, at := join[T](c, n), n.index
		return func(v T) {
			c.at = at
			if keep(v) {
				down(v)
			}
		}
	}
	return Stream[T]{n}
}

// Map passes on f of each record.
func Map[T, U any](s Stream[T], id string, f func(T) U) Stream[U] {
	n := s.then("Map", id)
	n.must(f != nil, "the function")
	n.enter = func(c *chain) any {
		down, at := join[U](c, n), n.index
		return func(v T) {
			c.at = at
			down(f(v))
		}
	}
	return Stream[U]{n}
}

// MapErr is Map with a function whose errors fail the job.
func MapErr[T, U any](s Stream[T], id string, f func(T) (U, error)) Stream[U] {
	n := s.then("MapErr", id)
	n.must(f != nil, "the function")
	n.enter = func(c *chain) any {
		down, at := join[U](c, n), n.index
		return func(v T) {
			c.at = at
			u, err := f(v)
			c.fail("", err)
			down(u)
		}
	}
	return Stream[U]{n}
}

// FlatMap passes on what f emits for each record: nothing, one, or several. emit is f's only until f returns.
func FlatMap[T, U any](s Stream[T], id string, f func(v T, emit func(U))) Stream[U] {
	n := s.then("FlatMap", id)
	n.must(f != nil, "the function")
	n.enter = func(c *chain) any {
		down, at := join[U](c, n), n.index
		emit := func(u U) {
			down(u)
			c.at = at
		}
		return func(v T) {
			c.at = at
			f(v, emit)
		}
	}
	return Stream[U]{n}
}

// Union is one stream of the records of several. Each input's records stay in order; between them there is none.
func Union[T any](first, second Stream[T], more ...Stream[T]) Stream[T] {
	in := []*node{first.node(), second.node()}
	for _, s := range more {
		in = append(in, s.node())
	}
	n := first.n.job.add("Union", "", in...)
	n.enter = func(c *chain) any { return join[T](c, n) }
	return Stream[T]{n}
}

// Keyed is a stream whose records have keys; records of one key meet in one task.
type Keyed[K comparable, T any] struct {
	n  *node
	kc Codec[K]
	vc Codec[T]
}

// KeyBy gives each record a key; kc and vc encode key and record on their way to the task that owns the key, and key
// bytes are state keys, so that changing kc loses state. KeyBy has no id: its failures bear that of the first operator that uses it.
func KeyBy[K comparable, T any](s Stream[T], key func(T) K, kc Codec[K], vc Codec[T]) Keyed[K, T] {
	n := s.then("KeyBy", "")
	n.must(key != nil, "the key function")
	n.must(kc != nil, "the codec of keys")
	n.must(vc != nil, "the codec of records")
	n.enter = func(c *chain) any {
		edges, at := c.edges(n.users...), n.users[0].index
		return func(v T) {
			c.at = at
			var err error
			c.key, err = kc.Append(c.key[:0], key(v))
			c.fail("encode key", err)
			c.value, err = vc.Append(c.value[:0], v)
			c.fail("encode record", err)
			c.emit(edges)
		}
	}
	return Keyed[K, T]{n, kc, vc}
}

// To ends a stream at a sink; id names the transactional ids. A job needs at least one.
func To[T any](s Stream[T], id string, sink Sink[T]) {
	n := s.then("To", id)
	n.topic = sink.topic
	n.must(sink.topic != "", "the name of the topic")
	n.must(sink.key != nil, "what encodes the key")
	n.must(sink.value != nil, "what encodes the value")
	n.enter = func(c *chain) any {
		edges, at := c.edges(n), n.index
		return func(v T) {
			c.at = at
			var err error
			c.key, err = sink.key(c.key[:0], v)
			c.fail("encode key", err)
			c.value, err = sink.value(c.value[:0], v)
			c.fail("encode value", err)
			c.emit(edges)
		}
	}
}
