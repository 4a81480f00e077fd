package sim

import (
	"fmt"
	"strings"

	"weir/faults"
	"weir/protocol"
)

// book keeps what a run's faults are called: it follows a plan, and records what strikes as one. Without it a run knows
// faults by their numbers only, which is cheaper.
type book struct {
	follows bool // the plan decides; else the injector does
	lenient bool
	list    []*planned
	at      map[faults.Place][]*planned // of list
	times   map[faults.Place]int        // how often each place came, by its place with Time zero
	here    faults.Place                // the step at hand, or the last one
	since   protocol.Time               // of here
	what    faults.Place                // the message or request at hand
	last    []anchor                    // by job: the newest step worth naming
	left    int                         // of list: those that have not begun
	records []*planned
	current *planned // the record that is being made
}

// planned is a fault of a plan, or of a record.
type planned struct {
	faults.Fault
	begun bool
	fired bool
}

// anchor is a step that a later strike refers to.
type anchor struct {
	place faults.Place
	at    protocol.Time
}

func newBook(cfg *Config) *book {
	if !cfg.Record && cfg.Plan == nil {
		return nil
	}
	b := &book{follows: cfg.Plan != nil, lenient: cfg.Lenient, at: make(map[faults.Place][]*planned), times: make(map[faults.Place]int), last: make([]anchor, len(cfg.Jobs))}
	for _, f := range cfg.Plan {
		p := &planned{Fault: f}
		b.list = append(b.list, p)
		b.left++
		b.at[f.Place] = append(b.at[f.Place], p)
	}
	return b
}

// begin notes that a fault of the plan strikes.
func (b *book) begin(f *planned) {
	f.begun = true
	b.left--
}

// rests reports whether nothing can strike any more, so that nothing needs a name.
func (b *book) rests(w *World) bool { return b == nil || !w.faults.On() || b.follows && b.left == 0 }

// count gives a place its number among equal ones.
func (b *book) count(p faults.Place) faults.Place {
	b.times[p]++
	p.Time = b.times[p]
	return p
}

// begins names a step, and strikes what the plan has for it.
func (b *book) begins(w *World, m *machine, ev protocol.Event) {
	if b.rests(w) {
		return
	}
	who := m.proc.node.job.name(m.addr)
	b.here, b.since = b.count(faults.Place{Who: who, What: w.eventName(m.proc.node.job, ev)}), w.now
	for _, f := range b.near(b.here) {
		if f.ID.Kind.Timed() && !f.begun && f.ID.Kind != faults.CrashInEffects && b.meets(w, f, b.here) {
			b.await(w, f, protocol.Duration(f.After))
		}
	}
	if worthNaming(ev) {
		b.last[w.job.index] = anchor{b.here, w.now}
	}
}

// await strikes a fault of the plan in a while.
func (b *book) await(w *World, f *planned, d protocol.Duration) {
	w.After(d, func() {
		if !f.begun && w.faults.On() {
			b.begin(f)
			w.strike(&armed{Timed: faults.Timed{ID: f.ID}, job: w.jobs[min(f.Job, len(w.jobs)-1)], given: f})
		}
	})
}

// planTimed arms the timed faults of the plan.
func (b *book) planTimed(w *World) {
	for _, f := range b.list {
		switch {
		case !f.ID.Kind.Timed() || f.ID.Kind == faults.CrashInEffects:
		case f.Place == faults.Place{}:
			b.await(w, f, protocol.Duration(f.At))
		case b.lenient:
			b.await(w, f, protocol.Duration(f.Seen)+w.longest(func(c *protocol.Config) protocol.Duration { return c.Interval }))
		}
	}
}

// record begins the record of a timed fault that strikes.
func (b *book) record(w *World, a *armed) {
	if b == nil {
		return
	}
	r := &planned{Fault: faults.Fault{ID: a.ID, Job: a.job.index, Seen: int64(w.now.Sub(epochStart))}}
	switch l := b.last[a.job.index]; {
	case b.since == w.now: // no later step comes before the strike
		r.Place = b.here
	case l.place != faults.Place{}:
		r.Place, r.After = l.place, int64(w.now.Sub(l.at))
	default:
		r.At = r.Seen
	}
	b.current = r
	b.records = append(b.records, r)
}

