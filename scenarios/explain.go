package scenarios

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"weir/faults"
	"weir/protocol"
	"weir/sim"
)

// Story is why a file's run fails.
type Story struct {
	Outcome Outcome
	// Proof is what was expected of the first thing that is wrong, and what was seen.
	Proof Proof
	// Events are the turns of the run, in order.
	Events []Turn
	// Needs says of each fault what comes out without it; nil: there were too many to try, or there was no time.
	Needs []Need
	// Nearest is the index in Needs of the passing run that goes the same way the longest, or -1; Apart is where it parts.
	Nearest int
	Apart   Turn
	// Instead is how that run goes on from there: what should have happened.
	Instead []Turn
	Runs    int // executions

	file *File
}

// Turn is an event of a run that tells something.
type Turn struct {
	Step   uint64
	At     protocol.Duration
	Where  string
	What   string
	Fault  bool
	Apart  bool // here the nearest passing run goes another way
	weight int
	text   string // all of an event, where the two part
}

// Need is a fault, and what comes out without it.
type Need struct {
	Fault   faults.Fault
	Without string // Sort
}

// Bounds of a story.
const (
	MostTurns     = 30 // with those of the passing run
	mostInstead   = 6
	mostLeftOut   = 40 // faults
	mostTimesTold = 3
	mostRecorded  = 1 << 20
)

// Explain runs the file, and once more without each of its faults, until over, unless nil, says that there is no more time.
func (f *File) Explain(over func() bool) *Story {
	told := &telling{mark: -1}
	st := &Story{Nearest: -1, Runs: 2, file: f}
	f.Run(Watching{See: told.see})
	apart := -1
	for i := 0; len(f.Plan) <= mostLeftOut && i < len(f.Plan); i++ {
		if over != nil && over() {
			st.Needs, st.Nearest, apart = nil, -1, -1
			break
		}
		other := &telling{mark: -1}
		o := f.without(i).Run(Watching{See: other.see})
		st.Runs++
		st.Needs = append(st.Needs, Need{f.Plan[i], o.Sort()})
		if at := told.parts(other); o.Passed() && at > apart {
			apart, st.Nearest = at, i
		}
	}
	if st.Nearest >= 0 {
		st.Instead = f.without(st.Nearest).from(apart)
		st.Runs++
	}
	again := &telling{mark: apart}
	st.Outcome = f.Run(Watching{See: again.see})
	st.Proof = f.scenario.proof(&st.Outcome)
	st.Events = again.turns(&st.Outcome, MostTurns-len(st.Instead))
	for _, t := range st.Events {
		if t.Apart {
			st.Apart = t
		}
	}
	st.tellApart()
	return st
}

// tellApart says all of the two events at which the runs part, if they read the same.
func (st *Story) tellApart() {
	if len(st.Instead) == 0 || st.Instead[0].What != st.Apart.What || st.Instead[0].Where != st.Apart.Where {
		return
	}
	for i := range st.Events {
		if e := &st.Events[i]; e.Apart && e.text != st.Instead[0].text {
			e.What, st.Instead[0].What = e.text, st.Instead[0].text
		} else if e.Apart {
			st.Instead[0].What += ", at another time"
		}
	}
}

// without is the file without one of its faults.
func (f *File) without(i int) *File {
	return f.With(append(append(faults.Plan{}, f.Plan[:i]...), f.Plan[i+1:]...))
}

// from is the turns of a run from an event on.
func (f *File) from(at int) []Turn {
	t := &telling{mark: at}
	f.Run(Watching{See: t.see})
	i := slices.IndexFunc(t.list, func(t Turn) bool { return t.Apart })
	if i < 0 {
		return nil // it ends where the other one goes on
	}
	list := together(t.list[i:min(len(t.list), i+4*mostInstead)])
	list[0].Apart = false
	return list[:min(len(list), mostInstead)]
}

// telling collects what a run's events are worth telling.
type telling struct {
	hashes []uint64 // of every event and effect
	list   []Turn
	mark   int  // the index of one that is told in any case
	event  Turn // the last one
	// decided is the newest decided checkpoint, by job: it decides earlier ones that were given up.
	decided map[string]protocol.CheckpointID
}

