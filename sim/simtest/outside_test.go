package simtest_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// outsider is a module of somebody else's with the job and the test that the README shows.
type outsider struct{ dir, readme string }

func newOutsider(t *testing.T) *outsider {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	o := &outsider{dir: t.TempDir(), readme: read(t, root, "README.md")}
	require := regexp.MustCompile(`(?s)require \(.*?\)`).FindAllString(read(t, root, "go.mod"), -1)
	o.write(t, "go.mod", "module words\n\ngo 1.26.0\n\nrequire weir v0.0.0\n\nreplace weir => "+root+"\n\n"+strings.Join(require, "\n"))
	o.write(t, "go.sum", read(t, root, "go.sum"))
	o.write(t, "words.go", o.block(t, "// words.go\n"))
	o.write(t, "words_test.go", o.block(t, "// words_test.go\n"))
	return o
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (o *outsider) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// block is the README's code that begins with a line.
func (o *outsider) block(t *testing.T, first string) string {
	t.Helper()
	_, rest, ok := strings.Cut(o.readme, "```go\n"+first)
	if !ok {
		t.Fatalf("the README has no code that begins with %q", first)
	}
	text, _, _ := strings.Cut(rest, "```")
	return text
}

// gotest runs go test as a shell would, without network.
func (o *outsider) gotest(t *testing.T, command string, env ...string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local", "PWD="+o.dir)
	cmd.Env = append(cmd.Env, env...)
	out, _ := cmd.CombinedOutput()
	return string(out)
}

var rewrite = flag.Bool("rewrite", false, "write what the worked example prints into the README")

// shown is the README's block with what the bug makes the test print.
func (o *outsider) shown(t *testing.T) string {
	t.Helper()
	_, rest, ok := strings.Cut(o.readme, "```\n--- FAIL: ")
	text, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatal("the README does not show what a failure looks like")
	}
	return "--- FAIL: " + text
}

// still is a test's output without what no two runs have in common.
func still(out string) string {
	out = regexp.MustCompile(`(?m) +$`).ReplaceAllString(out, "")
	return regexp.MustCompile(`\(\d+\.\d\ds\)`).ReplaceAllString(out, "(0.05s)")
}

func TestTheReadmeInAModuleOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a module")
	}
	o := newOutsider(t)
	if out := o.gotest(t, "go test -v . -weir.seeds=30"); !strings.Contains(out, "ok: 30 seeds from 0x0") || !strings.Contains(out, "\nok ") {
		t.Fatal(out)
	}
	good := regexp.MustCompile(`(?m)^\tcounts := weir.Aggregate.*\n`)
	job := o.block(t, "// words.go\n")
	if !good.MatchString(job) {
		t.Fatal("where is the line that the bug replaces?")
	}
	o.write(t, "words.go", good.ReplaceAllLiteralString(job, o.block(t, "\t// a bug\n")))
	out, _, _ := strings.Cut(o.gotest(t, "go test .", "WEIR_SHRINKTIME=10m"), "\nFAIL\n")
	if was := o.shown(t); *rewrite {
		o.rewriteReadme(t, was, still(out))
	} else if still(out) != still(was) {
		t.Errorf("the README shows\n%s\nand it is\n%s\nif that is well: go test ./sim/simtest -run TestTheReadmeInAModuleOutside -rewrite", was, out)
	}
	again := regexp.MustCompile(`\n        again  (go test \. -run '\^TestWordsAreCountedOnce\$' -weir\.replay=(testdata/weir/TestWordsAreCountedOnce/exactly-once-0x[0-9a-f]+\.scenario))\n        whole  (go test .*?)   \(`).FindStringSubmatch(out)
	if again == nil {
		t.Fatal(out)
	}
	for _, command := range []string{again[1], "go test ."} {
		if got := o.gotest(t, command, "WEIR_SHRINKTIME=10m"); story(out) != story(got) || !strings.Contains(got, again[2]+" fails again: exactly-once is violated") {
			t.Errorf("%s: first\n%s\nagain\n%s", command, out, got)
		}
	}
	if got := o.gotest(t, again[3], "WEIR_SHRINKTIME=10m"); story(out) != story(got) || !strings.Contains(got, "(1 of 1); minimised: ") {
		t.Errorf("first\n%s\nthe seed alone\n%s", out, got)
	}
	if vet := o.gotest(t, "go run weir/cmd/weir vet ."); !strings.Contains(vet, "captured: this changes seen, which is not the function's own") {
		t.Error(vet)
	}
	if repro := o.gotest(t, "go run weir/cmd/weir repro "+again[2]); !strings.Contains(repro, `.scenario:`) || !strings.Contains(repro, "which alone knows the job: repeat it in the folder of its package, go test -run '^TestWordsAreCountedOnce$'") {
		t.Error(repro)
	}
	o.write(t, "words.go", job)
	mended := o.gotest(t, "go test -v . -weir.replay=all")
	if !strings.Contains(mended, ".scenario passes now, with all its 1 faults") || !strings.Contains(mended, "\nok ") {
		t.Error(mended)
	}
}

