package job_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/protocol"
	"weir/protocol/protocoltest"
)

// situation is a run in which every kind of wait occurs. It ends well when a checkpoint seals, or the job finishes.
type situation struct {
	name    string
	bounded bool
	ends    protocol.VerdictKind // zero: it goes on
	sources int
	workers int
	until   protocol.Duration // of the run in which nothing is lost
	// at is called once per second, before anything of that second is delivered.
	at func(r *waitRun, second int)
}

var (
	firstWorker  = protocoltest.WorkerNode
	secondWorker = protocoltest.WorkerNode + 1
)

func situations() []situation {
	return []situation{
		{name: "steady", sources: 1, workers: 1, until: 32 * protocol.Second},
		{name: "bounded", bounded: true, ends: protocol.Finished, sources: 2, workers: 1, until: 10 * protocol.Second},
		{name: "two workers", sources: 2, workers: 2, until: 23 * protocol.Second},
		{name: "worker reborn", sources: 1, workers: 1, until: 40 * protocol.Second, at: func(r *waitRun, second int) {
			if second == 15 {
				r.w.Crash(firstWorker)
				r.w.BootWorker(firstWorker, 77)
			}
		}},
		{name: "worker reborn twice", sources: 1, workers: 1, until: 55 * protocol.Second, at: func(r *waitRun, second int) {
			switch second {
			case 8, 28:
				r.hold = confirms // so that recovery has something to commit
			case 15, 35:
				r.w.Crash(firstWorker)
				r.w.BootWorker(firstWorker, protocol.Incarnation(70+second))
				r.hold = nil
			}
		}},
		{name: "stopped", sources: 1, workers: 2, ends: protocol.Stopped, until: 20 * protocol.Second, at: func(r *waitRun, second int) {
			if second == 15 {
				r.w.Step(r.w.Find("coordinator"), protocol.StopAsked{})
			}
		}},
		{name: "coordinator reborn", sources: 1, workers: 1, until: 40 * protocol.Second, at: func(r *waitRun, second int) {
			if second == 15 {
				r.w.Crash(protocoltest.CoordinatorNode)
				r.w.BootCoordinator(protocoltest.CoordinatorNode, 78, r.workers()...)
			}
		}},
		{name: "died between decision and commit", sources: 1, workers: 1, until: 45 * protocol.Second, at: func(r *waitRun, second int) {
			switch second {
			case 8:
				r.hold = confirms
			case 15:
				r.w.Crash(protocoltest.CoordinatorNode)
				r.w.Crash(firstWorker)
				r.w.BootCoordinator(protocoltest.CoordinatorNode, 79, r.workers()...)
				r.w.BootWorker(firstWorker, 80)
				r.hold = nil
			}
		}},
		{name: "checkpoint aborted", sources: 2, workers: 1, until: 55 * protocol.Second, at: func(r *waitRun, second int) {
			switch second {
			case 8:
				r.hold = uploads
			case 32:
				r.hold = nil
			}
		}},
	}
}

// waitRun is one run of a situation in which at most one event is lost.
type waitRun struct {
	situation
	w     *protocoltest.World
	hold  func(*protocoltest.Item) bool // what is held back for a while
	notes []noted

	lose   int    // number of the event to lose, from 0; negative: none
	undone bool   // its effect does not take place either
	seen   []bool // events that could be lost so far: whether it matters if the effect took place
	lost   *protocoltest.Item
	when   protocol.Time
	wait   protocol.Wait // what the machine waits for in vain
	acted  string        // what ended that
}

type noted struct {
	kind protocol.NoteKind
	at   protocol.Time
}

func newWaitRun(t *testing.T, s situation, lose int, undone bool) *waitRun {
	t.Helper()
	w, err := protocoltest.NewWorld(protocoltest.Words(s.sources, s.bounded), protocoltest.Config())
	if err != nil {
		t.Fatal(err)
	}
	r := &waitRun{situation: s, w: w, lose: lose, undone: undone}
	w.Observe, w.Manner, w.Held = r.observe, r.manner, r.held
	w.BootCoordinator(protocoltest.CoordinatorNode, 1, r.workers()...)
	for _, n := range r.workers() {
		w.BootWorker(n, protocol.Incarnation(10+n))
	}
	return r
}

func (r *waitRun) workers() []protocol.NodeID {
	return []protocol.NodeID{firstWorker, secondWorker}[:r.situation.workers]
}

func (r *waitRun) held(_ *protocoltest.Machine, it *protocoltest.Item) bool {
	return r.hold != nil && it != nil && r.hold(it)
}

func confirms(it *protocoltest.Item) bool {
	tell, _ := it.Effect.(protocol.Tell)
	_, ok := tell.Message.(protocol.Confirm)
	return ok
}