// recordOn makes the record of a fault that strikes at the message or request at hand.
func (b *book) recordOn(w *World, id faults.ID) {
	b.current = &planned{Fault: faults.Fault{ID: id, Place: b.what, Seen: int64(w.now.Sub(epochStart))}}
	b.records = append(b.records, b.current)
}

// fired notes that a fault has struck.
func (b *book) fired(id faults.ID) {
	if b == nil {
		return
	}
	for i := len(b.records) - 1; i >= 0; i-- {
		if b.records[i].ID == id {
			b.records[i].fired = true
			break
		}
	}
	for _, f := range b.list {
		if f.ID == id {
			f.fired = true
		}
	}
}

// consult asks the plan for a fault of kind k at what is at hand.
func (b *book) consult(w *World, k faults.Kind, odds faults.Odds) (faults.ID, faults.Stream, bool) {
	if !b.follows {
		id, s, ok := w.faults.Consult(k, odds)
		if ok {
			b.recordOn(w, id)
		}
		return id, s, ok
	}
	for _, f := range b.near(b.what) {
		if f.ID.Kind == k && !f.begun && w.faults.On() && b.meets(w, f, b.what) {
			b.begin(f)
			b.recordOn(w, f.ID)
			b.current.For = f.For
			return f.ID, w.faults.Draws(f.ID), true
		}
	}
	return faults.ID{}, faults.Stream{}, false
}

// near is the faults that may strike at a place.
func (b *book) near(p faults.Place) []*planned {
	if b.lenient {
		return b.list
	}
	return b.at[p]
}

// meets reports whether what is at hand is where a fault of the plan strikes. With lenience, when the time has come at
// which it struck once, any place will do that reads the same but for its numbers.
func (b *book) meets(w *World, f *planned, p faults.Place) bool {
	if f.Place == p {
		return true
	}
	return b.lenient && int64(w.now.Sub(epochStart)) >= f.Seen-f.After && f.Place.Who == p.Who && timeless(f.Place.What) == timeless(p.What)
}

// timeless is what without the number of the checkpoint.
func timeless(what string) string {
	before, rest, ok := strings.Cut(what, "(checkpoint ")
	if !ok {
		return what
	}
	_, after, _ := strings.Cut(rest, ")")
	return before + after
}

// cut says behind how many of a step's effects the plan crashes its process, if it does.
func (b *book) cut(w *World, m *machine, list []protocol.Effect) (at int, crash bool) {
	for _, f := range b.near(b.here) {
		if f.ID.Kind != faults.CrashInEffects || f.begun || !w.faults.On() {
			continue
		}
		at, ok := len(list), b.overdue(w, m, f)
		if !ok && b.meets(w, f, b.here) {
			at, ok = w.effectAt(m, list, f.Before, f.Skip)
		}
		if !ok {
			continue
		}
		b.begin(f)
		b.recordCut(w, m, f.ID, list, at)
		w.struck(f.ID)
		return at, true
	}
	return len(list), false
}

// overdue reports whether, with lenience, a crash within a step has waited for its place for an interval: then any step
// of its process will do.
func (b *book) overdue(w *World, m *machine, f *planned) bool {
	patience := w.longest(func(c *protocol.Config) protocol.Duration { return c.Interval })
	return b.lenient && (f.Node == 0 || f.Node == uint32(m.addr.Node)) && w.now.Sub(epochStart) > protocol.Duration(f.Seen)+patience
}

// recordCut makes the record of a crash within a step.
func (b *book) recordCut(w *World, m *machine, id faults.ID, list []protocol.Effect, at int) {
	if b == nil {
		return
	}
	r := &planned{Fault: faults.Fault{ID: id, Node: uint32(m.addr.Node), Place: b.here, Seen: int64(w.now.Sub(epochStart)), Job: w.job.index}}
	if at < len(list) {
		r.Before = w.effectName(m.proc.node.job, list[at])
		for _, ef := range list[:at] {
			if w.effectName(m.proc.node.job, ef) == r.Before {
				r.Skip++
			}
		}
	}
	b.records = append(b.records, r)
}

// effectAt is the index of the effect of a name, behind some others of the same name.
func (w *World) effectAt(m *machine, list []protocol.Effect, name string, skip int) (int, bool) {
	if name == "" {
		return len(list), true
	}
	for i, ef := range list {
		if w.effectName(m.proc.node.job, ef) != name {
			continue
		}
		if skip--; skip < 0 {
			return i, true
		}
	}
	return 0, false
}