// rewriteReadme puts what is true in place of what was.
func (o *outsider) rewriteReadme(t *testing.T, was, is string) {
	t.Helper()
	if err := os.WriteFile("../../README.md", []byte(strings.Replace(o.readme, was, is, 1)), 0o666); err != nil {
		t.Fatal(err)
	}
}

// story is what a failure tells of the run, from the verdict to the commands, without the line on how it was found.
func story(out string) string {
	_, text, _ := strings.Cut(out, "exactly-once is violated")
	text, _, _ = strings.Cut(text, "\n        again  ")
	return regexp.MustCompile(`\n.*minimised: .*`).ReplaceAllString(text, "")
}

// Somebody else's job with Union and Process, on public packages only.
func TestUnionAndProcessOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a module")
	}
	o := newOutsider(t)
	o.write(t, "words.go", outsideJob)
	o.write(t, "words_test.go", outsideTest)
	if out := o.gotest(t, "go run weir/cmd/weir vet ./... && go test -v -run Clicks . -weir.seeds=40"); !strings.Contains(out, "ok: 40 seeds from 0x0") || strings.Contains(out, "never reached") || !strings.Contains(out, " functions of jobs") {
		t.Fatal(out)
	}
	if out := o.gotest(t, "go test -v -run Never . -weir.seeds=20"); !strings.Contains(out, `never reached: "c has three" (-weir.strict makes this a failure)`) || !strings.Contains(out, "\nok ") {
		t.Error(out)
	}
	if out := o.gotest(t, "go test -run Never . -weir.seeds=20 -weir.strict=true"); !strings.Contains(out, `vacuous: no seed reached "c has three"`) || !strings.Contains(out, "\nFAIL") {
		t.Error(out)
	}
}

const outsideJob = `package words

import (
	"fmt"

	"weir"
)

// Job numbers the clicks of each user, on two topics together, and keeps them in three ways that must agree.
func Job() *weir.Job {
	j := weir.New("clicks")
	web := weir.From(j, "web", weir.Topic("web", weir.String{}))
	app := weir.From(j, "app", weir.Topic("app", weir.String{}))
	byUser := weir.KeyBy(weir.Union(web, app), func(s string) string { return s[:1] }, weir.Interned(), weir.String{})
	n := weir.NewValueState("n", weir.Int64{})
	pages := weir.NewMapState("pages", weir.String{}, weir.Int64{})
	all := weir.NewListState("all", weir.String{})
	numbered := weir.Process(byUser, "number", func(c *weir.Context[string, weir.KV[string, int64]], click string) error {
		had, _ := n.Get()
		page, _ := pages.Get(click)
		n.Set(had + 1)
		pages.Put(click, page+1)
		all.Append(click)
		sum := int64(0)
		for _, times := range pages.All() {
			sum += times
		}
		if sum != had+1 || int64(all.Len()) != had+1 {
			return fmt.Errorf("%d clicks, %d in the map, %d in the list", had+1, sum, all.Len())
		}
		c.Emit(weir.KV[string, int64]{Key: c.Key(), Value: sum})
		return nil
	}, n, pages, all)
	weir.To(numbered, "out", weir.KeyedTopic("out", weir.String{}, weir.JSON[int64]{}))
	return j
}
`

const outsideTest = `package words

import (
	"strconv"
	"testing"

	"weir/sim/simtest"
)

func user(in simtest.Record) string { return string(in.Value[:1]) }

func number(state []byte, _ simtest.Record) (next, value []byte) {
	n, _ := strconv.Atoi(string(state))
	next = strconv.AppendInt(nil, int64(n+1), 10)
	return next, next
}

func TestClicks(t *testing.T) {
	simtest.Check(t, Job,
		simtest.Input("web", "a1", "a2", "b1", "a1", "b1", "a3", "a1", "c1"),
		simtest.Input("app", "a1", "a4", "b2", "b2", "c3"),
		simtest.Output("out", simtest.Fold(user, number).Alike()),
		simtest.Sometimes("recovery committed", nil),
		simtest.Sometimes("c has two", func(r *simtest.Run) bool { return len(r.Output("out")) == 13 && r.Restarts > 0 }),
		simtest.Topology(simtest.Shape{Parallelism: 2}))
}

func TestNever(t *testing.T) {
	simtest.Check(t, Job, simtest.Input("web", "c1"), simtest.Input("app", "c2"), simtest.Output("out", simtest.Fold(user, number).Alike()),
		simtest.Sometimes("c has three", func(r *simtest.Run) bool { return len(r.Output("out")) == 3 }))
}
`

