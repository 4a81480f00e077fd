package protocoltest

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"weir/protocol"
	"weir/protocol/checkpoint"
)

// TestGolden runs the scripts of testdata. Their commands:
//
//	job [sources=2] [bounded] [next=42] [tolerable=0] [restarts=0]   makes a job, its bucket and its topics; next: a HEAD is there already
//	boot coordinator|worker [node=…] [workers=2,3]      begins a process
//	crash node=…                           ends one
//	stall node=…                           a process stands still: nothing reaches it, no timer fires; what it asked for may be late
//	wake                                   whatever stood still goes on
//	feed <topic>                           appends the lines below to a topic
//	deliver <machine> <words…>             delivers the oldest item on its way to the machine whose text has the words
//	answer <outcome> <machine> <words…>    delivers it with this outcome in place of the device's; [undone]: it did not take place
//	drop <machine> <words…>                it never arrives; [done]: the effect took place, its outcome is lost; [all]: all that fit
//	double <machine> <words…>              delivers it, and leaves it on its way
//	hold <machine>|* [<words…>]            keeps run, stabilize and advance from it; without words: from the machine, timers too
//	unhold                                 ends all holds
//	away <outcome> <machine>|* <words…>    run and stabilize answer so whatever fits; it does not take place
//	back                                   ends that
//	run <machine>                          delivers what is on its way to the machine until nothing is
//	stabilize [<duration>]                 delivers everything, lets time pass; prints notes and ends only
//	advance <duration>                     lets time pass: timers fire, nothing is delivered
//	step <machine>                         gives a machine the events below, as protocol.Parse reads them
//	abort <transactional id>               aborts its open transaction, as an operator might by hand
//	pending                                lists what is on its way
//	show head|manifest|bucket|<topic>      prints what is durable
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			s.out.Reset()
			if err := s.command(d); err != nil {
				if flag.Lookup("rewrite").Value.String() != "true" {
					t.Errorf("%s: %s: %v", d.Pos, d.Cmd, err)
				}
				return "error: " + err.Error() + "\n"
			}
			if s.out.Len() == 0 {
				return "-\n"
			}
			return s.out.String()
		})
	})
}

type script struct {
	w     *World
	out   strings.Builder
	brief bool
	holds []selector
	still []protocol.NodeID
	away  []absence
	inc   protocol.Incarnation
	texts map[*Item]string // of items, which do not change
}

// selector chooses an item: by the machine it is for and by words in its text.
type selector struct {
	machine string // "*": any
	words   []string
}

// absence is a service that answers something else for a while.
type absence struct {
	selector
	outcome protocol.Outcome
}

func (s *script) command(d *datadriven.TestData) error {
	s.brief = d.Cmd == "stabilize"
	switch d.Cmd {
	case "job":
		return s.job(d)
	case "boot":
		return s.boot(d)
	case "crash":
		s.w.Crash(node(d, 0))
	case "feed":
		for _, line := range strings.Fields(d.Input) {
			s.w.Log.Feed(d.CmdArgs[0].Key, 0, "", line)
		}
	case "deliver", "double":
		return s.deliver(args(d), d.Cmd == "double")
	case "drop":
		return s.drop(args(d))
	case "answer":
		return s.answer(args(d))
	case "hold":
		s.holds = append(s.holds, choose(args(d)))
	case "unhold":
		s.holds = nil
	case "stall":
		s.still = append(s.still, node(d, 0))
	case "wake":
		s.still = nil
	case "away":
		return s.leave(args(d))
	case "back":
		s.away = nil
	case "run":
		return s.run(d.CmdArgs[0].Key)
	case "stabilize", "advance":
		return s.pass(d)
	case "step":
		return s.step(d)
	case "abort":
		s.w.Log.own(protocol.TransactionalID(d.CmdArgs[0].Key))
	case "pending":
		s.pending()
	case "show":
		return s.show(d.CmdArgs[0].Key)
	default:
		return fmt.Errorf("there is no command %q", d.Cmd)
	}
	return nil
}

func args(d *datadriven.TestData) (list []string) {
	for _, a := range d.CmdArgs {
		list = append(list, a.String())
	}
	return list
}

func choose(args []string) selector { return selector{args[0], args[1:]} }

func (s selector) fits(m *Machine, text string) bool {
	if s.machine != "*" && (m == nil || m.Name != s.machine) {
		return false
	}
	return !slices.ContainsFunc(s.words, func(w string) bool { return !strings.Contains(text, w) })
}

func number(d *datadriven.TestData, key string, otherwise int) int {
	if a, ok := d.Arg(key); ok {
		if n, err := strconv.Atoi(a.Vals[0]); err == nil {
			return n
		}
	}
	return otherwise
}

func node(d *datadriven.TestData, home protocol.NodeID) protocol.NodeID {
	return protocol.NodeID(number(d, "node", int(home)))
}

