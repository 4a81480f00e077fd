package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir"
	"weir/faults"
	"weir/protocol"
	"weir/protocol/job"
	"weir/sim"
	"weir/sim/broker"
)

// MostBytes is how long a file may be.
const MostBytes = 1 << 20

// Bounds of what a file may ask for: strangers write some.
const (
	mostFaults    = 10_000
	mostRecords   = 10_000
	mostNodes     = 16
	mostWidth     = 64
	mostIntervals = 10_000 // from the start to the horizon
	mostComment   = 100    // lines
	mostName      = 1000   // bytes
)

// ParseFile reads what File.String writes; name is told in errors, as name:line, with what is allowed. The run is one of
// weir's own scenarios.
func ParseFile(name string, text []byte) (*File, error) {
	return parseFile(name, text, nil)
}

func parseFile(name string, text []byte, test *Scenario) (*File, error) {
	if len(text) > MostBytes {
		return nil, fmt.Errorf("%s: %d bytes are too many for a scenario, of at most %d", name, len(text), MostBytes)
	}
	r := &fileReader{f: &File{Fewer: 1}, test: test, at: make(map[string]int), ids: make(map[faults.ID]bool)}
	for line := range strings.Lines(string(text)) {
		r.line++
		if err := r.read(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, r.line, err)
		}
	}
	if line, err := r.complete(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, line, err)
	}
	return r.f, nil
}

// fileReader reads a file line by line.
type fileReader struct {
	f        *File
	test     *Scenario // whose file it must be, or nil
	scenario *Scenario
	line     int
	at       map[string]int // the line of each word
	setups   [2]Setup
	given    [2]map[string]bool // of config
	ids      map[faults.ID]bool
	lines    []int // of the faults
}

// fileWords are the words that begin a line.
func fileWords() []string {
	return []string{"weir-scenario", "expect", "scenario", "test", "seed", "input", "run", "processes", "config", "processes-2", "config-2", "fault"}
}

func (r *fileReader) read(line string) error {
	if line == "" {
		return nil
	}
	if comment, ok := strings.CutPrefix(line, "#"); ok {
		if r.at["weir-scenario"] == 0 && len(r.f.Comment) < mostComment {
			r.f.Comment = append(r.f.Comment, strings.TrimPrefix(comment, " "))
		}
		return nil
	}
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	again := word == "fault" || word == "config" || word == "config-2"
	switch {
	case r.at["weir-scenario"] == 0 && word != "weir-scenario":
		return fmt.Errorf("a scenario begins with \"weir-scenario %d\", behind comments; this is %q", FileVersion, word)
	case !slices.Contains(fileWords(), word):
		return fmt.Errorf("there is no %q; a line begins with one of: %s", word, strings.Join(fileWords(), " "))
	case r.at[word] > 0 && !again:
		return fmt.Errorf("%q was said in line %d already", word, r.at[word])
	case r.at[word] == 0:
		r.at[word] = r.line
	}
	return r.word(word, rest)
}

func (r *fileReader) word(word, rest string) error {
	f := r.f
	switch word {
	case "weir-scenario":
		if rest != strconv.Itoa(FileVersion) {
			return fmt.Errorf("version %q is not known: this weir reads version %d", rest, FileVersion)
		}
	case "expect":
		return r.expect(rest)
	case "scenario":
		return r.named(rest)
	case "test":
		return r.tested(rest)
	case "seed":
		return readSeed(rest, &f.Seed)
	case "input":
		return fields(rest, []pair{{"records", number(&f.Records, 1, mostRecords), true}, {"fewer", number(&f.Fewer, 1, 1000), false}, {"slower", number(&f.Slower, 1, 100), false}})
	case "run":
		return fields(rest, []pair{
			{"horizon", span(&f.Horizon, protocol.Millisecond), true}, {"kafka", release(&f.Kafka), true}, {"lag", span(&f.Lag, 1), false},
			{"stop", span(&f.Stop, 1), false}, {"even", span(&f.Even, 1), false}, {"robbed", yes(&f.Robbed), false},
			{"unchecked", func(t string) error { return checks(t, &f.Off) }, false},
		})
	case "processes", "processes-2":
		t := &r.setup(word).Topology
		return fields(rest, []pair{{"coordinators", nodes(&t.Coordinators), true}, {"workers", nodes(&t.Workers), true}})
	case "config", "config-2":
		return r.config(word, rest)
	case "fault":
		return r.fault(rest)
	}
	return nil
}

