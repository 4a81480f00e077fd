package scenarios

import (
	"cmp"
	"fmt"
	"slices"

	"weir/faults"
	"weir/protocol"
	"weir/sim"
)

// Shrink is a search for a smaller file that fails in the same way.
type Shrink struct {
	// Best is the smallest so far. It replays exactly: its plan is a record.
	Best *File
	// Runs counts executions; there are at most Most.
	Runs, Most int
	// Over, unless nil, says that there is no more time.
	Over func() bool
	// Passes say what each pass came to.
	Passes []Pass

	first    *File // in which every fault is explicit
	accepted int
}

// minimised begins the line that says what a shrink came to, also in a file's comment.
const minimised = "minimised: "

// String says what it came to, in one line.
func (s *Shrink) String() string {
	a, b := s.first, s.Best
	return fmt.Sprintf(minimised+"faults %d -> %d, records %d -> %d, horizon %s -> %s (%s)", len(a.Plan), len(b.Plan), a.Records, b.Records, brief(a.Horizon), brief(b.Horizon), many(s.Runs, "run"))
}

func (s *Shrink) over() bool { return s.Runs >= s.Most || s.Over != nil && s.Over() }

// Pass is one way of making a file smaller, and what it came to.
type Pass struct {
	Name           string
	Before, After  int // of what it makes less: faults, records, processes; times in ms
	Runs, Accepted int
}

// NewShrink begins to shrink a file that fails; an error says that it does not.
func NewShrink(f *File, most int) (*Shrink, error) {
	s := &Shrink{Most: most}
	o := f.Run(Watching{})
	s.Runs++
	if sort := o.Sort(); sort == "pass" || sort == "unknown" {
		return nil, fmt.Errorf("there is nothing to shrink: it comes out as %q", sort)
	}
	s.Best = f.With(o.Run.Plan)
	s.Best.Expect = o.Sort()
	s.first = s.Best
	return s, nil
}

// try runs a candidate and keeps it, with the record of what struck, if it fails as the first one did.
//
// With lenience a fault whose place no longer comes strikes when it did before: taking one away moves others.
func (s *Shrink) try(c *File) bool { return s.tryAs(c, true) }

func (s *Shrink) tryAs(c *File, lenient bool) bool {
	if s.over() {
		return false
	}
	s.Runs++
	o := c.Run(Watching{Lenient: lenient})
	if o.Sort() != s.Best.Expect {
		return false
	}
	s.accepted++
	s.Best = c.With(o.Run.Plan)
	return true
}

// Check replays the smallest file as it stands and says what is wrong with it, if anything is.
func (s *Shrink) Check() error {
	back, err := s.Best.reread()
	if err != nil {
		return err
	}
	o := back.Run(Watching{})
	if o.Sort() != s.Best.Expect || len(o.Run.Missed) > 0 {
		return fmt.Errorf("the smallest file comes out as %q, not %q; did not strike: %v", o.Sort(), s.Best.Expect, o.Run.Missed)
	}
	return nil
}

// reread is the file as its text says it.
func (f *File) reread() (*File, error) {
	var test *Scenario
	if f.scenario.Test {
		test = f.scenario
	}
	back, err := ParseTest("smallest", []byte(f.String()), test)
	if err == nil {
		back.scenario = f.scenario
	}
	return back, err
}

// Run makes the file smaller until nothing helps any more, in this order: families of faults, faults, horizon, records,
// topology, times. Smaller runs may need fewer faults, so it goes round again while something gave way.
func (s *Shrink) Run() {
	for round := 0; round < 3; round++ {
		before := s.Best.String()
		s.pass("fault families", s.faults, s.families)
		s.pass("faults", s.faults, s.ddmin)
		s.pass("faults, other draws", s.faults, s.reseed)
		s.pass("horizon, ms", func() int { return int(s.Best.Horizon / protocol.Millisecond) }, s.horizon)
		s.pass("records", func() int { return s.Best.Records }, s.records)
		s.pass("processes and tasks", s.processes, s.topology)
		s.pass("times", s.digits, s.times)
		if s.Best.String() == before {
			break
		}
	}
}

func (s *Shrink) pass(name string, size func() int, run func()) {
	p := Pass{Name: name, Before: size()}
	runs, accepted := s.Runs, s.accepted
	run()
	p.Runs, p.Accepted, p.After = s.Runs-runs, s.accepted-accepted, size()
	s.Passes = append(s.Passes, p)
}