func (s *script) job(d *datadriven.TestData) error {
	cfg := Config()
	cfg.Tolerable = number(d, "tolerable", cfg.Tolerable)
	cfg.RestartLimit = number(d, "restarts", cfg.RestartLimit)
	w, err := NewWorld(Words(number(d, "sources", 1), d.HasArg("bounded")), cfg)
	if err != nil {
		return err
	}
	*s = script{w: w, texts: map[*Item]string{}}
	w.Observe, w.Held, w.Manner = s.observe, s.held, s.manner
	if next := number(d, "next", 0); next > 0 {
		h := checkpoint.Head{Job: w.Plan.Graph.Name, Seq: 1, Epoch: 1, Attempt: 1, Next: protocol.CheckpointID(next)}
		w.Bucket.Put(checkpoint.HeadKey, h.Encode(nil))
	}
	for _, c := range w.Plan.Channels {
		fmt.Fprintf(&s.out, "channel %d: %s → %s\n", c.ID, w.taskName(c.From), w.taskName(c.To))
	}
	return nil
}

func (s *script) boot(d *datadriven.TestData) error {
	s.inc++
	switch d.CmdArgs[0].Key {
	case "coordinator":
		workers := []protocol.NodeID{WorkerNode}
		if a, ok := d.Arg("workers"); ok {
			workers = nil
			for _, v := range a.Vals {
				n, err := strconv.Atoi(v)
				if err != nil {
					return err
				}
				workers = append(workers, protocol.NodeID(n))
			}
		}
		s.w.BootCoordinator(node(d, CoordinatorNode), s.inc, workers...)
	case "worker":
		s.w.BootWorker(node(d, WorkerNode), s.inc)
	}
	return nil
}

// find is the oldest item that fits and can be delivered.
func (s *script) find(args []string) (*Item, error) {
	sel := choose(args)
	for _, it := range s.w.Items() {
		if sel.fits(s.to(it), s.describe(it)) {
			if !s.w.Ready(it) {
				return nil, fmt.Errorf("%s: something is before it, or nobody is there yet", s.describe(it))
			}
			return it, nil
		}
	}
	return nil, fmt.Errorf("nothing on its way fits %q", args)
}

// to is whom an item is for; for what a dead machine asked of a service, that machine.
func (s *script) to(it *Item) *Machine {
	if m := s.w.To(it); m != nil {
		return m
	}
	return it.From
}

// describe is an item as pending shows it.
func (s *script) describe(it *Item) string {
	text, ok := s.texts[it]
	switch {
	case ok:
		return text
	case it.Effect == nil:
		text = s.text(it.Event)
	default:
		text = s.text(it.Effect)
	}
	s.texts[it] = text
	return text
}

func last(args []string, word string) ([]string, bool) {
	if n := len(args) - 1; args[n] == word {
		return args[:n], true
	}
	return args, false
}

func (s *script) deliver(args []string, twice bool) error {
	it, err := s.find(args)
	if err != nil {
		return err
	}
	if it.From.dead {
		fmt.Fprintf(&s.out, "%s is dead, its request lands: %s\n", it.From.Name, s.describe(it))
	}
	s.w.Deliver(it, How{Keep: twice})
	return nil
}

func (s *script) drop(args []string) error {
	args, done := last(args, "done")
	args, all := last(args, "all")
	it, err := s.find(args)
	if err != nil {
		return err
	}
	for n := 0; err == nil && (all || n == 0); n++ {
		s.note(block("lost: ", s.describe(it)))
		s.w.Deliver(it, How{Silent: true, NotDone: !done})
		it, err = s.find(args)
	}
	return nil
}

func (s *script) answer(args []string) error {
	args, undone := last(args, "undone")
	it, err := s.find(args[1:])
	if err != nil {
		return err
	}
	o, err := outcome(args[0])
	if err == nil {
		s.w.Deliver(it, How{Outcome: o, NotDone: undone})
	}
	return err
}

func outcome(name string) (protocol.Outcome, error) {
	for o := protocol.OK; o <= protocol.Corrupt; o++ {
		if o.String() == name {
			return o, nil
		}
	}
	return 0, fmt.Errorf("there is no outcome %q", name)
}

func (s *script) leave(args []string) error {
	o, err := outcome(args[0])
	s.away = append(s.away, absence{choose(args[1:]), o})
	return err
}

// manner is the rule of World.Manner: a service that is away answers so.
func (s *script) manner(it *Item) How {
	for _, a := range s.away {
		if a.fits(s.to(it), s.describe(it)) {
			return How{Outcome: a.outcome, NotDone: true}
		}
	}
	return How{}
}

