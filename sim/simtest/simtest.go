package simtest

import (
	"errors"
	"fmt"
	"testing"

	"weir"
	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/protocol/job"
	"weir/scenarios"
)

const (
	defaultSeeds      = 200
	defaultPartitions = 3
	// mostTasks is the number of key groups in simulated runs.
	mostTasks = 16
	// restartLimit is more restarts in a row than faults cause: a job that needs more fails by itself.
	restartLimit = 100
	// again is how many seeds lie between those that are run twice although they passed.
	again = 8
)

// Check runs the job under faults, once per seed, and fails the test at the first seed whose output is not what the
// models say. It needs an [Input] or [Records] for every topic that the job reads, and an [Output] or [Ignore] for every
// topic that it writes.
func Check(t testing.TB, factory func() *weir.Job, opts ...Option) {
	t.Helper()
	c := &check{t: t, seeds: defaultSeeds, limit: faults.Full(), scenario: scenarios.Scenario{
		Name: t.Name(), Factory: factory, Partitions: defaultPartitions, Parallelism: 2, RestartLimit: restartLimit,
	}}
	for _, set := range opts {
		set(c)
	}
	first, n, err := c.choose()
	if err = errors.Join(err, c.complete()); err != nil {
		t.Fatalf("simtest: %v", err)
	}
	for i := range uint64(n) {
		c.run(first+i, int(i), n)
	}
	if c.unknown != nil {
		t.Fatal(c.unknown.String())
	}
	t.Logf("ok: %d seeds from %#x, %d outputs judged; %d restarts, %d faults struck: %s", n, first, c.judged, c.restarts, c.struck.Total(), tally(&c.struck))
}

// An Option says what Check does.
type Option func(*check)

// check is a call of Check.
type check struct {
	t        testing.TB
	scenario scenarios.Scenario
	seeds    int
	limit    faults.Profile
	inputs   []input
	outputs  []output
	ignored  []string
	errs     []error

	struck   faults.Counts
	restarts uint64
	judged   int
	unknown  *failure // the first seed that could not be judged
}

// Record is a record of a topic.
type Record struct {
	Topic      string // set by Check
	Key, Value []byte
}

type input struct {
	topic   string
	records []Record
}

type output struct {
	topic string
	model Model
}

// Input gives a topic that the job reads its values. They are appended in this order over the virtual time of a run,
// each to a partition that the seed draws, some in transactions, and some of these are aborted and repeated.
func Input(topic string, values ...string) Option {
	records := make([]Record, len(values))
	for i, v := range values {
		records[i].Value = []byte(v)
	}
	return Records(topic, records)
}

// Records is Input with keys. Records of one key, unless it is nil, are in one partition.
func Records(topic string, records []Record) Option {
	return func(c *check) { c.inputs = append(c.inputs, input{topic, records}) }
}

// Output says what the job must write to a topic.
func Output(topic string, m Model) Option {
	return func(c *check) { c.outputs = append(c.outputs, output{topic, m}) }
}

// Ignore says that a topic that the job writes is not judged.
func Ignore(topics ...string) Option {
	return func(c *check) { c.ignored = append(c.ignored, topics...) }
}

// Faults says which families of faults may strike; without it all may, with Faults() none.
func Faults(families ...Family) Option {
	return func(c *check) {
		c.limit = faults.Calm()
		for k := range faults.Kind(faults.Kinds) {
			for _, f := range families {
				if f == family(k) {
					c.limit[k] = faults.Full()[k]
				}
			}
		}
	}
}

// Parallelism fixes the number of tasks of each stage, 1 to 16; without it a seed draws 1 to 3.
func Parallelism(n int) Option {
	return func(c *check) {
		c.scenario.Parallelism, c.scenario.Fixed = n, true
		c.want(n >= 1 && n <= mostTasks, "Parallelism(%d): it must be 1 to %d", n, mostTasks)
	}
}

// Partitions is the number of partitions of every topic; without it 3.
func Partitions(n int) Option {
	return func(c *check) {
		c.scenario.Partitions = n
		c.want(n >= 1, "Partitions(%d): it must be above zero", n)
	}
}

// Interval fixes the virtual time between checkpoints, a time.Duration; without it a seed draws 200 ms to 5 minutes.
func Interval[D ~int64](d D) Option {
	return func(c *check) {
		c.scenario.Interval = protocol.Duration(d)
		c.want(d > 0, "Interval(%d ns): it must be above zero", d)
	}
}

