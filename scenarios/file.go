package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"weir/faults"
	"weir/protocol"
	"weir/sim"
	"weir/sim/broker"
)

// FileVersion is the version of the text of scenario files.
const FileVersion = 1

// File is one run, written down: topology, input, explicit faults, and what is expected to come out. What it leaves open
// is drawn from streams of its own seed.
type File struct {
	// Comment is what the lines on top say, without their marks.
	Comment []string
	// Expect is the Sort of the outcome.
	Expect   string
	Scenario string // or the test's name
	Seed     uint64
	// Records is how many there are in each input, of a test no more than it has; their keys are as many as the scenario
	// says, divided by Fewer. They come Slower times slower than usual, zero for one.
	Records, Fewer, Slower int
	// Kafka is what the broker runs; Lag is how long it holds up reads that wait.
	Kafka broker.Release
	Lag   protocol.Duration
	// Robbed says that transactions may be taken away, which nobody can defend: the job may have to say LOST.
	Robbed bool
	// Horizon is when faults end; Stop, if above zero, is when the operator asks the job to stop.
	Horizon, Stop protocol.Duration
	// Even, if above zero, is how long everything takes that no fault holds up.
	Even protocol.Duration
	// Off are invariants that are not checked.
	Off sim.Checks
	// Jobs are one or two.
	Jobs []Setup
	Plan faults.Plan

	scenario *Scenario // of the name
}

// Setup is one job's processes and configuration.
type Setup struct {
	Topology sim.Topology
	Config   protocol.Config
}

// fileSteps bounds the run of a file, which may be a stranger's.
const fileSteps = 5_000_000

// File writes down the run of a seed. The second result is the outcome of that run.
func (s *Scenario) File(seed uint64, opt Options) (*File, Outcome) {
	choice := faults.NewChoice(seed)
	d := s.draw(choice)
	cfg := s.configOf(seed, d, opt)
	s.end(&cfg, choice)
	cfg.Record = true
	o := s.outcome(seed, cfg)
	f := &File{
		Expect: o.Sort(), Scenario: s.Name, Seed: seed, Records: d.records, Fewer: d.fewer, Slower: d.slower, Kafka: d.release, Lag: d.lag, Robbed: d.robbed,
		Horizon: o.Run.Horizon, Stop: cfg.StopAfter, Off: opt.Off, Plan: o.Run.Plan, scenario: s,
	}
	for at := &d; at != nil; at = at.second {
		f.Jobs = append(f.Jobs, Setup{at.topology, at.cfg})
	}
	return f, o
}

// Sort is what an outcome amounts to: "pass", "unknown", "fail exactly-once", or "fail" with the class and the name of a
// failure. A shrink keeps it.
func (o *Outcome) Sort() string {
	switch {
	case o.Unknown:
		return "unknown"
	case o.Passed():
		return "pass"
	case o.Broken == ExactlyOnce || o.Run.Failure == nil:
		return "fail " + ExactlyOnce
	}
	return "fail " + o.Run.Failure.Class + " " + o.Run.Failure.Name
}

// Watching says how a file is run.
type Watching struct {
	// Trace gets every event and effect as text, See with the words of the job.
	Trace func(line string)
	See   func(sim.Seen)
	// Lenient lets faults whose place does not come strike at the time when they struck before.
	Lenient bool
}

// Run runs the file. What did not strike is in the outcome's Run.Missed; what did is, explicit, in Run.Plan.
func (f *File) Run(opt Watching) Outcome {
	cfg := f.config(f.scenario)
	cfg.Trace, cfg.See, cfg.Lenient = opt.Trace, opt.See, opt.Lenient
	return f.scenario.outcome(f.Seed, cfg)
}

func (f *File) config(s *Scenario) sim.Config {
	d := f.drawn(0)
	cfg := s.configOf(f.Seed, *d, Options{Off: f.Off})
	cfg.Plan, cfg.Record, cfg.Even = append(faults.Plan{}, f.Plan...), true, f.Even
	cfg.Limits.Horizon, cfg.Limits.Steps, cfg.StopAfter = f.Horizon, fileSteps, f.Stop
	switch {
	case s.Finishes:
		cfg.Expect = protocol.Finished
	case f.Stop > 0:
		cfg.Expect = protocol.Stopped
	}
	return cfg
}

