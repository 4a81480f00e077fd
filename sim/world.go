package sim

import (
	"cmp"
	"fmt"

	"weir/faults"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/sim/wire"
)

// epochStart is the world's time when a run begins; it is not zero, because a timer set to zero is cleared.
const epochStart = protocol.Time(protocol.Second)

// World is one run.
type World struct {
	cfg      Config
	choice   *faults.Choice
	faults   *faults.Injector
	services Services

	now   protocol.Time
	queue queue
	steps uint64
	out   protocol.Effects
	pool  pool

	jobs     []*tenant
	job      *tenant // whose event is at hand
	nodes    []*node // of all jobs, by id
	latency  latency
	schedule *faults.Stream // delays
	births   *faults.Stream // incarnations, clocks
	fate     *faults.Stream // what a death does to what was under way
	links    links
	armed    []armed // timed faults that wait for their phase
	calls    []*call // free
	tardy    []tardy

	feeders []*feeder
	open    int           // transactions that feeders have left open
	marked  protocol.Time // when the last marker is due that was asked for
	readers []*reader
	fed     []Entry // of the append at hand
	kept    []Entry // the newest of the history's, and room for more

	digest    digest
	audit     *audit // nil: the run is not audited
	trace     trace
	notes     notes
	book      *book // nil: nobody wants to know what faults are called
	history   History
	counts    faults.Counts
	targets   Targets
	sometimes Sometimes
	uploads   []*call // of runs, that may still take effect
	fired     []Fired
	calm      protocol.Time // when the liveness phase began; zero before
	deadline  protocol.Time // of the liveness phase
	settled   protocol.Duration
	stolen    []string     // quoted ids that were taken away while in use
	robs      bool         // somebody has begun to take a transaction away
	saidLost  bool         // a job has said LOST of one of them
	disturbed bool         // something has gone wrong
	crashed   int          // at CrashAt
	requests  uint64       // so far
	unheard   RequestPlace // of UnknownAt
	over      bool
	verdict   protocol.Verdict
	failure   *Failure
}

// latency is how long things take without faults, drawn per run.
type latency struct{ tell, frame, log, bucket, turn span }

type span struct{ lo, hi protocol.Duration }

// Run runs one world to its end.
func Run(cfg Config) Result {
	w := newWorld(cfg)
	w.run()
	return w.result()
}

func newWorld(cfg Config) *World {
	c := faults.NewChoice(cfg.Seed)
	w := &World{
		cfg: cfg, choice: c, now: epochStart, faults: faults.NewInjector(cfg.Seed, cfg.Profile),
		schedule: c.Stream("schedule"), births: c.Stream("births"), fate: c.Stream("fate"),
	}
	if cfg.Replay {
		w.faults.Only(cfg.Only)
	}
	w.limits(c.Stream("limits"))
	w.latency = drawLatency(c.Stream("latency"))
	if cfg.Even > 0 {
		w.latency = evenLatency(cfg.Even)
	}
	w.trace = newTrace(w.cfg.Limits.Ring, cfg.Trace)
	if cfg.See != nil {
		w.trace.see = func(m mark) { cfg.See(w.seen(m)) }
	}
	w.digest = newDigest(cfg.Seed)
	w.notes.index = make(map[protocol.NoteKind]int)
	w.book = newBook(&w.cfg)
	w.queue.grow(128)
	w.populate()
	w.services = cfg.Services(Env{Net: w, Pool: &w.pool, Choice: c, MarkerDelay: w.markerDelay, CompactDelay: w.compactDelay, Disk: w, Kill: w.kill})
	for i, j := range w.jobs {
		j.clients = w.services.Clients[i]
	}
	return w
}

func (w *World) limits(s *faults.Stream) {
	l := &w.cfg.Limits
	if l.Horizon == 0 {
		interval, detect := w.longest(func(c *protocol.Config) protocol.Duration { return c.Interval }), w.longest(func(c *protocol.Config) protocol.Duration { return c.NodeTimeout })
		l.Horizon = protocol.Duration(s.Between(4, 12))*interval + protocol.Duration(s.Between(0, 3*int64(detect)))
	}
	if l.Liveness == 0 {
		for i := range w.cfg.Jobs {
			l.Liveness += LivenessBound(w.cfg.Jobs[i].Protocol)
		}
	}
	l.Steps = cmp.Or(l.Steps, 50_000_000)
	l.Ring = cmp.Or(l.Ring, 256)
}