func (s *Shrink) faults() int { return len(s.Best.Plan) }

// families takes whole kinds of fault away, and first of all everything.
func (s *Shrink) families() {
	if len(s.Best.Plan) == 0 || s.try(s.Best.With(nil)) {
		return
	}
	var kinds []faults.Kind
	for k := range faults.Kind(faults.Kinds) {
		if s.Best.Plan.Has(k) {
			kinds = append(kinds, k)
		}
	}
	count := func(k faults.Kind) (n int) {
		for i := range s.Best.Plan {
			if s.Best.Plan[i].ID.Kind == k {
				n++
			}
		}
		return n
	}
	slices.SortStableFunc(kinds, func(a, b faults.Kind) int { return cmp.Compare(count(b), count(a)) })
	for _, k := range kinds {
		rest := slices.DeleteFunc(slices.Clone(s.Best.Plan), func(f faults.Fault) bool { return f.ID.Kind == k })
		if len(rest) < len(s.Best.Plan) {
			s.try(s.Best.With(rest))
		}
	}
}

// ddmin takes parts away, halves first, down to single faults, until no single one can go.
func (s *Shrink) ddmin() {
	for parts := 2; len(s.Best.Plan) > 0; {
		n := len(s.Best.Plan)
		parts = min(parts, n)
		if s.without(parts) {
			parts = max(2, parts-1)
			continue
		}
		if parts == n || s.over() {
			return
		}
		parts *= 2
	}
}

// without tries the plan without each of so many parts, the late ones first: what struck late was less likely needed.
func (s *Shrink) without(parts int) bool {
	plan := s.Best.Plan
	for i := parts - 1; i >= 0; i-- {
		lo, hi := i*len(plan)/parts, (i+1)*len(plan)/parts
		if lo < hi && s.try(s.Best.With(append(slices.Clone(plan[:lo]), plan[hi:]...))) {
			return true
		}
	}
	return false
}

// Bounds of what is tried with other draws.
const (
	otherDraws  = 6
	mostReseeds = 8 // faults
)

// reseed takes single faults away where other draws of all that no fault decides may let the rest do the same harm.
func (s *Shrink) reseed() {
	if len(s.Best.Plan) > mostReseeds {
		return
	}
	for i := len(s.Best.Plan) - 1; i >= 0; i-- {
		for n := range uint64(otherDraws) {
			c := s.Best.With(slices.Delete(slices.Clone(s.Best.Plan), i, i+1))
			c.Seed = n
			if s.try(c) {
				i = min(i, len(s.Best.Plan))
				break
			}
		}
	}
}

// horizon ends the phase of faults earlier.
func (s *Shrink) horizon() {
	last := protocol.Duration(0)
	for i := range s.Best.Plan {
		last = max(last, protocol.Duration(s.Best.Plan[i].Seen))
	}
	lo, hi := last, s.Best.Horizon
	for range 12 {
		mid := roundUp(lo+(hi-lo)/4, protocol.Millisecond)
		if mid >= hi {
			return
		}
		c := s.Best.With(s.Best.Plan)
		c.Horizon, c.Stop = mid, min(c.Stop, mid)
		if s.try(c) {
			hi = mid
		} else {
			lo = mid
		}
	}
}

func roundUp(d, unit protocol.Duration) protocol.Duration { return (d + unit - 1) / unit * unit }

// records gives the job less input.
func (s *Shrink) records() {
	for _, n := range []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64} {
		if n >= s.Best.Records {
			return
		}
		c := s.Best.With(s.Best.Plan)
		if c.Records = n; s.try(c) {
			return
		}
	}
}

// processes counts nodes and parallelism.
func (s *Shrink) processes() (n int) {
	for i := range s.Best.Jobs {
		j := &s.Best.Jobs[i]
		n += len(j.Topology.Coordinators) + len(j.Topology.Workers) + j.Config.Parallelism
	}
	return n
}

// topology takes processes away, and parallel tasks.
func (s *Shrink) topology() {
	for i := range s.Best.Jobs {
		t := s.Best.Jobs[i].Topology
		one := t.Coordinators[:1]
		s.resize(i, func(j *Setup) { j.Config.Parallelism = 1; j.Topology = sim.Topology{Coordinators: one, Workers: one} })
		for n := 1; n < len(s.Best.Jobs[i].Topology.Workers); n++ {
			s.resize(i, func(j *Setup) { j.Topology.Workers = j.Topology.Workers[:n] })
		}
		s.resize(i, func(j *Setup) { j.Topology.Coordinators = one })
		s.resize(i, func(j *Setup) { j.Topology.Workers = one })
		for n := 1; n < s.Best.Jobs[i].Config.Parallelism; n++ {
			s.resize(i, func(j *Setup) { j.Config.Parallelism = n })
		}
	}
}

