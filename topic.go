package weir

// Source describes where a stream begins. It holds no connection: reading, positions and transactions are the engine's.
type Source[T any] struct {
	topic   string
	bounded bool
	codec   Codec[T]
}

// Topic is a source that reads the values of a topic, for ever and read_committed. A record that the codec cannot decode
// fails the job.
func Topic[T any](name string, c Codec[T]) Source[T] { return Source[T]{topic: name, codec: c} }

// BoundedTopic is Topic up to the stable end that each partition has when the job first starts. A job whose sources are
// all bounded finishes with a last checkpoint.
func BoundedTopic[T any](name string, c Codec[T]) Source[T] {
	return Source[T]{topic: name, bounded: true, codec: c}
}

// Sink describes where a stream ends: a topic, written in transactions.
type Sink[T any] struct {
	topic      string
	key, value func(dst []byte, v T) ([]byte, error)
}

// SinkTopic is a sink whose records' keys and values are appended by functions, such as the Append of a Codec. The hash
// of the key chooses the partition.
func SinkTopic[T any](name string, key, value func(dst []byte, v T) ([]byte, error)) Sink[T] {
	return Sink[T]{topic: name, key: key, value: value}
}

// KeyedTopic is a sink for what Aggregate returns.
func KeyedTopic[K comparable, V any](name string, kc Codec[K], vc Codec[V]) Sink[KV[K, V]] {
	s := Sink[KV[K, V]]{topic: name}
	if kc != nil {
		s.key = func(dst []byte, v KV[K, V]) ([]byte, error) { return kc.Append(dst, v.Key) }
	}
	if vc != nil {
		s.value = func(dst []byte, v KV[K, V]) ([]byte, error) { return vc.Append(dst, v.Value) }
	}
	return s
}

// KV is a value with its key.
type KV[K comparable, V any] struct {
	Key   K
	Value V
}