func (f *File) drawn(job int) *drawn {
	if job == len(f.Jobs) {
		return nil
	}
	return &drawn{
		cfg: f.Jobs[job].Config, topology: f.Jobs[job].Topology, records: f.Records, fewer: f.Fewer, slower: f.Slower, release: f.Kafka, lag: f.Lag, robbed: f.Robbed, second: f.drawn(job + 1),
	}
}

// Words says what comes out of a run of the file, as its comment; more is added.
func (f *File) Words(o *Outcome, more ...string) (out []string) {
	p := f.scenario.proof(o)
	if o.Passed() {
		return append([]string{o.Sort()}, more...)
	}
	out = append(out, o.Sort()+":", "  "+p.Verdict)
	for i, line := range p.Evidence {
		if i == mostEvidence {
			out = append(out, "  …")
			break
		}
		out = append(out, "  "+short(line, 160))
	}
	return append(out, more...)
}

// mostEvidence bounds the lines of a comment that a failure makes.
const mostEvidence = 10

// Minimised is what a shrink has said in the comment that it came to, or nothing.
func (f *File) Minimised() string {
	for _, line := range f.Comment {
		if strings.HasPrefix(line, minimised) {
			return line
		}
	}
	return ""
}

// With is a copy of the file with another plan.
func (f *File) With(p faults.Plan) *File {
	c := *f
	c.Jobs = append([]Setup{}, f.Jobs...)
	c.Plan = append(faults.Plan{}, p...)
	return &c
}

// String is the file's text, as ParseFile reads it.
func (f *File) String() string {
	var b strings.Builder
	for _, line := range f.Comment {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	word := "scenario"
	if f.scenario.Test {
		word = "test"
	}
	fmt.Fprintf(&b, "weir-scenario %d\nexpect %s\n%s %s\nseed %#x\n", FileVersion, f.Expect, word, f.Scenario, f.Seed)
	fmt.Fprintf(&b, "input records=%d", f.Records)
	if !f.scenario.Test {
		fmt.Fprintf(&b, " fewer=%d", f.Fewer)
	}
	if f.Slower > 1 {
		fmt.Fprintf(&b, " slower=%d", f.Slower)
	}
	b.WriteByte('\n')
	fmt.Fprintf(&b, "run horizon=%s kafka=%s", faults.Span(int64(f.Horizon)), f.Kafka)
	if f.Lag > 0 {
		fmt.Fprintf(&b, " lag=%s", faults.Span(int64(f.Lag)))
	}
	if f.Stop > 0 {
		fmt.Fprintf(&b, " stop=%s", faults.Span(int64(f.Stop)))
	}
	if f.Even > 0 {
		fmt.Fprintf(&b, " even=%s", faults.Span(int64(f.Even)))
	}
	if f.Robbed {
		b.WriteString(" robbed=true")
	}
	if f.Off != 0 {
		fmt.Fprintf(&b, " unchecked=%s", checksText(f.Off))
	}
	b.WriteByte('\n')
	for i := range f.Jobs {
		f.Jobs[i].text(&b, []string{"", "-2"}[i])
	}
	for i := range f.Plan {
		fmt.Fprintf(&b, "fault %s\n", f.Plan[i].String())
	}
	return b.String()
}

func (s *Setup) text(b *strings.Builder, suffix string) {
	fmt.Fprintf(b, "processes%s coordinators=%s workers=%s\n", suffix, nodesText(s.Topology.Coordinators), nodesText(s.Topology.Workers))
	fields := slices.DeleteFunc(configFields(&s.Config), func(f configField) bool { return f.yes != nil && !*f.yes })
	for i, field := range fields {
		if i%6 == 0 {
			fmt.Fprintf(b, "config%s", suffix)
		}
		fmt.Fprintf(b, " %s=%s", field.name, field.text())
		if i%6 == 5 || i == len(fields)-1 {
			b.WriteByte('\n')
		}
	}
}

func nodesText(list []protocol.NodeID) string {
	var out []string
	for _, n := range list {
		out = append(out, fmt.Sprint(n))
	}
	return strings.Join(out, ",")
}

// allChecks is every invariant that can be left unchecked.
func allChecks() (list []sim.Checks) {
	for c := sim.CheckCut; c <= sim.CheckCalm; c <<= 1 {
		list = append(list, c)
	}
	return list
}

func checksText(off sim.Checks) string {
	var out []string
	for _, c := range allChecks() {
		if off&c != 0 {
			out = append(out, c.String())
		}
	}
	return strings.Join(out, ",")
}
