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
	j := c.node.job
	switch c.req.Kind {
	case "EndTxn":
		id := protocol.TransactionalID(c.req.Object)
		if w.services.Committed == nil {
			return
		}
		now := w.services.Committed(id)
		w.rareCommit(c, committed, now)
		if now && !committed {
			w.checkFencing(j, id)
		}
	case "OpenSlot", "Fence":
		j.watchIDs(c.req.Object, c.req.Kind == "Fence")
	case "Store":
		if j.clients.Object != nil && j.spec.Manifests.Head != nil && protocol.ObjectKey(c.req.Object) == j.spec.Manifests.HeadKey {
			w.checkHead(c, j)
		} else if strings.HasPrefix(c.req.Object, "manifest/") {
			j.prepared = true
		}
	case "Delete":
		if _, ok := slices.BinarySearch(j.listed, protocol.ObjectKey(c.req.Object)); ok {
			w.breach(CheckDeletes, fmt.Sprintf("object %s was deleted and a manifest that HEAD retains lists it", c.req.Object))
		}
	}
}

// checkFencing checks that no transaction of an attempt commits once a later attempt of its job has recovered.
func (w *World) checkFencing(j *tenant, id protocol.TransactionalID) {
	if scope, ok := scopeOf(id); ok && scope.Older(j.scope) {
		w.breach(CheckFencing, fmt.Sprintf("transaction %s committed after attempt %v had recovered", id, j.scope))
	}
}

// scopeOf reads epoch and attempt out of job/sink/task/epoch.attempt/slot.
func scopeOf(id protocol.TransactionalID) (protocol.Scope, bool) {
	parts := strings.Split(string(id), "/")
	if len(parts) != 5 {
		return protocol.Scope{}, false
	}
	return attemptOf(parts[3])
}

// attemptOf reads epoch.attempt.
func attemptOf(text string) (protocol.Scope, bool) {
	epoch, number, _ := strings.Cut(text, ".")
	e, err1 := strconv.ParseUint(epoch, 10, 64)
	a, err2 := strconv.ParseUint(number, 10, 64)
	return protocol.Scope{Epoch: protocol.Epoch(e), Attempt: protocol.Attempt(a)}, err1 == nil && err2 == nil
}

// checkHead checks, after HEAD was written, that each manifest it retains is there with all its objects.
func (w *World) checkHead(c *call, j *tenant) {
	head, ok := j.clients.Object(j.spec.Manifests.HeadKey)
	w.rareHead(c, head)
	if !ok {
		return
	}
	manifests, ok := j.spec.Manifests.Head(head)
	if !ok {
		w.breach(CheckManifests, "HEAD was written and does not decode")
		return
	}
	j.listed = j.listed[:0]
	known := j.decoded
	j.decoded = nil
	for _, key := range manifests {
		j.listed = append(j.listed, key)
		w.checkManifest(j, key, known)
	}
	slices.Sort(j.listed)
}

func (w *World) checkManifest(j *tenant, key protocol.ObjectKey, known []manifest) {
	body, there := j.clients.Object(key)
	m, ok := j.manifest(key, body, known)
	if !there || !ok {
		w.breach(CheckManifests, fmt.Sprintf("HEAD retains manifest %s, which is not there or does not decode", key))
		return
	}
	j.decoded = append(j.decoded, m)
	j.listed = append(j.listed, m.objects...)
	for _, object := range m.objects {
		if _, there := j.clients.Object(object); !there {
			w.breach(CheckManifests, fmt.Sprintf("manifest %s refers to %s, which is not in the bucket", key, object))
		}
	}
}

// manifest decodes a body, unless it is that of one known.
func (j *tenant) manifest(key protocol.ObjectKey, body []byte, known []manifest) (manifest, bool) {
	for _, m := range known {
		if m.key == key && len(body) > 0 && len(m.body) == len(body) && &m.body[0] == &body[0] {
			return m, true
		}
	}
	objects, ok := j.spec.Manifests.Objects(body)
	return manifest{key, body, objects}, ok
}
