package sim

import (
	"weir/faults"
	"weir/protocol"
)

// armed is a timed fault that waits for a phase of the protocol, or for its patience to end.
type armed struct {
	faults.Timed
	job       *tenant // that it strikes
	addressed bool    // to phase
	phase     faults.Phase
	patience  protocol.Time
	cut       bool     // of CrashInEffects: the next fitting step is cut
	skip      int      // fitting steps that pass before
	control   bool     // only steps that talk to coordinator, bucket or log fit
	given     *planned // of the plan that the run follows
}

// plan arms each timed fault at its time.
func (w *World) plan() {
	if w.book != nil && w.book.follows {
		w.book.planTimed(w)
		return
	}
	for _, f := range w.faults.Plan(int64(w.cfg.Limits.Horizon)) {
		w.After(protocol.Duration(f.At), func() { w.arm(f) })
	}
}

// arm lets a fault strike now or, three times in four, when the protocol reaches a drawn phase: the short ones between
// the prepare and the seal of a checkpoint are where bugs are.
func (w *World) arm(f faults.Timed) {
	if !w.faults.On() {
		return
	}
	phases := [...]faults.Phase{
		faults.Idle, faults.Triggered, faults.Triggered, faults.Prepared, faults.Prepared, faults.Prepared,
		faults.Decided, faults.Decided, faults.Decided, faults.Recovering,
	}
	a := armed{Timed: f, addressed: f.Draws.Chance(3, 4)}
	a.phase = phases[a.Draws.Pick(len(phases))]
	a.job = w.jobs[a.Draws.Pick(len(w.jobs))]
	if !a.addressed || a.phase == a.job.phase {
		w.strike(&a)
		return
	}
	w.armed = append(w.armed, a)
	w.After(2*a.job.cfg.Interval, func() { w.lose(f.ID) })
}

// lose strikes an armed fault whose phase did not come.
func (w *World) lose(id faults.ID) {
	for i := range w.armed {
		if a := w.armed[i]; a.ID == id && !a.cut {
			w.armed = append(w.armed[:i], w.armed[i+1:]...)
			w.strike(&a)
			return
		}
	}
}

// enter strikes, after a moment, what waited for the phase that begins in j.
func (w *World) enter(j *tenant, p faults.Phase) {
	keep := w.armed[:0]
	for _, a := range w.armed {
		if a.cut || !a.addressed || a.job != j || a.phase != p {
			keep = append(keep, a)
			continue
		}
		moment := protocol.Duration(a.Draws.Spread(0, int64(50*protocol.Millisecond)))
		w.After(moment, func() { w.strike(&a) })
	}
	w.armed = keep
}

func (w *World) strike(a *armed) {
	if !w.faults.On() {
		return
	}
	w.job = a.job
	a.Draws = w.faults.Strike(a.ID)
	if a.ID.Kind != faults.CrashInEffects {
		w.book.record(w, a)
	}
	switch a.ID.Kind {
	case faults.CrashWorker:
		w.strikeCrash(a, func(n *node) bool { return n.worker })
	case faults.CrashCoordinator:
		w.strikeCrash(a, func(n *node) bool { return n.proc.machine(protocol.CoordinatorTask) != nil })
	case faults.CrashInEffects:
		a.cut, a.skip, a.control = true, a.Draws.Pick(8), a.Draws.Chance(7, 8)
		w.armed = append(w.armed, *a)
	case faults.Pause:
		w.strikePause(a)
	case faults.Partition:
		w.strikePartition(a)
	case faults.ChannelReset:
		w.strikeReset(a)
	case faults.ClockJump:
		w.strikeClock(a)
	case faults.ServiceOutage:
		s := w.book.service(a.given, service(a.Draws.Pick(int(services))))
		w.block(&w.links.away[s], a, w.outage(a))
	case faults.BucketSlow:
		w.block(&w.links.slow[theBucket], a, w.outage(a))
	}
}

func (w *World) strikeCrash(a *armed, fits func(*node) bool) {
	all := a.job.alive(fits)
	if n := w.book.node(a.given, all, pickNode(&a.Draws, all)); n != nil {
		w.struck(a.ID)
		w.crash(n)
	}
}

// outage is a drawn time, of a blink up to several time-outs.
func (w *World) outage(a *armed) protocol.Duration {
	c := a.job.cfg
	return w.book.span(a.given, protocol.Duration(a.Draws.Spread(int64(10*protocol.Millisecond), 2*int64(max(c.NodeTimeout, c.IOTimeout)))))
}

func (w *World) block(b *blocks, a *armed, d protocol.Duration) {
	b.begin(w.now, w.now.Add(d), a.ID)
}

// strikePause pauses a process past its time-outs; while a coordinator is paused a standby may be started.
func (w *World) strikePause(a *armed) {
	all := a.job.alive(func(n *node) bool { return n.wakes <= w.now })
	some := all
	if offices := a.job.alive(func(n *node) bool { return n.office && n.wakes <= w.now }); len(offices) > 0 && a.Draws.Chance(1, 3) {
		some = offices
	}
	n := w.book.node(a.given, all, pickNode(&a.Draws, some))
	if n == nil {
		return
	}
	w.fire(a.ID)
	n.still = true
	d := protocol.Duration(a.Draws.Spread(int64(10*protocol.Millisecond), 3*int64(n.job.cfg.NodeTimeout)))
	if a.Draws.Chance(1, 2) { // past its time-out: it wakes up as a zombie
		d = protocol.Duration(a.Draws.Between(int64(n.job.cfg.NodeTimeout), 3*int64(n.job.cfg.NodeTimeout)))
	}
	d = w.book.span(a.given, d)
	n.wakes = w.now.Add(d)
	if !n.office || !a.Draws.Chance(3, 4) {
		return
	}
	w.After(d/2, func() {
		if other := w.standby(n.job); other != nil && n.wakes > w.now {
			w.promote(other)
		}
	})
}