// span is how long a fault lasts: as the plan says, or else as drawn.
func (b *book) span(given *planned, drawn protocol.Duration) protocol.Duration {
	if b == nil {
		return drawn
	}
	if given != nil && given.For > 0 {
		drawn = protocol.Duration(given.For)
	}
	b.current.For = int64(drawn)
	return drawn
}

// delay is how long the fault holds up what is at hand: as the plan says, or else as drawn.
func (b *book) delay(drawn protocol.Duration) protocol.Duration {
	if b == nil {
		return drawn
	}
	return b.span(b.current, drawn)
}

// node is the node that a fault strikes: as the plan says, or else as drawn.
func (b *book) node(given *planned, all []*node, drawn *node) *node {
	if b == nil {
		return drawn
	}
	if given != nil && given.Node > 0 {
		named := find(all, func(n *node) bool { return uint32(n.id) == given.Node })
		if named != nil || !b.lenient {
			drawn = named
		}
	}
	if drawn != nil {
		b.current.Node = uint32(drawn.id)
	}
	return drawn
}

func find(all []*node, ok func(*node) bool) *node {
	for _, n := range all {
		if ok(n) {
			return n
		}
	}
	return nil
}

// result is the plan as it struck, and what of the plan given did not.
func (b *book) result(r *Result) {
	if b == nil {
		return
	}
	r.Plan = faults.Plan{}
	for _, f := range b.records {
		if f.fired {
			r.Plan = append(r.Plan, f.Fault)
		}
	}
	for _, f := range b.list {
		if !f.fired {
			r.Missed = append(r.Missed, f.Fault)
		}
	}
}

// placeName is a place of the network: a node by its number, a service by its name.
func (w *World) placeName(p int) string {
	if p < len(w.nodes) {
		return fmt.Sprint(w.nodes[p].id)
	}
	return serviceNames(service(p - len(w.nodes)))
}

func serviceNames(s service) string {
	if s == theBucket {
		return "bucket"
	}
	return "broker"
}

// service is the one that a fault takes away: as the plan says, or else as drawn.
func (b *book) service(given *planned, drawn service) service {
	if b == nil {
		return drawn
	}
	for s := theLog; s < services; s++ {
		if given != nil && given.Service == serviceNames(s) {
			drawn = s
		}
	}
	b.current.Service = serviceNames(drawn)
	return drawn
}

// channel is the connection that a fault resets: as the plan says, or else as drawn.
func (b *book) channel(a *armed, all []*conn, drawn *conn) *conn {
	if b == nil {
		return drawn
	}
	if a.given != nil && a.given.Channel != (faults.Way{}) {
		named := -1
		for i, c := range all {
			if a.job.channelWay(c.id) == a.given.Channel {
				named = i
			}
		}
		switch {
		case named >= 0:
			drawn = all[named]
		case !b.lenient:
			return nil
		}
	}
	b.current.Channel = a.job.channelWay(drawn.id)
	return drawn
}

// blockWay is a part of a partition as it was drawn; a plan that names ways has others.
func (w *World) blockWay(from, to int, a *armed, d protocol.Duration) {
	if a.given != nil && len(a.given.Ways) > 0 {
		return
	}
	if w.book != nil {
		w.book.current.Ways = append(w.book.current.Ways, faults.Way{From: w.placeName(from), To: w.placeName(to)})
	}
	w.block(w.links.way(from, to), a, d)
}

// blockGiven is a partition as the plan has it.
func (w *World) blockGiven(a *armed, d protocol.Duration) {
	if a.given == nil {
		return
	}
	for _, way := range a.given.Ways {
		from, to := w.placeOf(way.From), w.placeOf(way.To)
		if from < 0 || to < 0 || from == to {
			continue
		}
		w.book.current.Ways = append(w.book.current.Ways, way)
		w.block(w.links.way(from, to), a, d)
	}
}

// placeOf is the place of a name, or -1.
func (w *World) placeOf(name string) int {
	for p := range len(w.nodes) + int(services) {
		if w.placeName(p) == name {
			return p
		}
	}
	return -1
}
