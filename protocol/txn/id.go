package txn

import (
	"fmt"
	"strconv"
	"strings"

	"weir/protocol"
)

// SlotName is a transactional id taken apart. A woken zombie can be the last to call InitProducerID, so that fencing
// alone does not protect an id that two lives share: every life of the job has its own.
type SlotName struct {
	Job, Sink string
	Index     int // of the sink task
	Epoch     protocol.Epoch
	Attempt   protocol.Attempt
	Slot      int
}

// ID is job/sink/index/epoch.attempt/slot.
func (n SlotName) ID() protocol.TransactionalID {
	return protocol.TransactionalID(fmt.Sprintf("%s/%s/%d/%d.%d/%d", n.Job, n.Sink, n.Index, n.Epoch, n.Attempt, n.Slot))
}

// ProbeID is an id of a job that no task has, because epochs begin at 1: for asking what is allowed.
func ProbeID(job string) string { return string(SlotName{Job: job, Sink: "probe"}.ID()) }

// Prefix begins every transactional id of a job.
func Prefix(job string) string { return job + "/" }

// ParseID takes an id apart; false: it is not one of ours.
func ParseID(id protocol.TransactionalID) (n SlotName, ok bool) {
	f := strings.Split(string(id), "/")
	if len(f) != 5 {
		return n, false
	}
	epoch, attempt, ok := strings.Cut(f[3], ".")
	e, err1 := strconv.ParseUint(epoch, 10, 64)
	a, err2 := strconv.ParseUint(attempt, 10, 64)
	index, err3 := strconv.Atoi(f[2])
	slot, err4 := strconv.Atoi(f[4])
	if !ok || err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return n, false
	}
	n = SlotName{Job: f[0], Sink: f[1], Index: index, Epoch: protocol.Epoch(e), Attempt: protocol.Attempt(a), Slot: slot}
	return n, n.ID() == id
}
