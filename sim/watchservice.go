package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/protocol"
)

// watchRequest looks at a service before a request is applied: it reports whether the request's transactional id was committed.
func (w *World) watchRequest(c *call) (committed bool) {
	if c.req.Kind != "EndTxn" || w.services.Committed == nil {
		return false
	}
	return w.services.Committed(protocol.TransactionalID(c.req.Object))
}

// watchApplied looks at a service after a request was applied.
func (w *World) watchApplied(c *call, committed bool) {
	switch c.req.Kind {
	case "EndTxn":
		id := protocol.TransactionalID(c.req.Object)
		if w.services.Committed != nil && !committed && w.services.Committed(id) {
			w.checkFencing(id)
		}
	case "Store":
		if w.services.Object != nil && w.cfg.Manifests.Head != nil && protocol.ObjectKey(c.req.Object) == w.cfg.Manifests.HeadKey {
			w.checkHead()
		}
	case "Delete":
		if _, ok := slices.BinarySearch(w.watch.listed, protocol.ObjectKey(c.req.Object)); ok {
			w.breach(CheckDeletes, fmt.Sprintf("object %s was deleted and a manifest that HEAD retains lists it", c.req.Object))
		}
	}
}

// checkFencing checks that no transaction of an attempt commits once a later attempt has recovered.
func (w *World) checkFencing(id protocol.TransactionalID) {
	if scope, ok := scopeOf(id); ok && scope.Older(w.watch.scope) {
		w.breach(CheckFencing, fmt.Sprintf("transaction %s committed after attempt %v had recovered", id, w.watch.scope))
	}
}

// scopeOf reads epoch and attempt out of job/sink/task/epoch.attempt/slot.
func scopeOf(id protocol.TransactionalID) (protocol.Scope, bool) {
	parts := strings.Split(string(id), "/")
	if len(parts) != 5 {
		return protocol.Scope{}, false
	}
	epoch, number, _ := strings.Cut(parts[3], ".")
	e, err1 := strconv.ParseUint(epoch, 10, 64)
	a, err2 := strconv.ParseUint(number, 10, 64)
	return protocol.Scope{Epoch: protocol.Epoch(e), Attempt: protocol.Attempt(a)}, err1 == nil && err2 == nil
}

// checkHead checks, after HEAD was written, that each manifest it retains is there with all its objects.
func (w *World) checkHead() {
	head, ok := w.services.Object(w.cfg.Manifests.HeadKey)
	if !ok {
		return
	}
	manifests, ok := w.cfg.Manifests.Head(head)
	if !ok {
		w.breach(CheckManifests, "HEAD was written and does not decode")
		return
	}
	w.watch.listed = w.watch.listed[:0]
	for _, key := range manifests {
		w.watch.listed = append(w.watch.listed, key)
		w.checkManifest(key)
	}
	slices.Sort(w.watch.listed)
}

func (w *World) checkManifest(key protocol.ObjectKey) {
	body, there := w.services.Object(key)
	objects, ok := w.cfg.Manifests.Objects(body)
	if !there || !ok {
		w.breach(CheckManifests, fmt.Sprintf("HEAD retains manifest %s, which is not there or does not decode", key))
		return
	}
	w.watch.listed = append(w.watch.listed, objects...)
	for _, object := range objects {
		if _, there := w.services.Object(object); !there {
			w.breach(CheckManifests, fmt.Sprintf("manifest %s refers to %s, which is not in the bucket", key, object))
		}
	}
}