// resize tries one job with other processes; faults of those that are gone strike others.
func (s *Shrink) resize(i int, edit func(*Setup)) {
	c := s.Best.With(s.Best.Plan)
	edit(&c.Jobs[i])
	if fmt.Sprint(c.Jobs[i]) == fmt.Sprint(s.Best.Jobs[i]) {
		return
	}
	for n := range c.Plan {
		c.Plan[n].Ways = nil
		if node := protocol.NodeID(c.Plan[n].Node); c.Plan[n].Job == i && !slices.Contains(c.Jobs[i].Topology.Coordinators, node) && !slices.Contains(c.Jobs[i].Topology.Workers, node) {
			c.Plan[n].Node = 0
		}
	}
	s.try(c)
}

// digits is how long the file's times are as text.
func (s *Shrink) digits() (n int) {
	for i := range s.Best.Plan {
		n += len(faults.Span(s.Best.Plan[i].After)) + len(faults.Span(s.Best.Plan[i].For))
	}
	return n + len(faults.Span(int64(s.Best.Horizon)))
}

// times makes them even: of all ways at once, between checkpoints, then of each fault.
func (s *Shrink) times() {
	if s.Best.Even == 0 {
		for _, d := range []protocol.Duration{protocol.Millisecond, 100 * protocol.Microsecond, 5 * protocol.Millisecond} {
			c := s.Best.With(s.Best.Plan)
			if c.Even = d; s.try(c) {
				break
			}
		}
	}
	for i := range s.Best.Jobs {
		s.interval(i)
	}
	for range 4 {
		if !s.sooner(2) {
			break
		}
	}
	for i := 0; i < len(s.Best.Plan); i++ {
		s.rounder(i, func(f *faults.Fault) *int64 { return &f.For })
		s.rounder(i, func(f *faults.Fault) *int64 { return &f.After })
	}
}

// interval takes checkpoints at shorter intervals, and all that the clock decides by as much earlier.
func (s *Shrink) interval(job int) {
	for _, d := range []protocol.Duration{200 * protocol.Millisecond, protocol.Second, 10 * protocol.Second} {
		was := s.Best.Jobs[job].Config.Interval
		if d >= was {
			return
		}
		c := s.Best.With(s.Best.Plan)
		c.Jobs[job].Config.Interval = d
		if s.try(c) {
			return
		}
		if s.try(s.hurried(c, int64(was/d))) {
			return
		}
	}
}

// hurried is a file whose faults strike so many times sooner.
func (s *Shrink) hurried(c *File, times int64) *File {
	c = c.With(c.Plan)
	for i := range c.Plan {
		f := &c.Plan[i]
		f.Seen /= times
		if f.ID.Kind.Timed() && f.ID.Kind != faults.CrashInEffects {
			f.Place, f.After, f.At = faults.Place{}, 0, f.Seen
		}
	}
	return c
}

// sooner lets all faults strike in a part of the time.
func (s *Shrink) sooner(times int64) bool {
	c := s.hurried(s.Best, times)
	c.Horizon = max(c.Horizon/protocol.Duration(times), protocol.Millisecond)
	c.Stop /= protocol.Duration(times)
	return len(c.Plan) > 0 && c.Horizon >= s.Best.Jobs[0].Config.Interval && s.try(c)
}

// rounder tries rounder values of one time of a fault.
func (s *Shrink) rounder(i int, of func(*faults.Fault) *int64) {
	for _, unit := range []int64{1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 1000} {
		if i >= len(s.Best.Plan) {
			return
		}
		was := *of(&s.Best.Plan[i])
		even := (was + unit/2) / unit * unit
		if was%unit == 0 {
			return
		}
		if even == 0 && of(&s.Best.Plan[i]) == &s.Best.Plan[i].For {
			continue // it would be drawn
		}
		c := s.Best.With(s.Best.Plan)
		*of(&c.Plan[i]) = even
		if s.tryAs(c, false) {
			return
		}
	}
}