// uploads are writes of runs.
func uploads(it *protocoltest.Item) bool {
	s, ok := it.Effect.(protocol.Store)
	return ok && strings.HasPrefix(string(s.Key), "data/")
}

// losable are outcomes of services and messages. Frames, credit and what a driver itself owes are never lost.
func losable(it *protocoltest.Item) bool {
	switch it.Effect.(type) {
	case nil, protocol.Resume, protocol.Send, protocol.Grant:
		return false
	}
	return true
}

// lasting reports whether an effect changes bucket or log.
func lasting(ef protocol.Effect) bool {
	switch ef.(type) {
	case protocol.Store, protocol.Delete, protocol.OpenSlot, protocol.Produce, protocol.Flush, protocol.EndTxn, protocol.Fence, protocol.Erase:
		return true
	}
	return false
}

// manner counts what could be lost, and loses one.
func (r *waitRun) manner(it *protocoltest.Item) protocoltest.How {
	if !losable(it) {
		return protocoltest.How{}
	}
	r.seen = append(r.seen, lasting(it.Effect))
	if len(r.seen) != r.lose+1 {
		r.repeated(it)
		return protocoltest.How{}
	}
	r.lost, r.when = it, r.w.Now()
	for _, wait := range it.From.Pending() {
		if wait.Op != 0 && wait.Op == opOf(it.Effect) {
			r.wait = wait
		}
		if p, ok := it.Effect.(protocol.Produce); ok && wait.What == "answers of "+string(p.ID) {
			r.wait = wait
		}
	}
	return protocoltest.How{Silent: true, NotDone: r.undone}
}

// repeated notices that a message is sent again.
func (r *waitRun) repeated(it *protocoltest.Item) {
	if r.lost == nil || r.acted != "" {
		return
	}
	was, ok := r.lost.Effect.(protocol.Tell)
	is, ok2 := it.Effect.(protocol.Tell)
	if ok && ok2 && it.From == r.lost.From && is.To == was.To && fmt.Sprintf("%T", is.Message) == fmt.Sprintf("%T", was.Message) {
		r.acted = "told again"
	}
}

// opOf is the op of an effect, or zero.
func opOf(ef protocol.Effect) protocol.OpID {
	switch ef := ef.(type) {
	case protocol.Store:
		return ef.Op
	case protocol.Load:
		return ef.Op
	case protocol.Delete:
		return ef.Op
	case protocol.Survey:
		return ef.Op
	case protocol.Fetch:
		return ef.Op
	case protocol.OpenSlot:
		return ef.Op
	case protocol.Flush:
		return ef.Op
	case protocol.EndTxn:
		return ef.Op
	case protocol.ReadLedger:
		return ef.Op
	case protocol.Fence:
		return ef.Op
	case protocol.Erase:
		return ef.Op
	case protocol.ListTxns:
		return ef.Op
	}
	return 0
}

func (r *waitRun) observe(m *protocoltest.Machine, _ protocol.Event, effects []protocol.Effect) {
	for _, ef := range effects {
		if n, ok := ef.(protocol.Note); ok {
			r.notes = append(r.notes, noted{n.Kind, r.w.Now()})
		}
	}
	if r.wait.Deadline == 0 || r.acted != "" || m != r.lost.From || r.w.Now() == r.when {
		return
	}
	if !slices.ContainsFunc(m.Pending(), func(w protocol.Wait) bool { return w.Op == r.wait.Op && w.What == r.wait.What }) {
		r.acted = fmt.Sprintf("deadline of %q", generic(r.wait.What))
		if r.w.Now() < r.wait.Deadline {
			r.acted = "nobody waits any more"
		}
	}
}

// generic leaves out what differs between equal waits.
func generic(what string) string {
	if i := strings.Index(what, " of "); i >= 0 && strings.ContainsAny(what[i+4:], "/") {
		return what[:i+4] + strings.Split(what[i+4:], "/")[0] + "/…"
	}
	return what
}

// second lets one second pass; input comes in.
func (r *waitRun) second(n int) {
	if r.at != nil {
		r.at(r, n)
	}
	if n < 40 {
		for s := range r.sources {
			topic := []string{protocoltest.Input, protocoltest.Input + "2"}[s]
			r.w.Log.Feed(topic, 0, "", fmt.Sprintf("word%d", n%3))
		}
	}
	r.w.Pass(protocol.Time(n+1)*protocol.Time(protocol.Second), true)
}

// well reports whether it has ended well since the loss.
func (r *waitRun) well() bool {
	if r.ends != 0 {
		return len(r.w.Verdicts) > 0 && r.w.Verdicts[0].Kind == r.ends
	}
	return slices.ContainsFunc(r.notes, func(n noted) bool {
		return n.kind == protocol.NoteSealed && n.at > r.when && n.at > protocol.Time(r.until)
	})
}

