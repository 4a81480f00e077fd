package bucket

import (
	"crypto/sha256"
	"slices"
	"strings"

	"weir/protocol"
)

// A Bucket holds objects as S3 does: each request takes effect at one instant, reads see every write before them, and a
// write is conditional on the present version. It keeps no history.
type Bucket struct {
	objects map[protocol.ObjectKey]*Object
	// Invariant: the keys of objects, sorted.
	keys []protocol.ObjectKey
}

// An Object is what the bucket holds under one key.
type Object struct {
	Body    []byte // never changes; not to be written to
	Version protocol.Version
	Sum     protocol.Sum

	changed  protocol.Time    // when it was written
	previous protocol.Version // of the object that it replaced; empty: none
}

// seen is the version that a reader gets who asked at an instant: that of the object before, perhaps, if it was replaced
// while the request was on its way. versitygw looks the version up first and opens the body then; the body is never the
// older of the two. Half of the objects behave so.
func (o *Object) seen(asked protocol.Time) protocol.Version {
	if o.previous != "" && o.changed > asked && o.Sum[0]&1 == 0 {
		return o.previous
	}
	return o.Version
}

// New makes an empty bucket.
func New() *Bucket { return &Bucket{objects: make(map[protocol.ObjectKey]*Object)} }

// Store writes body, which the bucket keeps, if the present version is ifMatch (empty: if there is no object).
// It returns OK and the new version, or Conflict.
func (b *Bucket) Store(key protocol.ObjectKey, body []byte, ifMatch protocol.Version) (protocol.Version, protocol.Outcome) {
	return b.store(key, body, sha256.Sum256(body), ifMatch, 0)
}

func (b *Bucket) store(key protocol.ObjectKey, body []byte, sum protocol.Sum, ifMatch protocol.Version, now protocol.Time) (protocol.Version, protocol.Outcome) {
	old := b.objects[key]
	switch {
	case old == nil && ifMatch != "", old != nil && old.Version != ifMatch:
		return "", protocol.Conflict
	case old == nil:
		protocol.Assert(!b.folder(key), "sim/bucket: a key is a folder of another one, which servers that keep files refuse")
		at, _ := slices.BinarySearch(b.keys, key)
		b.keys = slices.Insert(b.keys, at, key)
	}
	o := &Object{Body: body, Version: versionOf(sum), Sum: sum, changed: now}
	if old != nil {
		o.previous = old.Version
	}
	b.objects[key] = o
	return o.Version, protocol.OK
}

// folder reports whether key is a folder of a key that is there, or lies below one.
func (b *Bucket) folder(key protocol.ObjectKey) bool {
	for i := range len(key) {
		if key[i] == '/' && b.objects[key[:i]] != nil {
			return true
		}
	}
	at, _ := slices.BinarySearch(b.keys, key+"/")
	return at < len(b.keys) && strings.HasPrefix(string(b.keys[at]), string(key)+"/")
}

// versionOf is the ETag of a body. As in S3 it depends on the bytes alone, so that equal bodies have equal versions and
// a writer that trusts versions falls for A-B-A.
func versionOf(sum protocol.Sum) protocol.Version {
	return protocol.Version(sum.String())
}

// Load returns the object under key and OK, or NotFound. The body is not to be written to.
func (b *Bucket) Load(key protocol.ObjectKey) (Object, protocol.Outcome) {
	if o := b.objects[key]; o != nil {
		return *o, protocol.OK
	}
	return Object{}, protocol.NotFound
}

// Delete removes the object under key, if there is one.
func (b *Bucket) Delete(key protocol.ObjectKey) {
	if _, ok := b.objects[key]; !ok {
		return
	}
	delete(b.objects, key)
	at, _ := slices.BinarySearch(b.keys, key)
	b.keys = slices.Delete(b.keys, at, at+1)
}

// Keys lists the keys present, sorted; the list is the caller's.
func (b *Bucket) Keys() []protocol.ObjectKey { return slices.Clone(b.keys) }

// Get is the body under key for an observer, outside any request. The body is not to be written to.
func (b *Bucket) Get(key protocol.ObjectKey) (body []byte, ok bool) {
	o := b.objects[key]
	if o == nil {
		return nil, false
	}
	return o.Body, true
}

// Len is the number of objects.
func (b *Bucket) Len() int { return len(b.keys) }
