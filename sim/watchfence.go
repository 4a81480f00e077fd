package sim

import (
	"fmt"

	"weir/protocol"
)

// owned is a transactional id that an attempt has opened, or a recovery fenced.
type owned struct {
	id     string
	scope  protocol.Scope
	fenced bool
}

// watchIDs learns which transactional ids were opened and which were fenced.
func (j *tenant) watchIDs(id string, fenced bool) {
	for i := len(j.owned) - 1; i >= 0; i-- {
		if o := &j.owned[i]; o.id == id {
			o.fenced = o.fenced || fenced
			return
		}
	}
	if scope, ok := scopeOf(protocol.TransactionalID(id)); ok {
		j.owned = append(j.owned, owned{id, scope, fenced})
	}
}

// checkFenced checks, when the first task of an attempt starts, that recovery has left out no id that an ended attempt had
// opened. A zombie may open one again: that is found by the list of open transactions.
func (w *World) checkFenced(j *tenant, s protocol.Scope) {
	for _, o := range j.owned {
		if o.scope.Older(s) && !o.fenced {
			w.breach(CheckFencing, fmt.Sprintf("attempt %v starts its tasks, and transactional id %s of an ended one was never fenced", s, o.id))
		}
	}
}