// violence counts what an attempt or a checkpoint has ended by.
func (r *waitRun) violence() (n int) {
	for _, x := range r.notes {
		if x.kind == protocol.NoteRestart || x.kind == protocol.NoteTimedOut {
			n++
		}
	}
	return n
}

// fatal reports whether the loss of an answer ends the attempt, by design.
func fatal(ef protocol.Effect) bool {
	switch ef.(type) {
	case protocol.Produce, protocol.Flush:
		return true
	}
	return false
}

// overdue is a wait whose deadline has passed and that nobody has acted on, or "".
func (r *waitRun) overdue() string {
	late := protocol.Duration(2 * protocol.Second) // what tasks owe is looked at once per heartbeat
	for _, m := range r.w.Machines() {
		for _, w := range m.Pending() {
			if w.Deadline.Add(late) < r.w.Now() {
				return fmt.Sprintf("%s waits for %q since its deadline, %d ms ago", m.Name, w.What, r.w.Now().Sub(w.Deadline)/protocol.Millisecond)
			}
		}
	}
	return ""
}

// bound is how long after the undisturbed run a disturbed one may need: a region that times out, restarts, times out
// on getting ready, restarts again, and seals.
func bound(c protocol.Config) protocol.Duration {
	restart := c.NodeTimeout + c.RestartDelay + c.Timeout + 4*c.IOTimeout
	return protocol.Duration(1+c.Tolerable)*(c.Timeout+c.Interval) + 2*restart + 2*c.Interval
}

// finish runs to the end; it returns what is wrong.
func (r *waitRun) finish() string {
	end := int((r.until + bound(protocoltest.Config())) / protocol.Second)
	for n := range end {
		r.second(n)
		if late := r.overdue(); late != "" {
			return late
		}
		if protocol.Duration(n+1)*protocol.Second >= r.until && r.well() {
			return r.wrong()
		}
	}
	return "no checkpoint seals any more"
}

// wrong says which count is missing or doubled in the output, or "".
func (r *waitRun) wrong() string {
	counts := map[string]int{}
	for _, rec := range r.w.Log.Committed(protocoltest.Output, 0) {
		counts[rec.Key]++
		if want := fmt.Sprint(counts[rec.Key]); rec.Value != want {
			return fmt.Sprintf("output offset %d: %s is %s, want %s", rec.Offset, rec.Key, rec.Value, want)
		}
	}
	if len(counts) == 0 && r.ends != protocol.Stopped { // a stop before the first seal leaves nothing
		return "nothing was ever committed"
	}
	return ""
}

// TestEveryWaitEnds runs each situation once undisturbed, and then once for each outcome and each message of that run,
// with that one lost: its effect took place, or not. Within a bounded time a checkpoint seals again.
func TestEveryWaitEnds(t *testing.T) {
	for _, s := range situations() {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) {
			calm := newWaitRun(t, s, -1, false)
			if wrong := calm.finish(); wrong != "" {
				t.Fatalf("undisturbed: %s", wrong)
			}
			acted := map[string]int{}
			for lose, lasting := range calm.seen {
				loseOne(t, calm, lose, false, acted)
				if lasting {
					loseOne(t, calm, lose, true, acted)
				}
			}
			report(t, acted)
		})
	}
}

func loseOne(t *testing.T, calm *waitRun, lose int, undone bool, acted map[string]int) {
	t.Helper()
	r := newWaitRun(t, calm.situation, lose, undone)
	wrong := r.finish()
	if wrong == "" && r.violence() > calm.violence() && !fatal(r.lost.Effect) {
		wrong = "a checkpoint timed out, or the region restarted, for want of one answer"
	}
	name := r.w.Name(r.lost.From.Self) + ": " + kind(r.lost.Effect)
	if wrong != "" {
		t.Errorf("event %d, lost at %d ms (undone %v): %s\n  %s\n  %s", lose, r.when/protocol.Time(protocol.Millisecond), undone, wrong, name, protocol.Format(r.lost.Effect))
	}
	if r.acted == "" {
		r.acted = "nothing needed it"
	}
	acted[fmt.Sprintf("%-40s %s", name, r.acted)]++
}

// kind is an effect's name, and its message's.
func kind(ef protocol.Effect) string {
	if tell, ok := ef.(protocol.Tell); ok {
		text, _, _ := strings.Cut(protocol.Format(tell.Message), " ")
		return text
	}
	text, _, _ := strings.Cut(protocol.Format(ef), " ")
	return text
}

func report(t *testing.T, acted map[string]int) {
	t.Helper()
	var lines []string
	for line, n := range acted {
		lines = append(lines, fmt.Sprintf("%s (%d)", line, n))
	}
	slices.Sort(lines)
	t.Log("lost, and what ended the wait:\n" + strings.Join(lines, "\n"))
}
