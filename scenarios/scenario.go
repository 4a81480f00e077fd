package scenarios

import (
	"weir"
	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/protocol/job"
	"weir/sim"
)

// Scenario is a situation. A seed draws everything that it leaves open.
type Scenario struct {
	Name  string
	About string // one line
	// Test says that it is a user's test, of that name: files of its runs say so, and only that test can run them.
	Test bool

	Factory func() *weir.Job
	// Second, unless nil, is a job that reads what the first one writes.
	Second     *Second
	Inputs     []Input
	Outputs    []Output
	Partitions int // of every topic
	// Parallelism is what the job is meant for; seeds draw others too unless Fixed.
	Parallelism int
	Fixed       bool
	// Processes fixes how many processes there are; zero: drawn.
	Processes int
	// Finishes says that the job's input is bounded: it must end by itself.
	Finishes bool
	// Stops says that the operator stops one seed in eight on the way.
	Stops bool
	// Robbed says that in one seed in twelve transactions may be taken away, so that the job has to say LOST.
	Robbed bool
	// AbortedTail ends every input with a transaction that is aborted.
	AbortedTail bool
	// Interval is between checkpoints; zero: drawn.
	Interval protocol.Duration
	// RestartLimit is the protocol's; zero: so high that faults never reach it.
	RestartLimit int
	Spec         checker.Spec
	// Judge judges what was seen; nil: the checker does, by Spec.
	Judge func(*checker.History) checker.Verdict
	// Readings is what Judge holds against what, for explanations; nil: all against Spec.
	Readings func(*checker.History) []Reading
}

// Reading is what was seen, or a part of it, and what is expected of it.
type Reading struct {
	History checker.History
	Spec    checker.Spec
}

// Second is a second job on the same broker, with processes, a configuration and a bucket of its own.
type Second struct {
	Factory     func() *weir.Job
	Parallelism int
}

// Input is a topic that clients outside the job write.
type Input struct {
	Topic string
	// Make is the value of record i; key is a drawn number.
	Make func(i, key int) []byte
	Keys int // numbers drawn for key, from 0
	// Records is how many there are at most; zero: drawn, as many for each input. A file may ask for fewer.
	Records int
	// Key, if set, is the key of record i. Records of one key are in one partition; those whose key is nil are in any.
	Key func(i int) []byte
}

// Output is a topic that a job writes. Count is how many records it must hold in the end for n records in each input.
type Output struct {
	Topic string
	Count func(n int) int
}

// Options says how a seed is run.
type Options struct {
	Limit  faults.Profile // what seeds draw their profile from
	Off    sim.Checks     // invariants not to check
	Trace  func(line string)
	Replay bool
	Only   []faults.ID // with Replay
}

// Outcome is what a seed came to.
type Outcome struct {
	Scenario string
	Seed     uint64
	Run      sim.Result
	Verdict  checker.Verdict
	// Broken names the invariant that failed, or is empty. ExactlyOnce is the checker's.
	Broken  string
	Message string
	Unknown bool // the checker reached a limit: not a pass
}

// ExactlyOnce is the name of what the checker judges.
const ExactlyOnce = "exactly-once"

// Passed reports whether everything held.
func (o *Outcome) Passed() bool { return o.Broken == "" && !o.Unknown }

// Run runs one seed. The same seed and options give the same outcome, in every process.
//
// A run that came to its end, also one that is stuck there or whose job gave up by itself, is judged as drained: what is
// missing then is lost. One that was stopped on the way is not.
func (s *Scenario) Run(seed uint64, opt Options) Outcome {
	return s.outcome(seed, s.config(seed, opt))
}

// outcome runs and judges.
func (s *Scenario) outcome(seed uint64, cfg sim.Config) Outcome {
	r := sim.Run(cfg)
	// A job that stands still, or has ended though nobody asked it to, will never write what it owes: that is lost to readers.
	over := r.Failure != nil && (r.Failure.Class == "stuck" || r.Failure.Class == "verdict")
	h := r.History.Checker(cfg.Expect != protocol.Stopped && (r.Failure == nil || over))
	o := Outcome{Scenario: s.Name, Seed: seed, Run: r, Verdict: s.judge(&h)}
	switch {
	case r.SaidLost:
		o.Verdict = checker.Verdict{Result: checker.Pass, Scope: o.Verdict.Scope}
	case o.Verdict.Result == checker.Fail && !over:
		o.Broken, o.Message = ExactlyOnce, o.Verdict.String()
	case r.Failure != nil:
		o.Broken, o.Message = r.Failure.Name, r.Failure.Error()
	case o.Verdict.Result == checker.Unknown:
		o.Unknown, o.Message = true, o.Verdict.String()
	}
	return o
}

func (s *Scenario) judge(h *checker.History) checker.Verdict {
	if s.Judge != nil {
		return s.Judge(h)
	}
	return checker.Check(h, s.Spec)
}

// plan spreads a job; a scenario that cannot be planned is a programming error.
func (s *Scenario) plan(factory func() *weir.Job, cfg protocol.Config) *job.Plan {
	g, err := weir.Graph(factory)
	protocol.Assert(err == nil, s.Name+": its job cannot be built")
	p, err := job.NewPlan(g, cfg)
	protocol.Assert(err == nil, s.Name+": its job cannot be planned")
	return p
}
