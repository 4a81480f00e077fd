package sim

import (
	"cmp"
	"slices"

	"weir/protocol"
)

// tenant is one job of the run: its processes, its channels, and what the world has seen of it.
type tenant struct {
	watch
	index    int
	names    map[protocol.Address]string
	spec     *JobSpec
	cfg      *protocol.Config
	clients  Clients
	nodes    []*node // by id
	channels []Channel
	conns    [][]*conn // by channel: those of the newest attempts, oldest first
	closed   bool      // a coordinator has ended as the run expects: no other is started any more
	verdict  protocol.Verdict
}

// populate makes the jobs and their nodes.
func (w *World) populate() {
	for i := range w.cfg.Jobs {
		spec := &w.cfg.Jobs[i]
		j := &tenant{watch: newWatch(), index: i, names: make(map[protocol.Address]string), spec: spec, cfg: &spec.Protocol, channels: spec.NewJob().Channels}
		j.conns = make([][]*conn, len(j.channels))
		for _, id := range spec.Topology.Coordinators {
			w.join(j, id).stands = true
		}
		for _, id := range spec.Topology.Workers {
			w.join(j, id).worker = true
		}
		w.jobs = append(w.jobs, j)
	}
	w.job = w.jobs[0]
	byID := func(a, b *node) int { return cmp.Compare(a.id, b.id) }
	slices.SortFunc(w.nodes, byID)
	for i, n := range w.nodes {
		n.place = i
	}
	for _, j := range w.jobs {
		slices.SortFunc(j.nodes, byID)
	}
	w.links = newLinks(len(w.nodes))
}

// join is the node of an id, made if need be, as one of j's.
func (w *World) join(j *tenant, id protocol.NodeID) *node {
	for _, n := range w.nodes {
		if n.id == id {
			if n.job != j {
				panic(worldError("sim: two jobs share a node"))
			}
			return n
		}
	}
	n := &node{id: id, job: j}
	w.nodes, j.nodes = append(w.nodes, n), append(j.nodes, n)
	return n
}

// first is the node whose coordinator is started first, or nil.
func (j *tenant) first() *node {
	if list := j.spec.Topology.Coordinators; len(list) > 0 {
		for _, n := range j.nodes {
			if n.id == list[0] {
				return n
			}
		}
	}
	return nil
}

// alive lists the nodes whose process runs and for which ok holds.
func (j *tenant) alive(ok func(*node) bool) (out []*node) {
	for _, n := range j.nodes {
		if n.proc != nil && ok(n) {
			out = append(out, n)
		}
	}
	return out
}

// offices is how many nodes hold the office or are about to.
func (j *tenant) offices() (count int) {
	for _, n := range j.nodes {
		if n.office {
			count++
		}
	}
	return count
}

// close notes that n's coordinator has ended as the run expects. No other is started any more, and zombies, whose claim is
// older, do not count; one whose claim is newer, or yet to come, has to end too.
func (j *tenant) close(n *node, v protocol.Verdict) {
	j.closed, j.verdict = true, v
	for _, o := range j.nodes {
		alive := o.proc != nil && o.proc.machine(protocol.CoordinatorTask) != nil
		zombie := o.claimed != protocol.Scope{} && o.claimed.Older(n.claimed)
		o.office = o.office && alive && !zombie
	}
}

// ended reports whether the job is over.
func (j *tenant) ended() bool { return j.closed && j.offices() == 0 }