// setup is the job that a word is about.
func (r *fileReader) setup(word string) *Setup {
	if strings.HasSuffix(word, "-2") {
		return &r.setups[1]
	}
	return &r.setups[0]
}

func (r *fileReader) expect(text string) error {
	allowed := []string{"pass", "unknown", "fail " + ExactlyOnce, "fail stuck liveness", "fail panic panic"}
	for _, c := range allChecks() {
		allowed = append(allowed, "fail invariant "+c.String())
	}
	for k := protocol.Finished; k <= protocol.Refused; k++ {
		allowed = append(allowed, "fail verdict "+k.String())
	}
	if !slices.Contains(allowed, text) {
		return fmt.Errorf("%q cannot be expected; what can: %s", text, strings.Join(allowed, ", "))
	}
	r.f.Expect = text
	return nil
}

func (r *fileReader) named(name string) error {
	s, ok := Named(name)
	if ok && r.test != nil {
		return fmt.Errorf("it is a run of weir's own scenario %s, which weir repro FILE repeats, and not of test %s", name, r.test.Name)
	}
	if !ok {
		var names []string
		for _, s := range All() {
			names = append(names, s.Name)
		}
		return fmt.Errorf("there is no scenario %q; there are: %s", name, strings.Join(names, " "))
	}
	return r.bind(s)
}

// release reads what a broker runs.
func release(to *broker.Release) func(string) error {
	return func(text string) error {
		var names []string
		for _, r := range broker.Releases() {
			if names = append(names, r.String()); r.String() == text {
				*to = r
				return nil
			}
		}
		return fmt.Errorf("kafka %q is not known; there are: %s", text, strings.Join(names, " "))
	}
}

// yes reads the one thing that can be said of what is false when nothing is said.
func readSeed(text string, seed *uint64) error {
	digits, hex := strings.CutPrefix(text, "0x")
	base := 10
	if hex {
		base = 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return fmt.Errorf("seed %q: a seed is a number of 64 bits, decimal or 0x hex", text)
	}
	*seed = n
	return nil
}

func (r *fileReader) fault(text string) error {
	fault, err := faults.ParseFault(text)
	if err != nil {
		return err
	}
	if len(r.f.Plan) == mostFaults {
		return fmt.Errorf("more than %d faults", mostFaults)
	}
	if r.ids[fault.ID] {
		return fmt.Errorf("another fault is called %v: the number only names a fault's own draws, give this one another", fault.ID)
	}
	r.ids[fault.ID] = true
	r.lines = append(r.lines, r.line)
	r.f.Plan = append(r.f.Plan, fault)
	return nil
}

// pair is a name=value of a line.
type pair struct {
	name   string
	read   func(string) error
	needed bool
}

// fields reads name=value of a line, each at most once.
func fields(text string, allowed []pair) error {
	given := make(map[string]bool)
	if err := someOf(text, allowed, given); err != nil {
		return err
	}
	for _, p := range allowed {
		if p.needed && !given[p.name] {
			return fmt.Errorf("%s is missing", p.name)
		}
	}
	return nil
}