// longest is the longest of a time that the jobs' configurations hold.
func (w *World) longest(of func(*protocol.Config) protocol.Duration) (d protocol.Duration) {
	for i := range w.cfg.Jobs {
		d = max(d, of(&w.cfg.Jobs[i].Protocol))
	}
	return d
}

func drawLatency(s *faults.Stream) latency {
	draw := func(lo, hi, most protocol.Duration) span {
		return span{protocol.Duration(s.Spread(1, int64(lo))), protocol.Duration(s.Spread(int64(hi), int64(most)))}
	}
	l := latency{
		tell:   draw(20*protocol.Microsecond, 100*protocol.Microsecond, 5*protocol.Millisecond),
		frame:  draw(20*protocol.Microsecond, 50*protocol.Microsecond, 5*protocol.Millisecond),
		log:    draw(200*protocol.Microsecond, 500*protocol.Microsecond, 20*protocol.Millisecond),
		bucket: draw(2*protocol.Millisecond, 5*protocol.Millisecond, 100*protocol.Millisecond),
		turn:   span{1, idleTurn},
	}
	if s.Chance(1, 2) {
		l.turn.hi = protocol.Duration(s.Spread(int64(idleTurn), int64(busyTurn)))
	}
	if s.Chance(1, 3) { // as far away as the slowest percent of what S3 answers
		l.bucket.hi = protocol.Duration(s.Spread(int64(l.bucket.hi), int64(400*protocol.Millisecond)))
	}
	return l
}

// How long a task waits for its turn at most, on a machine with nothing else to do and on one with much: then what was
// fetched or received waits in front of it, and messages overtake it.
const idleTurn, busyTurn = 20 * protocol.Microsecond, 10 * protocol.Millisecond

// evenLatency is the same time for every way.
func evenLatency(d protocol.Duration) latency {
	s := span{d, d}
	return latency{s, s, s, s, span{1, idleTurn}}
}

func (w *World) draw(s span) protocol.Duration {
	return protocol.Duration(w.schedule.Between(int64(s.lo), int64(s.hi)))
}

func (w *World) run() {
	if !w.cfg.Panics {
		defer w.caught()
	}
	w.startOutside()
	for _, n := range w.nodes {
		n.office = n == n.job.first()
		if n.worker || n.office {
			w.start(n)
		}
	}
	w.plan()
	if w.cfg.StopAfter > 0 {
		w.After(w.cfg.StopAfter, w.askToStop)
	}
	w.After(w.cfg.Limits.Horizon, w.endFaults)
	for !w.over {
		w.next()
	}
	w.finish()
}

// next pops one item and does what it says.
func (w *World) next() {
	switch {
	case w.queue.len() == 0:
		w.stuck("nothing is left that could ever happen")
		return
	case w.steps >= w.cfg.Limits.Steps:
		w.stuck(fmt.Sprintf("%d steps were not enough", w.steps))
		return
	}
	at, it := w.queue.pop()
	if w.calm > 0 && at > w.deadline {
		w.stuck("the bound of the liveness phase has passed")
		return
	}
	w.now = max(w.now, at)
	w.dispatch(it)
}

func (w *World) dispatch(it *item) {
	switch it.kind {
	case itFunc:
		it.fn()
	case itCall:
		w.carry(it)
	case itLane:
		w.come(w.queue.take(w.queue.lanes[it.arg]))
	case itLate:
		w.expire(timeout{call: it.call, life: uint32(it.arg)})
	case itTell:
		w.deliverTell(it)
	case itFrame:
		w.deliverFrame(it)
	case itGrant:
		w.deliverGrant(it)
	case itTimer:
		w.deliverTimer(it)
	case itEvent, itResume:
		w.deliverEvent(it)
	}
}

// come lets a time-out come due.
func (w *World) come(t timeout) {
	if t.timer == nil {
		w.expire(t)
	} else if !t.timer.Over() {
		t.timer.Due()
	}
}

// wakeUp is the time within which a process that wakes has seen all that waited for it, in any order: its threads and
// sockets do not wake at once.
const wakeUp = 50 * protocol.Millisecond