// held is the rule of World.Held: some hold fits. Without words a hold is for the machine and its timers.
func (s *script) held(m *Machine, it *Item) bool {
	if m != nil && slices.Contains(s.still, m.Self.Node) {
		return true
	}
	for _, h := range s.holds {
		if it == nil && len(h.words) == 0 && h.fits(m, "") || it != nil && (m != nil || h.machine == "*") && h.fits(m, s.describe(it)) {
			return true
		}
	}
	return false
}

// run delivers everything for one machine.
func (s *script) run(name string) error {
	for range runaway {
		at := slices.IndexFunc(s.w.Items(), func(it *Item) bool {
			m := s.w.To(it)
			return m != nil && m.Name == name && s.w.Ready(it) && !s.held(m, it)
		})
		if at < 0 {
			return nil
		}
		it := s.w.Items()[at]
		s.w.Deliver(it, s.manner(it))
	}
	return fmt.Errorf("%s goes round in circles", name)
}

func (s *script) pass(d *datadriven.TestData) error {
	until := s.w.Now()
	if len(d.CmdArgs) > 0 {
		text := d.CmdArgs[0].Key
		digits := strings.TrimRight(text, "ms")
		n, err := strconv.Atoi(digits)
		if err != nil {
			return fmt.Errorf("%q is no duration in s or ms", text)
		}
		unit := map[string]protocol.Duration{"s": protocol.Second, "ms": protocol.Millisecond}[text[len(digits):]]
		until = until.Add(protocol.Duration(n) * unit)
	}
	s.w.Pass(until, d.Cmd == "stabilize")
	return nil
}

func (s *script) step(d *datadriven.TestData) error {
	m := s.w.Find(d.CmdArgs[0].Key)
	if m == nil {
		return fmt.Errorf("no machine is called %q", d.CmdArgs[0].Key)
	}
	for line := range strings.Lines(d.Input) {
		v, err := protocol.Parse(line)
		if err != nil {
			return err
		}
		ev, ok := v.(protocol.Event)
		if !ok {
			return fmt.Errorf("%q is no event", line)
		}
		s.w.Step(m, ev)
	}
	return nil
}

// observe prints a step: the event, below it the effects. In brief: only what is decided.
func (s *script) observe(m *Machine, ev protocol.Event, effects []protocol.Effect) {
	var b strings.Builder
	for _, ef := range effects {
		switch {
		case s.brief && decision(ef):
			s.note(block(fmt.Sprintf("%-12s ", m.Name), s.text(ef)))
		case !s.brief && !plumbing(ef):
			b.WriteString(block("    ", s.text(ef)))
		}
	}
	if !s.brief && (b.Len() > 0 || !routine(ev)) {
		s.out.WriteString(block("", m.Name+" ← "+s.text(ev)) + b.String())
	}
}

// note prints a line, unless it says again what the last one said.
func (s *script) note(line string) {
	if !strings.HasSuffix(s.out.String(), line) {
		s.out.WriteString(line)
	}
}

// routine reports whether an event that has no effect is not printed.
func routine(ev protocol.Event) bool {
	switch ev.(type) {
	case protocol.Resumed, protocol.Granted, protocol.Woken:
		return true
	}
	return false
}

// decision reports whether an effect is printed in brief.
func decision(ef protocol.Effect) bool {
	switch ef.(type) {
	case protocol.Note, protocol.Fail, protocol.Exit:
		return true
	}
	return false
}

func (s *script) pending() {
	for _, it := range s.w.Items() {
		if _, ok := it.Effect.(protocol.Resume); !ok {
			s.out.WriteString(block(fmt.Sprintf("%-12s ", s.to(it).Name), s.describe(it)))
		}
	}
}

func (s *script) show(what string) error {
	switch what {
	case "head":
		h, err := checkpoint.DecodeHead(s.w.Bucket.Body(checkpoint.HeadKey))
		if err != nil {
			return err
		}
		s.out.WriteString(block("", s.text(*h)))
	case "manifest":
		return s.showManifests()
	case "bucket":
		for _, k := range s.w.Bucket.Keys {
			fmt.Fprintf(&s.out, "%s: %d bytes\n", k, len(s.w.Bucket.Body(k)))
		}
	default:
		for _, r := range s.w.Log.Committed(what, 0) {
			fmt.Fprintf(&s.out, "%d: %s %s\n", r.Offset, r.Key, r.Value)
		}
		for _, id := range s.w.Log.Open("") {
			fmt.Fprintf(&s.out, "open: %s\n", id)
		}
	}
	return nil
}

func (s *script) showManifests() error {
	for _, k := range s.w.Bucket.Keys {
		if strings.HasPrefix(string(k), "manifest/") {
			m, err := checkpoint.DecodeManifest(s.w.Bucket.Body(k))
			if err != nil {
				return err
			}
			s.out.WriteString(block("", s.text(*m)))
		}
	}
	return nil
}