// Seeds is how many seeds are run unless a flag or the environment says otherwise; without it 200.
func Seeds(n int) Option {
	return func(c *check) {
		c.seeds = n
		c.want(n >= 1, "Seeds(%d): it must be above zero", n)
	}
}

// Family is a family of faults.
type Family uint8

// The families.
const (
	Crashes  Family = iota + 1 // processes die between any two actions, or stand still past all timeouts and then wake
	Network                    // messages between processes are lost, doubled, late or out of order; connections break
	Services                   // broker and bucket are away or slow; requests to them are lost, doubled, late, or unanswered
)

func family(k faults.Kind) Family {
	switch k {
	case faults.CrashWorker, faults.CrashCoordinator, faults.CrashInEffects, faults.Pause:
		return Crashes
	case faults.Partition, faults.ChannelReset, faults.MessageLost, faults.MessageDoubled, faults.MessageReordered, faults.MessageDelayed:
		return Network
	}
	return Services
}

func (c *check) want(ok bool, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf(format, args...))
	}
}

// complete holds the options against the job, and makes the scenario of them.
func (c *check) complete() error {
	g, err := weir.Graph(c.scenario.Factory)
	if err != nil {
		return err
	}
	var reads, writes []string
	bounded := 0
	for _, s := range g.Stages {
		switch s.Kind {
		case job.SourceStage:
			reads = append(reads, s.Topic)
			if s.Bounded {
				bounded++
			}
		case job.SinkStage:
			writes = append(writes, s.Topic)
		case job.OperatorStage:
		}
	}
	c.want(bounded == 0 || bounded == len(reads), "some of the job's sources are bounded and some are not: a simulated run can have only one sort")
	c.scenario.Finishes = bounded > 0
	c.match("Input", reads, c.inputTopics())
	c.match("Output or Ignore", writes, append(c.outputTopics(), c.ignored...))
	c.want(len(c.outputs) > 0, "nothing would be judged: say with Output what the job must write")
	if len(c.errs) == 0 {
		c.prepare()
	}
	return errors.Join(c.errs...)
}

// prepare makes the scenario's inputs and outputs.
func (c *check) prepare() {
	for _, in := range c.inputs {
		c.want(len(in.records) > 0, "Input(%q) has no values", in.topic)
		c.scenario.Inputs = append(c.scenario.Inputs, scenarios.Input{
			Topic: in.topic, Records: len(in.records), Keys: 1,
			Make: func(i, _ int) []byte { return in.records[i].Value },
			Key:  func(i int) []byte { return in.records[i].Key },
		})
	}
	for _, out := range c.outputs {
		n := 0
		for _, in := range c.inputs {
			for _, r := range in.records {
				n += len(out.model.parts(Record{in.topic, r.Key, r.Value}))
			}
		}
		c.want(n > 0, "by the model of topic %q no input has any output: nothing would be judged", out.topic)
		c.scenario.Outputs = append(c.scenario.Outputs, scenarios.Output{Topic: out.topic, Count: func(int) int { return n }})
	}
	c.scenario.Judge = c.judge
}

// run runs one seed, the nth of so many, and ends the test if it fails. One that cannot be judged is kept for the end:
// another may show what is wrong.
func (c *check) run(seed uint64, nth, of int) {
	c.t.Helper()
	opt := scenarios.Options{Limit: c.limit}
	o := c.scenario.Run(seed, opt)
	c.struck.Add(&o.Run.Faults)
	c.restarts += o.Run.Note(protocol.NoteRestart)
	c.judged += o.Verdict.Scope.Effects + o.Verdict.Scope.Values
	if o.Passed() && nth%again != 0 || o.Unknown && c.unknown != nil {
		return
	}
	second := c.scenario.Run(seed, opt)
	f := &failure{Outcome: o, name: c.t.Name(), nth: nth, of: of, digest: second.Run.Digest}
	switch {
	case f.digest != o.Run.Digest, o.Broken != "":
		c.t.Fatal(f.String())
	case o.Unknown:
		c.unknown = f
	}
}

// judge judges each output by itself.
func (c *check) judge(h *checker.History) checker.Verdict {
	all := checker.Verdict{Result: checker.Pass}
	for _, out := range c.outputs {
		add(&all, out.model.judge(out.topic, h))
	}
	return all
}
