package protocoltest

import (
	"crypto/sha256"
	"fmt"

	"weir/protocol"
)

// Bucket is objects with versions, in memory.
type Bucket struct {
	// Invariant: Keys are those of objects, in the order of their first writing.
	Keys    []protocol.ObjectKey
	objects map[protocol.ObjectKey]object
	writes  int
}

type object struct {
	version protocol.Version
	body    []byte
}

// NewBucket is an empty one.
func NewBucket() *Bucket { return &Bucket{objects: make(map[protocol.ObjectKey]object)} }

// Body is an object's, or nil.
func (b *Bucket) Body(key protocol.ObjectKey) []byte { return b.objects[key].body }

// Put writes an object, whatever is there.
func (b *Bucket) Put(key protocol.ObjectKey, body []byte) protocol.Version {
	if _, ok := b.objects[key]; !ok {
		b.Keys = append(b.Keys, key)
	}
	b.writes++
	v := protocol.Version(fmt.Sprintf("v%d", b.writes))
	b.objects[key] = object{v, body}
	return v
}

// Remove removes an object.
func (b *Bucket) Remove(key protocol.ObjectKey) {
	delete(b.objects, key)
	for i := range b.Keys {
		if b.Keys[i] == key {
			b.Keys = append(b.Keys[:i], b.Keys[i+1:]...)
			return
		}
	}
}

// Perform answers Store, Load and Delete. If the effect is not to take place, the answer is as if it had.
func (b *Bucket) Perform(ef protocol.Effect, takesPlace bool) protocol.Event {
	switch ef := ef.(type) {
	case protocol.Store:
		return b.store(ef, takesPlace)
	case protocol.Load:
		o, ok := b.objects[ef.Key]
		if !ok {
			return protocol.Loaded{Op: ef.Op, Outcome: protocol.NotFound}
		}
		return protocol.Loaded{Op: ef.Op, Outcome: protocol.OK, Version: o.version, Body: append([]byte(nil), o.body...)}
	case protocol.Delete:
		if takesPlace {
			b.Remove(ef.Key)
		}
		return protocol.Deleted{Op: ef.Op, Outcome: protocol.OK}
	}
	panic(fmt.Sprintf("protocoltest: %T is not for the bucket", ef))
}

func (b *Bucket) store(ef protocol.Store, takesPlace bool) protocol.Event {
	body := ef.Object.Encode(nil)
	ev := protocol.Stored{Op: ef.Op, Outcome: protocol.OK, Size: int64(len(body)), Sum: sha256.Sum256(body)}
	if b.objects[ef.Key].version != ef.IfMatch {
		ev.Outcome = protocol.Conflict
		return ev
	}
	if takesPlace {
		ev.Version = b.Put(ef.Key, body)
	}
	return ev
}