// defers puts an item off until the node's process wakes, if it is paused.
func (w *World) defers(n *node, it *item) bool {
	if n.wakes <= w.now {
		return false
	}
	if n.still {
		n.still = false
		w.count(faults.Pause)
	}
	*w.queue.push(n.wakes + protocol.Time(w.schedule.Spread(0, int64(wakeUp)))) = *it
	return true
}

func (w *World) deliverEvent(it *item) {
	if it.m.dead || w.defers(it.m.proc.node, it) {
		return
	}
	if it.kind == itResume {
		w.step(it.m, protocol.Resumed{})
		return
	}
	switch ev := it.ev.(type) {
	case protocol.Fetched:
		if ev.Batch != nil {
			it.m.hold(ev.Batch)
		}
	case protocol.Flushed:
		if ev.Outcome == protocol.Unknown {
			w.targets.Unknown++
		}
	}
	w.step(it.m, it.ev)
}

func (w *World) deliverTell(it *item) {
	n := w.node(protocol.NodeID(it.arg >> 32))
	if n.proc == nil || w.defers(n, it) {
		return
	}
	if m := n.proc.machine(protocol.TaskID(it.arg)); m != nil {
		if w.job = n.job; it.fn != nil {
			it.fn()
		}
		w.step(m, it.ev)
	}
}

// step steps a machine and performs what it wants, in order; a crash may cut the list anywhere.
func (w *World) step(m *machine, ev protocol.Event) {
	w.job = m.proc.node.job
	m.last = max(m.last+1, w.now+m.proc.skew)
	w.steps++
	m.proc.node.steps++
	under := w.job.underWay()
	w.digest.event(w.now, m.addr, ev)
	w.trace.event(w, m, ev)
	w.book.begins(w, m, ev)
	w.out.Reset()
	m.core.Step(m.last, ev, &w.out)
	list := w.out.All()
	cut, crash := w.cutAt(m, list)
	for _, ef := range list[:cut] {
		w.digest.effect(ef)
		w.trace.effect(w, m, ef)
		w.perform(m, ef)
	}
	if crash {
		w.trace.say(w, "crash between effects of node ", uint64(m.addr.Node))
		w.crash(m.proc.node)
	} else {
		w.watchStep(m)
		w.settle(m)
	}
	if w.cfg.Census != nil {
		w.cfg.Census.countStep(m, len(list), under)
	}
	if w.audit != nil {
		w.audit.after(w)
	}
}

// settle does what a step's Fail or Exit asked for, after its other effects.
func (w *World) settle(m *machine) {
	if m.failed != nil && !m.dead {
		w.fail(m, *m.failed)
	}
	if m.exits != nil && m.proc.node.proc == m.proc {
		w.exit(m.proc, *m.exits)
	}
}

// caught turns a panic of a machine or a device into a failure of the run.
func (w *World) caught() {
	if r := recover(); r != nil {
		if _, ours := r.(worldError); ours {
			panic(r)
		}
		w.fails("panic", "panic", fmt.Sprint(r))
	}
}

// worldError is what sim panics with when the world itself is wrong, which no failure of a job may hide.
type worldError string

// fails ends the run with its first failure.
func (w *World) fails(class, name, text string) {
	w.over = true
	if w.failure == nil {
		w.failure = &Failure{Class: class, Name: name, Text: text, At: w.now, Step: w.steps, Phase: w.job.phase}
	}
}

// Now is the world's time; no process's clock shows it.
func (w *World) Now() protocol.Time { return w.now }

// After runs fn once, d later.
func (w *World) After(d protocol.Duration, fn func()) {
	*w.queue.push(w.now.Add(max(d, 0))) = item{kind: itFunc, fn: fn}
}

// Expire lets t come due once, d later, unless it is over by then.
func (w *World) Expire(d protocol.Duration, t wire.Timer) {
	w.queue.wait(w.now, max(d, 0), timeout{timer: t})
}

// pool is the pool of batches; what is given back is scribbled over.
type pool struct{ free []*batch.Batch }

func (p *pool) Get() *batch.Batch {
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return new(batch.Batch)
}

func (p *pool) Put(b *batch.Batch) {
	if b == nil {
		return
	}
	b.Scribble()
	p.free = append(p.free, b)
}
