package sim

import (
	"weir/faults"
	"weir/protocol"
	"weir/sim/disk"
)

// DiskDelay implements disk.World: what a read or a write of a local file takes.
func (w *World) DiskDelay() protocol.Duration {
	return protocol.Duration(w.schedule.Spread(int64(20*protocol.Microsecond), int64(10*protocol.Millisecond)))
}

// DiskWrite implements disk.World.
func (w *World) DiskWrite(node protocol.NodeID, shelf string) *disk.Harm {
	w.book.asks(w, w.node(node), "Keep", shelf)
	for _, k := range [...]faults.Kind{faults.DiskFull, faults.DiskRot} {
		if h := w.diskHarm(k); h != nil {
			return h
		}
	}
	return nil
}

// DiskDeath implements disk.World.
func (w *World) DiskDeath(node protocol.NodeID) (lost, torn *disk.Harm) {
	w.book.asks(w, w.node(node), "Death", "")
	return w.diskHarm(faults.DiskLost), w.diskHarm(faults.DiskTorn)
}

func (w *World) diskHarm(k faults.Kind) *disk.Harm {
	if s, ok := w.fires(k, faults.Usual()); ok {
		return &disk.Harm{Kind: k, Draws: s}
	}
	return nil
}

// DiskRead implements disk.World.
func (w *World) DiskRead(node protocol.NodeID, shelf string) (late protocol.Duration, broken bool) {
	n := w.node(node)
	w.book.asks(w, n, "Recall", shelf)
	if s, ok := w.strikes(faults.DiskSlow, faults.Usual()); ok {
		late = w.book.delay(protocol.Duration(s.Spread(int64(10*protocol.Millisecond), int64(n.job.cfg.IOTimeout))))
	}
	_, broken = w.fires(faults.DiskError, faults.Usual())
	return late, broken
}

// DiskStruck implements disk.World.
func (w *World) DiskStruck(node protocol.NodeID, k faults.Kind) {
	w.job = w.node(node).job
	w.count(k)
}
