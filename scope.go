package weir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// part is what all handles have: their place in the value of a key, and the bytes in it.
type part struct {
	name  string
	coded bool   // it has its codecs
	in    *scope // nil until it is declared
	// Invariant: bytes are this handle's content for the key in work; what they point to is not written to before the next
	// record, because what codecs decoded may alias it.
	bytes []byte
	// Invariant: with split, items is the content of a map, sorted by key, and bytes is not.
	items []item
	split bool
	tail  []byte // of a list: what follows bytes
}

// item is an entry of a map.
type item struct{ key, value []byte }

// scope is the state of one key: the parts of all handles.
type scope struct {
	c      *chain
	parts  []*part
	key    []byte // in work
	open   bool   // while the function runs
	loaded bool   // the key's value has been read
	found  bool   // … and there was one
	dirty  bool   // it must be written
	// Invariant: old is a copy of what state holds, rest the parts in it that no handle is declared for: they stay.
	old, rest, out []byte
	// fresh takes what is encoded during a record. It only grows meanwhile.
	fresh []byte
}

func (s *scope) find(name []byte) *part {
	for _, p := range s.parts {
		if p.name == string(name) {
			return p
		}
	}
	return nil
}

// enter opens the state of a key.
func (s *scope) enter(key []byte) {
	s.key, s.open, s.loaded, s.dirty, s.fresh = key, true, false, false, s.fresh[:0]
}

// leave writes what the record has changed.
func (s *scope) leave() {
	s.open = false
	if !s.dirty {
		return
	}
	out := append(s.out[:0], s.rest...)
	for _, p := range s.parts {
		if p.join(); p.bytes != nil {
			out = appendBytes(appendBytes(out, []byte(p.name)), p.bytes)
		}
	}
	s.out = out
	switch {
	case len(out) > 0:
		s.c.state.Put(s.key, out)
	case s.found:
		s.c.state.Delete(s.key)
	}
	s.sound()
}

// sound fails the record when what state answers cannot be trusted; the task says why.
func (s *scope) sound() { s.c.fail("keyed state", s.c.state.Err()) }

// use is how handles get at their bytes.
func (p *part) use() *part {
	if p.in == nil || !p.in.open {
		raise("", fmt.Errorf("the state handle %q is used outside of the function of the Process that it is declared to", p.name))
	}
	if !p.in.loaded {
		p.in.load()
	}
	return p
}

// load reads the key's value apart.
func (s *scope) load() {
	value, found := s.c.state.Get(s.key)
	s.sound()
	s.old, s.found, s.loaded, s.rest = append(s.old[:0], value...), found, true, s.rest[:0]
	for _, p := range s.parts {
		p.bytes, p.items, p.split, p.tail = nil, p.items[:0], false, p.tail[:0]
	}
	for at := s.old; len(at) > 0; {
		name, rest, err := cutBytes(at)
		s.c.fail("decode state", err)
		content, rest, err := cutBytes(rest)
		s.c.fail("decode state", err)
		if p := s.find(name); p != nil {
			p.bytes = content
		} else {
			s.rest = append(s.rest, at[:len(at)-len(rest)]...)
		}
		at = rest
	}
}

// set replaces the content; nil: there is none.
func (p *part) set(b []byte) {
	p.bytes, p.split, p.tail, p.in.dirty = b, false, p.tail[len(p.tail):], true
}

// encode is v by its codec, in memory that stays as it is until the next record.
func encode[T any](p *part, c Codec[T], v T) []byte {
	s := p.in
	from := len(s.fresh)
	b, err := c.Append(s.fresh, v)
	if err != nil {
		raise("encode state "+p.name, err)
	}
	if b == nil {
		b = []byte{} // empty is not absent
	}
	s.fresh = b
	return b[from:len(b):len(b)]
}

func decode[T any](p *part, c Codec[T], b []byte) T {
	v, err := c.Decode(b)
	if err != nil {
		raise("decode state "+p.name, err)
	}
	return v
}

// apart makes items of the content of a map.
func (p *part) apart() {
	if p.split {
		return
	}
	p.items, p.split = p.items[:0], true
	for at := p.bytes; len(at) > 0; {
		var i item
		var err error
		i.key, at, err = cutBytes(at)
		p.in.c.fail("decode state", err)
		i.value, at, err = cutBytes(at)
		p.in.c.fail("decode state", err)
		p.items = append(p.items, i)
	}
}

// join makes bytes of items, or of bytes and tail.
func (p *part) join() {
	s := p.in
	from := len(s.fresh)
	switch {
	case p.split:
		for _, i := range p.items {
			s.fresh = appendBytes(appendBytes(s.fresh, i.key), i.value)
		}
	case len(p.tail) > 0:
		s.fresh = append(append(s.fresh, p.bytes...), p.tail...)
		p.tail = p.tail[len(p.tail):] // elements that were decoded may alias what it was
	default:
		return
	}
	if p.bytes = s.fresh[from:]; len(p.bytes) == 0 {
		p.bytes = nil
	}
}

// search is where key is among the items, or would be.
func (p *part) search(key []byte) (int, bool) {
	p.apart()
	return slices.BinarySearchFunc(p.items, key, func(i item, k []byte) int { return bytes.Compare(i.key, k) })
}

func (p *part) put(key, value []byte) {
	i, found := p.search(key)
	if found {
		p.items[i].value = value
	} else {
		p.items = slices.Insert(p.items, i, item{key, value})
	}
	p.in.dirty = true
}

func (p *part) remove(key []byte) {
	if i, found := p.search(key); found {
		p.items = slices.Delete(p.items, i, i+1)
		p.in.dirty = true
	}
}

// first cuts the first element off a list.
func (p *part) first(list []byte) (b, rest []byte) {
	b, rest, err := cutBytes(list)
	p.in.c.fail("decode state "+p.name, err)
	return b, rest
}

// appendBytes appends b with its length.
func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// cutBytes is the inverse of appendBytes.
func cutBytes(from []byte) (b, rest []byte, err error) {
	n, size := binary.Uvarint(from)
	if size <= 0 || n > uint64(len(from)-size) {
		return nil, nil, errors.New("it is cut off, or was written by another operator")
	}
	end := size + int(n)
	return from[size:end:end], from[end:], nil
}
