package sim

import (
	"slices"
	"strconv"
	"strings"

	"weir/protocol"
)

// What Kafka cannot defend a job from, with Config.Undefended: its prepared transactions are taken away. The job must say so.

// byHand lets an operator abort, once in a run, a transaction that was prepared a moment ago.
func (w *World) byHand(id protocol.TransactionalID) {
	if !w.cfg.Undefended || w.robs || !w.faults.On() || !w.fate.Chance(1, 12) {
		return
	}
	w.robs, w.disturbed = true, true
	w.After(protocol.Duration(w.fate.Spread(0, int64(50*protocol.Millisecond))), func() {
		if w.services.Abort != nil && w.services.Abort(id) {
			w.rob(string(id))
		}
	})
}

// rob notes that a transactional id in use was taken over from outside.
func (w *World) rob(id string) { w.stolen = append(w.stolen, strconv.Quote(id)) }

// robbed reports whether a job that says LOST names a transaction that was taken away.
func (w *World) robbed(v protocol.Verdict) bool {
	return slices.ContainsFunc(w.stolen, func(id string) bool { return strings.Contains(v.Text, id) })
}
