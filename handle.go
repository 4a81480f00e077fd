package weir

import "iter"

// A Handle is state of the key of the record in work: a [ValueState], a [MapState] or a [ListState]. It is made in the job's
// factory and declared to one [Process], whose function alone may use it: anywhere else it fails the job.
type Handle interface{ part() *part }

// ValueState is one value per key.
type ValueState[T any] struct {
	p     part
	codec Codec[T]
}

// NewValueState is a handle on one value per key. The name, beside the id of its Process, names the state.
func NewValueState[T any](name string, c Codec[T]) *ValueState[T] {
	return &ValueState[T]{part{name: name, coded: c != nil}, c}
}

func (h *ValueState[T]) part() *part { return &h.p }

// Get is the key's value, if it has one. It may alias memory that is valid until the function of Process returns.
func (h *ValueState[T]) Get() (v T, ok bool) {
	p := h.p.use()
	if p.bytes == nil {
		return v, false
	}
	return decode(p, h.codec, p.bytes), true
}

// Set replaces the key's value.
func (h *ValueState[T]) Set(v T) {
	p := h.p.use()
	p.set(encode(p, h.codec, v))
}

// Clear takes the key's value away.
func (h *ValueState[T]) Clear() {
	if p := h.p.use(); p.bytes != nil {
		p.set(nil)
	}
}

// MapState is a map per key. To look at one entry costs what reading all of them does, but for their decoding.
type MapState[K comparable, V any] struct {
	p  part
	kc Codec[K]
	vc Codec[V]
}

// NewMapState is a handle on a map per key; kc must encode equal keys alike.
func NewMapState[K comparable, V any](name string, kc Codec[K], vc Codec[V]) *MapState[K, V] {
	return &MapState[K, V]{part{name: name, coded: kc != nil && vc != nil}, kc, vc}
}

func (h *MapState[K, V]) part() *part { return &h.p }

// Get is an entry's value, if there is one. It may alias memory that is valid until the function of Process returns.
func (h *MapState[K, V]) Get(k K) (v V, ok bool) {
	p := h.p.use()
	i, found := p.search(encode(p, h.kc, k))
	if !found {
		return v, false
	}
	return decode(p, h.vc, p.items[i].value), true
}

// Put sets an entry.
func (h *MapState[K, V]) Put(k K, v V) {
	p := h.p.use()
	p.put(encode(p, h.kc, k), encode(p, h.vc, v))
}

// Delete takes an entry away, if there is one.
func (h *MapState[K, V]) Delete(k K) {
	p := h.p.use()
	p.remove(encode(p, h.kc, k))
}

// Len is the number of entries.
func (h *MapState[K, V]) Len() int {
	p := h.p.use()
	p.apart()
	return len(p.items)
}

// All is the entries in the order of their keys' encodings, which is the same in every run. The map may be changed
// meanwhile: what comes next is the first entry behind the last one.
func (h *MapState[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		p := h.p.use()
		p.apart()
		for i := 0; i < len(p.items); {
			at := p.items[i]
			if !yield(decode(p, h.kc, at.key), decode(p, h.vc, at.value)) {
				return
			}
			found := false
			if i, found = h.p.use().search(at.key); found {
				i++
			}
		}
	}
}

// Clear takes all entries away.
func (h *MapState[K, V]) Clear() {
	if p := h.p.use(); h.Len() > 0 {
		p.set(nil)
	}
}

// ListState is a list per key. To append to it decodes nothing.
type ListState[T any] struct {
	p     part
	codec Codec[T]
}

// NewListState is a handle on a list per key.
func NewListState[T any](name string, c Codec[T]) *ListState[T] {
	return &ListState[T]{part{name: name, coded: c != nil}, c}
}

func (h *ListState[T]) part() *part { return &h.p }

// Append puts v behind the list.
func (h *ListState[T]) Append(v T) {
	p := h.p.use()
	p.tail = appendBytes(p.tail, encode(p, h.codec, v))
	p.in.dirty = true
}

// All is the list from its oldest element on. What is appended meanwhile may be seen or not; nothing may be dropped meanwhile.
func (h *ListState[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		p := h.p.use()
		p.join()
		for at := p.bytes; len(at) > 0; {
			var b []byte
			b, at = p.first(at)
			if !yield(decode(p, h.codec, b)) {
				return
			}
		}
	}
}

// Len is the number of elements. It counts them.
func (h *ListState[T]) Len() (n int) {
	p := h.p.use()
	p.join()
	for at := p.bytes; len(at) > 0; n++ {
		_, at = p.first(at)
	}
	return n
}

// Drop takes the n oldest elements away, or all if there are fewer.
func (h *ListState[T]) Drop(n int) {
	p := h.p.use()
	p.join()
	at := p.bytes
	for ; n > 0 && len(at) > 0; n-- {
		_, at = p.first(at)
	}
	if len(at) == 0 {
		at = nil
	}
	if len(at) < len(p.bytes) {
		p.set(at)
	}
}

// Clear takes all elements away.
func (h *ListState[T]) Clear() {
	if p := h.p.use(); len(p.bytes)+len(p.tail) > 0 {
		p.set(nil)
	}
}