func someOf(text string, allowed []pair, given map[string]bool) error {
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		at := slices.IndexFunc(allowed, func(p pair) bool { return p.name == name })
		if at < 0 {
			var names []string
			for _, p := range allowed {
				names = append(names, p.name)
			}
			return fmt.Errorf("there is no %q; what can be said here: %s", name, strings.Join(names, " "))
		}
		if given[name] {
			return fmt.Errorf("%s is said twice", name)
		}
		given[name] = true
		if err := allowed[at].read(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func yes(to *bool) func(string) error {
	return func(text string) error {
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*to = text == "true"
		return nil
	}
}

func number(to *int, lo, hi int) func(string) error {
	return func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < lo || n > hi {
			return fmt.Errorf("%q is not a number from %d to %d", text, lo, hi)
		}
		*to = n
		return nil
	}
}

// mostTime is the longest time of a file.
const mostTime = 100 * 3600 * protocol.Second

func span(to *protocol.Duration, least protocol.Duration) func(string) error {
	return func(text string) error {
		ns, err := faults.ParseSpan(text)
		if err != nil {
			return err
		}
		if d := protocol.Duration(ns); d < least || d > mostTime {
			return fmt.Errorf("%q is not from %s to %s", text, faults.Span(int64(least)), faults.Span(int64(mostTime)))
		}
		*to = protocol.Duration(ns)
		return nil
	}
}

func checks(text string, off *sim.Checks) error {
	var names []string
	for _, c := range allChecks() {
		names = append(names, c.String())
	}
	for _, name := range strings.Split(text, ",") {
		at := slices.Index(names, name)
		if at < 0 {
			return fmt.Errorf("there is no invariant %q; there are: %s", name, strings.Join(names, " "))
		}
		*off |= allChecks()[at]
	}
	return nil
}

func nodes(to *[]protocol.NodeID) func(string) error {
	return func(text string) error {
		for _, each := range strings.Split(text, ",") {
			n, err := strconv.Atoi(each)
			if err != nil || n < 1 || n > 1_000_000 || slices.Contains(*to, protocol.NodeID(n)) || len(*to) == mostNodes {
				return fmt.Errorf("%q is not a list of 1 to %d different numbers from 1 to 1000000 with commas", text, mostNodes)
			}
			*to = append(*to, protocol.NodeID(n))
		}
		return nil
	}
}

func (r *fileReader) config(word, rest string) error {
	i := 0
	if word == "config-2" {
		i = 1
	}
	if r.given[i] == nil {
		r.given[i] = make(map[string]bool)
	}
	var allowed []pair
	for _, field := range configFields(&r.setups[i].Config) {
		allowed = append(allowed, pair{name: field.name, read: field.read()})
	}
	return someOf(rest, allowed, r.given[i])
}

// configField is a field of a configuration, of one of three types.
type configField struct {
	name     string
	duration *protocol.Duration
	number   *int
	lo, hi   int
	yes      *bool // left out where it is false
}

func (c *configField) text() string {
	switch {
	case c.duration != nil:
		return faults.Span(int64(*c.duration))
	case c.yes != nil:
		return strconv.FormatBool(*c.yes)
	}
	return strconv.Itoa(*c.number)
}

func (c *configField) read() func(string) error {
	if c.duration != nil {
		return span(c.duration, protocol.Millisecond)
	}
	if c.yes != nil {
		return yes(c.yes)
	}
	return number(c.number, c.lo, c.hi)
}

// configFields are all of a configuration. One that is added later breaks the files that users keep, unless complete gives it
// the value that it had for them.
func configFields(c *protocol.Config) []configField {
	return []configField{
		{name: "interval", duration: &c.Interval}, {name: "timeout", duration: &c.Timeout}, {name: "heartbeat", duration: &c.Heartbeat}, {name: "node-timeout", duration: &c.NodeTimeout},
		{name: "txn-timeout", duration: &c.TxnTimeout}, {name: "io-timeout", duration: &c.IOTimeout}, {name: "retry-delay", duration: &c.RetryDelay}, {name: "restart-delay", duration: &c.RestartDelay},
		{name: "linger", duration: &c.Linger}, {name: "restart-limit", number: &c.RestartLimit, lo: 0, hi: 1_000_000}, {name: "tolerable", number: &c.Tolerable, lo: 0, hi: 16},
		{name: "parallelism", number: &c.Parallelism, lo: 1, hi: mostWidth}, {name: "key-groups", number: &c.KeyGroups, lo: 1, hi: 1024}, {name: "credit", number: &c.Credit, lo: 1, hi: 1024},
		{name: "batch-records", number: &c.BatchRecords, lo: 1, hi: 1 << 16}, {name: "batch-bytes", number: &c.BatchBytes, lo: 1, hi: 1 << 20}, {name: "retained", number: &c.Retained, lo: 1, hi: 16},
		{name: "local", yes: &c.Local},
	}
}

// complete checks what the lines say together, and returns the line that is to blame.
func (r *fileReader) complete() (line int, err error) {
	needed := []string{"weir-scenario", "expect", r.subject(), "seed", "input", "run", "processes", "config"}
	if r.scenario != nil && r.scenario.Second != nil {
		needed = append(needed, "processes-2", "config-2")
	} else if at := max(r.at["processes-2"], r.at["config-2"]); at > 0 {
		return at, fmt.Errorf("%s %s has one job", r.subject(), r.f.Scenario)
	}
	for _, word := range needed {
		if r.at[word] == 0 {
			return max(1, r.line), fmt.Errorf("the line %q is missing", word)
		}
	}
	r.f.Jobs = r.setups[:1:1]
	if r.scenario.Second != nil {
		r.f.Jobs = r.setups[:]
	}
	for i := range r.f.Jobs {
		if line, err := r.checkJob(i); err != nil {
			return line, err
		}
	}
	return r.checkWhole()
}

// checkJob checks that a job can be planned.
func (r *fileReader) checkJob(i int) (line int, err error) {
	suffix, factory := "", r.scenario.Factory
	if i == 1 {
		suffix, factory = "-2", r.scenario.Second.Factory
	}
	at := r.at["config"+suffix]
	cfg := &r.f.Jobs[i].Config
	for _, field := range configFields(cfg) {
		if !r.given[i][field.name] && field.yes == nil {
			return at, fmt.Errorf("config%s: %s is missing", suffix, field.name)
		}
	}
	if r.f.Horizon/cfg.Interval > mostIntervals || r.f.Horizon/cfg.Heartbeat > 100*mostIntervals {
		return at, fmt.Errorf("config%s: the horizon %s has more than %d intervals, or heartbeats than %d", suffix, faults.Span(int64(r.f.Horizon)), mostIntervals, 100*mostIntervals)
	}
	g, err := weir.Graph(factory)
	if err != nil {
		return at, err
	}
	_, err = job.NewPlan(g, *cfg)
	return at, err
}

// checkWhole checks what concerns more than one line.
func (r *fileReader) checkWhole() (line int, err error) {
	if len(r.f.Jobs) == 2 {
		for _, n := range append(slices.Clone(r.f.Jobs[0].Topology.Coordinators), r.f.Jobs[0].Topology.Workers...) {
			if t := &r.f.Jobs[1].Topology; slices.Contains(t.Coordinators, n) || slices.Contains(t.Workers, n) {
				return r.at["processes-2"], fmt.Errorf("node %d is the first job's: no process is in two jobs", n)
			}
		}
	}
	if r.f.Stop > 0 && r.scenario.Finishes {
		return r.at["run"], fmt.Errorf("stop: %s %s ends by itself", r.subject(), r.f.Scenario)
	}
	for i := range r.f.Plan {
		if err := r.checkFault(&r.f.Plan[i]); err != nil {
			return r.lines[i], err
		}
	}
	return 0, nil
}

// checkFault checks that what a fault names is there.
func (r *fileReader) checkFault(f *faults.Fault) error {
	if f.Job >= len(r.f.Jobs) {
		return fmt.Errorf("fault %v: there is no job %d", f.ID, f.Job+1)
	}
	var there []string
	for i := range r.f.Jobs {
		for _, n := range append(slices.Clone(r.f.Jobs[i].Topology.Coordinators), r.f.Jobs[i].Topology.Workers...) {
			there = append(there, fmt.Sprint(n))
		}
	}
	places := append([]string{"broker", "bucket"}, there...)
	if node := fmt.Sprint(f.Node); f.Node > 0 && !slices.Contains(there, node) {
		return fmt.Errorf("fault %v: there is no process %s; there are: %s", f.ID, node, strings.Join(there, " "))
	}
	for _, w := range f.Ways {
		if !slices.Contains(places, w.From) || !slices.Contains(places, w.To) {
			return fmt.Errorf("fault %v: %v does not lead between two of: %s", f.ID, w, strings.Join(places, " "))
		}
	}
	return nil
}