func (t *telling) see(s sim.Seen) {
	turn := Turn{Step: s.Step, At: s.At, Where: s.Who, What: s.Name}
	switch s.What.(type) {
	case faults.ID:
		turn.Fault, turn.weight = true, 3
		t.list = append(t.list, turn)
		return
	case string: // what a fault did in detail
		return
	}
	if len(t.hashes) == mostRecorded {
		return
	}
	h := fnv.New64a()
	fmt.Fprint(h, s.At, s.Who, s.Text)
	t.hashes = append(t.hashes, h.Sum64())
	turn.weight = worth(s.What)
	if _, event := s.What.(protocol.Event); event {
		t.event = Turn{Step: s.Step, Where: s.Who, What: plainly(s)}
	}
	switch v := s.What.(type) {
	case protocol.Note:
		early := t.early(s.Who, v)
		if turn.What = noteText(v) + early; early != "" {
			turn.weight = 3
		}
	case protocol.EndTxn:
		turn.What = "asks to commit " + string(v.ID)
		if !v.Commit {
			turn.What = "asks to ABORT " + string(v.ID) + ", which nobody should"
		}
	case protocol.Fail:
		turn.What = "the task fails: " + v.Failure.Text
	case protocol.Exit:
		turn.What = fmt.Sprintf("the process ends, %v: %s", v.Verdict.Kind, v.Verdict.Text)
	}
	if len(t.hashes)-1 == t.mark {
		if turn.Apart = true; turn.weight == 0 {
			turn.What = plainly(s)
		}
		turn.weight, turn.text = 4, s.Text
	}
	if turn.weight > 0 {
		t.list = append(t.list, turn)
	}
}

// early says of a task that commits for a checkpoint that nobody has decided that it does.
func (t *telling) early(who string, n protocol.Note) string {
	job, _, second := strings.Cut(who, "/")
	if !second {
		job = ""
	}
	switch {
	case n.Kind == protocol.NoteDecided:
		if t.decided == nil {
			t.decided = make(map[string]protocol.CheckpointID)
		}
		t.decided[job] = max(t.decided[job], n.Checkpoint)
	case n.Kind == protocol.NoteCommitted && !strings.HasSuffix(who, "coordinator") && n.Checkpoint > t.decided[job]:
		return undecided
	}
	return ""
}

const undecided = ", WHICH IS NOT DECIDED"

// parts is the first index at which two runs differ.
func (t *telling) parts(o *telling) int {
	for i := range min(len(t.hashes), len(o.hashes)) {
		if t.hashes[i] != o.hashes[i] {
			return i
		}
	}
	return min(len(t.hashes), len(o.hashes))
}

// worth is how much an effect tells: 2 is a turn of the protocol's way, 1 a step on it, 0 nothing.
func worth(what any) int {
	switch v := what.(type) {
	case protocol.Fail, protocol.Exit:
		return 3
	case protocol.EndTxn:
		if v.Commit {
			return 1
		}
		return 3
	case protocol.Note:
		switch v.Kind {
		case protocol.NoteTriggered, protocol.NoteDecided, protocol.NoteAborted, protocol.NoteTimedOut, protocol.NoteClaimed, protocol.NoteRestart, protocol.NoteLost,
			protocol.NoteRecommitted, protocol.NoteTookOver, protocol.NoteDeposed, protocol.NoteWorkerLost, protocol.NoteFinal, protocol.NoteRestored, protocol.NoteHeadUnknown, protocol.NoteCommitUnknown:
			return 2
		case protocol.NoteAligned, protocol.NoteSealed, protocol.NotePrepared, protocol.NoteCommitted, protocol.NoteFenced, protocol.NoteRepeated,
			protocol.NoteSuperseded, protocol.NoteCancelled, protocol.NoteReadBack, protocol.NoteWorkerReborn, protocol.NoteDeclined:
			return 1
		}
	}
	return 0
}

// turns are so many of the run at most: faults and the parting, then what lies nearest to them, the turns of the
// protocol before its steps.
func (t *telling) turns(o *Outcome, most int) []Turn {
	all := together(once(append(t.list, t.ends(o)...)))
	for i := range all {
		if all[i].Fault {
			all[i].What = faultText(o.Run.Plan, all[i].What)
		}
	}
	slices.SortStableFunc(all, func(a, b Turn) int { return cmp.Compare(a.At, b.At) })
	var marks []int
	for i := range all {
		if all[i].weight >= 3 {
			marks = append(marks, i)
		}
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(all, marks, a) - rank(all, marks, b) })
	order = order[:min(len(order), most)]
	slices.Sort(order)
	out := make([]Turn, 0, len(order))
	for _, i := range order {
		out = append(out, all[i])
	}
	return out
}

// rank is small for what belongs into the story: its distance to the nearest mark, where what comes after counts less
// than what comes before.
func rank(all []Turn, marks []int, i int) int {
	if all[i].weight >= 3 {
		return -all[i].weight
	}
	best := len(all) * 4
	for _, m := range marks {
		d := 2 * (i - m)
		if i < m {
			d = 3 * (m - i)
		}
		best = min(best, d)
	}
	if all[i].weight == 1 {
		best = best*2 + 4
	}
	return best
}

