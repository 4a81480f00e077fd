package sim

import "weir/protocol"

// kill takes a node's process away in silence: its connections break, and neither end hears of it.
func (w *World) kill(id protocol.NodeID) {
	n := w.node(id)
	w.disturbed = true
	if n.proc == nil {
		return
	}
	for _, m := range n.proc.machines {
		silence(w, m.ins)
		silence(w, m.outs)
	}
	w.bury(n)
}

func silence(w *World, conns []*conn) {
	for _, c := range conns {
		if !c.broken {
			w.cutConn(c)
		}
	}
}
