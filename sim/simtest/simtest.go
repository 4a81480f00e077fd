package simtest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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
	// mostProcesses bounds a topology.
	mostProcesses = 9
	// restartLimit is more restarts in a row than faults cause: a job that needs more fails by itself.
	restartLimit = 20
	// mostPairs is how often two runs are compared until they differ.
	mostPairs = 20
	// again says that one in so many seeds that pass is run twice.
	again = 8
)

// Check runs the job under faults, once per seed, and fails the test at the first seed whose output is not what the
// models say. It needs an [Input] or [Records] for every topic that the job reads, and an [Output] or [Ignore] for every
// topic that it writes.
func Check(t testing.TB, factory func() *weir.Job, opts ...Option) {
	t.Helper()
	c := &check{t: t, seeds: defaultSeeds, limit: faults.Full(), scenario: scenarios.Scenario{
		Name: t.Name(), Test: true, Factory: factory, Partitions: defaultPartitions, Parallelism: 2, RestartLimit: restartLimit,
	}}
	for _, set := range opts {
		set(c)
	}
	err := c.complete()
	var plan choice
	if err == nil {
		plan, err = c.choose()
	}
	if err != nil {
		t.Fatalf("simtest: %v", err)
	}
	c.rerun(&plan)
	n := c.sweep(&plan)
	if c.unknown != nil {
		t.Fatal(c.unknown.String())
	}
	c.missing(&plan)
	t.Logf("ok: %d seeds from %#x, %d outputs judged; %d restarts, %d faults struck: %s", n, plan.first, c.judged, c.restarts, c.struck.Total(), tally(&c.struck))
}

// sweep runs the seeds of a plan and returns how many there were.
func (c *check) sweep(p *choice) (n int) {
	c.t.Helper()
	over := func() bool { return n >= p.seeds }
	if p.time > 0 {
		over = stopwatch(p.time)
	}
	for n == 0 && p.time > 0 || !over() {
		c.run(p.first+uint64(n), n, p.seeds)
		n++
	}
	return n
}

// check is a call of Check.
type check struct {
	t        testing.TB
	scenario scenarios.Scenario
	seeds    int
	limit    faults.Profile
	inputs   []input
	outputs  []output
	errs     []error

	sometimes  []sometimes
	shrinkTime time.Duration
	struck     faults.Counts
	restarts   uint64
	judged     int
	unknown    *failure // the first seed that could not be judged
}

type input struct {
	topic   string
	records []Record
}

type output struct {
	topic string
	model Model
}

// run runs one seed, the nth of so many, and ends the test if it fails. One that cannot be judged is kept for the end:
// another may show what is wrong.
func (c *check) run(seed uint64, nth, of int) {
	c.t.Helper()
	opt := scenarios.Options{Limit: c.limit}
	o := c.scenario.Run(seed, opt)
	c.note(&o)
	if o.Passed() && nth%again != 0 || o.Unknown && c.unknown != nil {
		return
	}
	second := c.scenario.Run(seed, opt)
	f := &failure{Outcome: o, name: c.t.Name(), nth: nth, of: of, digest: second.Run.Digest}
	f.told = []string{f.place()}
	switch {
	case f.digest != o.Run.Digest:
		f.differs = c.difference(seed, opt)
		c.t.Fatal(f.String())
	case o.Broken != "":
		k, told, err := c.keep(seed)
		f.kept, f.keptErr = k.path, err
		if k.File != nil {
			f.told, f.story = []string{f.place() + "; " + told}, k.Explain(stopwatch(c.shrinkTime))
		}
		c.t.Fatal(f.String())
	case o.Unknown:
		c.unknown = f
	}
}

// note adds up what a run reached.
func (c *check) note(o *scenarios.Outcome) {
	c.struck.Add(&o.Run.Faults)
	c.restarts += o.Run.Note(protocol.NoteRestart)
	c.judged += o.Verdict.Scope.Effects + o.Verdict.Scope.Values
	for i := range c.sometimes {
		c.sometimes[i].look(o)
	}
}