// What a job's functions may not do, in a module of somebody else's: each is caught for what it is, and weir vet names most.
func TestWhatFunctionsMayNotDoOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a module")
	}
	o := newOutsider(t)
	o.write(t, "words.go", badJobs)
	o.write(t, "words_test.go", badTests)
	out := o.gotest(t, "go test -v .", "WEIR_SHRINKTIME=2s")
	for _, c := range []struct {
		test, says string
		also       []string
	}{
		{"TestClock", "not deterministic: two runs of the same seed differ", nil},
		{"TestRandom", "not deterministic: two runs of the same seed differ", nil},
		{"TestMapOrder", "not deterministic: two runs of the same seed differ", nil},
		{"TestPackageVariable", "not deterministic: two runs of the same seed differ", nil},
		{"TestClosure", "exactly-once is violated: ", []string{" fault is needed.", "\n              model     ", "<== here it parts"}},
		{"TestNothing", "ok: 20 seeds", nil},
	} {
		said := ofTest(out, c.test)
		if strings.HasPrefix(c.says, "not") {
			c.also = []string{"The first event with another effect is step ", `of a task of stage "`, "\n          go run weir/cmd/weir vet PACKAGES\n", "\n        again  go test . -run '^" + c.test + "$' -weir.seed=0x"}
		}
		for _, want := range append(c.also, c.says) {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q:\n%s", c.test, want, said)
			}
		}
	}
	t.Log(out)
	vet := o.gotest(t, "go run weir/cmd/weir vet .")
	for _, want := range []string{
		"words.go:15: clock: time.Now reads the clock", "words.go:20: ", "words.go:25: maprange: ", "words.go:32: pkgvar: ", "words.go:65: captured: this changes seen",
	} {
		if !strings.Contains(vet, want) {
			t.Errorf("weir vet does not say %q:\n%s", want, vet)
		}
	}
	t.Log(vet)
}

// ofTest is what one test of go test -v prints.
func ofTest(out, test string) string {
	_, said, _ := strings.Cut(out, "=== RUN   "+test+"\n")
	said, _, _ = strings.Cut(said, "=== RUN ")
	return said
}

const badJobs = `package words

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"weir"
)

var count int

func Clock(line string, emit func(string)) {
	emit(line + strconv.FormatInt(time.Now().UnixNano(), 10))
}

func Random(line string, emit func(string)) {
	if emit(line); true {
		emit(strconv.FormatUint(rand.Uint64(), 10))
	}
}

func MapOrder(line string, emit func(string)) {
	for w := range map[string]bool{line + "a": true, line + "b": true, line + "c": true} {
		emit(w)
	}
}

// PackageVariable numbers lines, over all runs of the process.
func PackageVariable(line string, emit func(string)) {
	count++
	emit(line + strconv.Itoa(count))
}

// Closure numbers lines in a variable that no checkpoint has.
func Closure() func(string, func(string)) {
	seen := map[string]int{}
	return func(line string, emit func(string)) {
		seen[""]++
		emit(strings.Repeat("x", seen[""]))
	}
}

func Job(split func() func(string, func(string))) func() *weir.Job {
	return func() *weir.Job {
		j := weir.New("words")
		words := weir.FlatMap(weir.From(j, "lines", weir.Topic("lines", weir.String{})), "split", split())
		key := func(dst []byte, _ string) ([]byte, error) { return append(dst, 'k'), nil }
		weir.To(words, "words", weir.SinkTopic("words", key, weir.String{}.Append))
		return j
	}
}

// All is for weir vet, which looks at functions that are handed to operators.
func All() *weir.Job {
	j := weir.New("all")
	lines := weir.From(j, "lines", weir.Topic("lines", weir.String{}))
	a := weir.FlatMap(lines, "a", Clock)
	b := weir.FlatMap(a, "b", Random)
	c := weir.FlatMap(b, "c", MapOrder)
	seen := 0
	d := weir.FlatMap(c, "d", PackageVariable)
	d = weir.Filter(d, "e", func(string) bool {
		seen++
		return seen > 0
	})
	weir.To(d, "words", weir.SinkTopic("words", weir.String{}.Append, weir.String{}.Append))
	return j
}
`

const badTests = `package words

import (
	"testing"

	"weir/sim/simtest"
)

func run(t *testing.T, model simtest.Model, split func() func(string, func(string)), opts ...simtest.Option) {
	simtest.Check(t, Job(split), append(opts, simtest.Input("lines", "a", "b", "c", "d", "e", "f", "g", "h"), simtest.Output("words", model))...)
}

func same(split func(string, func(string))) func() func(string, func(string)) {
	return func() func(string, func(string)) { return split }
}

func id(r simtest.Record) string { return string(r.Value) }

var each = simtest.Each(id, id)

func TestClock(t *testing.T)           { run(t, each, same(Clock)) }
func TestRandom(t *testing.T)          { run(t, each, same(Random)) }
func TestMapOrder(t *testing.T)        { run(t, each, same(MapOrder)) }
func TestPackageVariable(t *testing.T) { run(t, each, same(PackageVariable)) }
func TestNothing(t *testing.T)         { run(t, each, same(func(line string, emit func(string)) { emit(line) }), simtest.Seeds(20)) }

func TestClosure(t *testing.T) {
	number := func(state []byte, _ simtest.Record) (next, value []byte) {
		next = append(append([]byte(nil), state...), 'x')
		return next, next
	}
	all := func(simtest.Record) string { return "k" }
	run(t, simtest.Fold(all, number).Alike(), Closure, simtest.Topology(simtest.Shape{Parallelism: 1, Partitions: 1}))
}
`