// join adds a machine.
func (t *Turn) join(where string) {
	first, rest, more := strings.Cut(t.Where, " +")
	switch {
	case first == where:
	case !more:
		t.Where += " +1"
	default:
		n, _ := strconv.Atoi(rest)
		t.Where = first + " +" + strconv.Itoa(n+1)
	}
}

// together joins turns that several machines take one after the other: two sinks that prepare are one line.
func together(all []Turn) (out []Turn) {
	for _, t := range all {
		joined := false
		for i := len(out) - 1; i >= 0 && i >= len(out)-4 && !t.Fault && !t.Apart; i-- {
			o := &out[i]
			if o.Fault || o.Apart {
				break
			}
			if o.What == t.What && o.weight == t.weight && (o.Where != t.Where || o.Step == t.Step) {
				o.join(t.Where)
				joined = true
				break
			}
		}
		if !joined {
			out = append(out, t)
		}
	}
	return out
}

// once tells of what comes again and again between two faults, but for its numbers, the first time and the last two, with
// how often it came in between; of a mere step, the first time.
func once(all []Turn) (out []Turn) {
	from := 0
	for i := range all {
		if all[i].Fault || all[i].Apart {
			out = append(append(out, thinned(all[from:i])...), all[i])
			from = i + 1
		}
	}
	return append(out, thinned(all[from:])...)
}

func thinned(all []Turn) (out []Turn) {
	type who struct{ where, what string }
	times, at := make(map[who]int), make(map[who]int)
	keys := make([]who, len(all))
	for i, t := range all {
		keys[i] = who{t.Where, strings.Map(undigit, t.What)}
		times[keys[i]]++
	}
	for i, t := range all {
		n := times[keys[i]]
		at[keys[i]]++
		switch left := n - at[keys[i]]; {
		case n > mostTimesTold && t.weight == 1 && at[keys[i]] > 1:
			continue
		case n > mostTimesTold && t.weight == 1:
			t.What = fmt.Sprintf("(%d like this) %s", n, t.What)
		case n > mostTimesTold && at[keys[i]] > 1 && left > 1:
			continue
		case n > mostTimesTold && left == 1:
			t.What = fmt.Sprintf("(%d more in between) %s", n-mostTimesTold, t.What)
		}
		out = append(out, t)
	}
	return out
}

// undigit makes events that differ in their numbers one.
func undigit(c rune) rune {
	if c >= '0' && c <= '9' {
		return -1
	}
	return c
}

// faultText is a fault of the trace in the plan's words.
func faultText(p faults.Plan, id string) string {
	for i := range p {
		f := &p[i]
		if f.ID.String() != id {
			continue
		}
		text := f.ID.String()
		if f.Node > 0 {
			text += fmt.Sprintf(" of node %d", f.Node)
		}
		if f.Service != "" {
			text += " of " + f.Service
		}
		if f.Channel != (faults.Way{}) {
			text += " " + f.Channel.String()
		}
		if f.For > 0 {
			text += " for " + faults.Span(f.For)
		}
		switch {
		case !f.ID.Kind.Timed():
			text += ": " + f.Place.What
		case f.Before != "":
			text += ": before " + f.Before
		}
		return text
	}
	return id
}

// ends is where the failure shows: to the readers who prove it, in the machine that panics, or to the world.
func (t *telling) ends(o *Outcome) (out []Turn) {
	f := o.Run.Failure
	switch {
	case o.Broken == ExactlyOnce && len(o.Verdict.Failures) > 0 && len(o.Verdict.Failures[0].Seen) > 0:
		seen := o.Verdict.Failures[0].Seen
		for i, s := range seen[max(0, len(seen)-mostSightings):] {
			verb, end := "reads", ""
			if s.Absent {
				verb = "does not find"
			}
			if i == min(len(seen), mostSightings)-1 {
				end = ": " + o.Verdict.Failures[0].Kind.String()
			}
			out = append(out, Turn{At: sinceStart(s.Return), Where: s.Reader, What: fmt.Sprintf("%s %s/%d offset %d%s", verb, s.Topic, s.Partition, s.Offset, end), weight: 3})
		}
	case f != nil:
		first, _, _ := strings.Cut(f.Text, "\n")
		end := Turn{Step: f.Step, At: sinceStart(int64(f.At)), Where: "the world", What: f.Name + ": " + first, weight: 3}
		if f.Class == "panic" && t.event.Step == f.Step {
			end.Where, end.What = t.event.Where, fmt.Sprintf("panics when %s: %s", t.event.What, first)
		}
		out = append(out, end)
	}
	return out
}

// mostSightings bounds the reads that are told of a failure.
const mostSightings = 3

// sinceStart is a time of the world as one from the start of the run, which begins at one second.
func sinceStart(at int64) protocol.Duration { return protocol.Duration(at) - protocol.Second }