// difference tells the first event in which two runs of a seed differ.
func (c *check) difference(seed uint64, opt scenarios.Options) string {
	r := c.scenario.Audit(seed, opt)
	for n := 1; r.Failure == nil || r.Failure.Class != "nondeterminism"; n++ {
		if n == mostPairs { // what differs now and then
			return fmt.Sprintf("Where they differ is not known: %d further pairs of runs were equal.", n)
		}
		r = c.scenario.Audit(seed, opt)
	}
	at := len(r.Ring) - 1
	for at > 0 && !strings.Contains(r.Ring[at], "▶") {
		at--
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The first event with another effect is step %d", r.Failure.Step)
	if m := regexp.MustCompile(`n\d+/t(\d+) ▶`).FindStringSubmatch(r.Ring[max(at, 0)]); m != nil {
		task, _ := strconv.Atoi(m[1])
		fmt.Fprintf(&b, ", of a task of stage %q: look at the functions there, and then at those before it", c.scenario.StageOf(seed, task))
	}
	b.WriteString(".\nIt is this one (time in ms, step, node/task, what it asks for); what differs may be no more than the content of a record:")
	for _, line := range r.Ring[max(at, 0):] {
		fmt.Fprintf(&b, "\n  %.160s", strings.TrimSpace(line))
	}
	return b.String()
}

// complete holds the options against the job, and makes the scenario of them.
func (c *check) complete() error {
	g, err := weir.Graph(c.scenario.Factory)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(g.Stages, func(s job.Stage) bool { return s.Keyed }) {
		c.without(Disks) // there is nothing on them
	}
	reads, writes, bounded := topics(g)
	c.want(bounded == 0 || bounded == len(reads), "some of the job's sources are bounded and some are not: a simulated run can have only one sort")
	c.scenario.Finishes = bounded > 0
	for _, in := range c.inputs {
		reads = c.strike(reads, in.topic, "Input")
		c.feed(in)
	}
	for _, out := range c.outputs {
		writes = c.strike(writes, out.topic, "Output")
		c.expect(out)
	}
	c.want(len(reads) == 0, "the job reads %q: say with Input what is in it", reads)
	c.want(len(writes) == 0, "the job writes %q: say with Output what must be in it, or Ignore it", writes)
	c.want(len(c.scenario.Outputs) > 0, "nothing would be judged: every output is ignored")
	c.scenario.Judge, c.scenario.Readings = c.judge, c.readings
	return errors.Join(c.errs...)
}

// without lets none of a family strike.
func (c *check) without(f Family) {
	for k := range faults.Kind(faults.Kinds) {
		if family(k) == f {
			c.limit[k] = 0
		}
	}
}

// strike takes a topic that an option names out of those that the job has.
func (c *check) strike(topics []string, topic, option string) (left []string) {
	for _, t := range topics {
		if t != topic {
			left = append(left, t)
		}
	}
	c.want(len(left) < len(topics), "%s names topic %q, which the job does not use that way, or which was named before", option, topic)
	return left
}

func (c *check) want(ok bool, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf(format, args...))
	}
}

func (c *check) feed(in input) {
	c.want(len(in.records) > 0, "Input(%q) has no values", in.topic)
	c.scenario.Inputs = append(c.scenario.Inputs, scenarios.Input{
		Topic: in.topic, Records: len(in.records), Keys: 1,
		Make: func(i, _ int) []byte { return in.records[i].Value },
		Key:  func(i int) []byte { return in.records[i].Key },
	})
}

// expect says how many records an output must have in the end.
func (c *check) expect(out output) {
	if out.model.spec == nil {
		return
	}
	upTo := []int{0} // for so many records of each input
	for n := 0; ; n++ {
		more, there := 0, false
		for _, in := range c.inputs {
			if n < len(in.records) {
				there = true
				more += len(out.model.parts(Record{in.topic, in.records[n].Key, in.records[n].Value}))
			}
		}
		if !there {
			break
		}
		upTo = append(upTo, upTo[n]+more)
	}
	last := len(upTo) - 1
	c.want(upTo[last] > 0, "by the model of topic %q no input has any output: nothing would be judged", out.topic)
	c.scenario.Outputs = append(c.scenario.Outputs, scenarios.Output{Topic: out.topic, Count: func(n int) int { return upTo[min(n, last)] }})
}

// readings is what judge holds against the models.
func (c *check) readings(h *checker.History) (list []scenarios.Reading) {
	for _, out := range c.outputs {
		if out.model.spec != nil {
			list = append(list, out.model.reading(out.topic, h))
		}
	}
	return list
}

// judge judges each output by itself.
func (c *check) judge(h *checker.History) checker.Verdict {
	all := checker.Verdict{Result: checker.Pass}
	for i := range h.Inputs {
		if h.Inputs[i].Fate != checker.Aborted {
			all.Scope.Inputs++
		}
	}
	for _, out := range c.outputs {
		if out.model.spec != nil {
			add(&all, out.model.judge(out.topic, h))
		}
	}
	return all
}