// strikeClock lets the clock of a process leap ahead: what it had set its timers to has come.
func (w *World) strikeClock(a *armed) {
	all := a.job.alive(func(n *node) bool { return n.wakes <= w.now })
	n := w.book.node(a.given, all, pickNode(&a.Draws, all))
	if n == nil {
		return
	}
	leap := protocol.Time(w.book.span(a.given, protocol.Duration(a.Draws.Spread(int64(10*protocol.Millisecond), 2*int64(n.job.cfg.NodeTimeout)))))
	n.proc.skew += leap
	n.wakes = w.now // what is late by this clock only is not waited for too long
	early := false
	for _, m := range n.proc.machines {
		for i := range m.timers {
			if t := &m.timers[i]; t.at != 0 {
				w.set(m, t, max(w.now+1, t.at-leap))
				early = early || t.at == w.now+1
			}
		}
	}
	if w.fire(a.ID); early {
		w.count(a.ID.Kind)
	}
}

// strikePartition blocks one node's ways to some other places: all, half of them, one, or a worker's to the coordinator,
// which it no longer hears; one way or both.
func (w *World) strikePartition(a *armed) {
	holder, shape := a.job.holder(), min(a.Draws.Pick(6), 3)
	some := a.job.nodes
	if list := a.job.alive(func(n *node) bool { return n.worker && n != holder }); shape == 3 && len(list) > 0 {
		some = list
	}
	n := w.book.node(a.given, a.job.nodes, pickNode(&a.Draws, some))
	if n == nil {
		return
	}
	d, which := w.outage(a), a.Draws.Pick(3)
	places := len(w.nodes) + int(services)
	one := a.Draws.Pick(places)
	if shape == 3 && holder != nil {
		one, which, d = holder.place, which%2, w.book.span(a.given, w.deafness(a))
	}
	for p := range places {
		if p == n.place || shape == 1 && a.Draws.Chance(1, 2) || shape >= 2 && p != one {
			continue
		}
		if which != 1 {
			w.blockWay(n.place, p, a, d)
		}
		if which != 2 {
			w.blockWay(p, n.place, a, d)
		}
	}
	w.blockGiven(a, d)
	w.After(protocol.Duration(a.Draws.Between(1, int64(d))), func() { w.giveUp(n, a) })
}

// deafness is for how long a worker does not hear the coordinator: until a checkpoint or two are given up, or until it is
// taken for dead and works on.
func (w *World) deafness(a *armed) protocol.Duration {
	c := a.job.cfg
	if a.Draws.Chance(1, 3) {
		return min(protocol.Duration(a.Draws.Between(int64(c.Timeout/2), int64(2*(c.Timeout+c.Heartbeat)))), c.NodeTimeout)
	}
	return protocol.Duration(a.Draws.Between(int64(c.NodeTimeout), 3*int64(c.NodeTimeout)))
}

// holder is the first node on which a coordinator runs, or nil.
func (j *tenant) holder() *node {
	if list := j.alive(func(n *node) bool { return n.proc.machine(protocol.CoordinatorTask) != nil }); len(list) > 0 {
		return list[0]
	}
	return nil
}

// giveUp resets some of the connections that a partition has stalled: a transport's own time-out.
func (w *World) giveUp(n *node, a *armed) {
	for _, c := range n.job.working(n) {
		from, to := c.from.proc.node.place, c.to.proc.node.place
		if a.Draws.Chance(1, 2) && (w.links.way(from, to).holds(w.now, a.ID) || w.links.way(to, from).holds(w.now, a.ID)) {
			w.reset(c)
		}
	}
}

// working is the working connections that begin at n's tasks, or with nil at any of j's.
func (j *tenant) working(n *node) (out []*conn) {
	for _, each := range j.nodes {
		if each.proc == nil || n != nil && each != n {
			continue
		}
		for _, m := range each.proc.machines {
			for _, c := range m.outs {
				if !c.broken && c.from != nil && c.to != nil {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

func (w *World) strikeReset(a *armed) {
	all := a.job.working(nil)
	if len(all) == 0 {
		return
	}
	if c := w.book.channel(a, all, all[a.Draws.Pick(len(all))]); c != nil {
		w.struck(a.ID)
		w.reset(c)
	}
}

// cutAt says behind how many of a step's effects its process crashes, if it does.
func (w *World) cutAt(m *machine, list []protocol.Effect) (at int, crash bool) {
	if at, ok := w.crashesAt(m, len(list)); ok {
		return at, true
	}
	if w.book != nil && w.book.follows {
		return w.book.cut(w, m, list)
	}
	for i := range w.armed {
		a := &w.armed[i]
		if !a.cut || len(list) == 0 || a.control && !controls(list) || a.job != w.job || a.addressed && a.phase != w.job.phase {
			continue
		}
		if a.skip--; a.skip >= 0 {
			continue
		}
		at := a.Draws.Pick(len(list) + 1)
		w.book.recordCut(w, m, a.ID, list, at)
		w.struck(a.ID)
		w.armed = append(w.armed[:i], w.armed[i+1:]...)
		return at, true
	}
	return len(list), false
}

// controls reports whether a step does more than move records.
func controls(list []protocol.Effect) bool {
	for _, ef := range list {
		switch ef.(type) {
		case protocol.Resume, protocol.Wake, protocol.Send, protocol.Grant, protocol.Release, protocol.Note, protocol.Fetch, protocol.Produce:
		default:
			return true
		}
	}
	return false
}
