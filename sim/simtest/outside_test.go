package simtest_test

import (
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
	out := o.gotest(t, "go test .", "WEIR_SEEDS=300")
	command := regexp.MustCompile(`repeat: (go test \. -run '\^TestWordsAreCountedOnce\$' -weir\.seed=(0x[0-9a-f]+))\n`).FindStringSubmatch(out)
	if command == nil || !strings.Contains(out, "exactly-once is violated") || !strings.Contains(out, " of 300)") {
		t.Fatal(out)
	}
	if !strings.Contains(out, "\n        it needs ") || !strings.Contains(out, "kept in testdata/weir/TestWordsAreCountedOnce/"+command[2]+".fail") {
		t.Error(out)
	}
	if vet := o.gotest(t, "go run weir/cmd/weir vet ."); !strings.Contains(vet, "captured: this changes seen, which is not the function's own") {
		t.Error(vet)
	}
	seed := "seed " + command[2] + " ("
	if again := o.gotest(t, command[1]); story(out, seed) != story(again, seed) || !strings.Contains(again, seed+"1 of 1)") {
		t.Errorf("first:\n%s\nagain:\n%s", out, again)
	}
	if again := o.gotest(t, "go test ."); !strings.Contains(again, ".fail fails again: exactly-once is violated") {
		t.Error(again)
	}
	o.write(t, "words.go", job)
	mended := o.gotest(t, "go test -v . -weir.replay=all")
	if !strings.Contains(mended, ".fail passes now, with all its ") || !strings.Contains(mended, "\nok ") {
		t.Error(mended)
	}
}

// Somebody else's job with Union and Process, on public packages only.
func TestUnionAndProcessOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a module")
	}
	o := newOutsider(t)
	o.write(t, "words.go", outsideJob)
	o.write(t, "words_test.go", outsideTest)
	if out := o.gotest(t, "go run weir/cmd/weir vet ./... && go test -v . -weir.seeds=40"); !strings.Contains(out, "ok: 40 seeds from 0x0") || strings.Contains(out, "never reached") || !strings.Contains(out, " functions of jobs") {
		t.Fatal(out)
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

func TestClicks(t *testing.T) {
	user := func(in simtest.Record) string { return string(in.Value[:1]) }
	number := func(state []byte, _ simtest.Record) (next, value []byte) {
		n, _ := strconv.Atoi(string(state))
		next = strconv.AppendInt(nil, int64(n+1), 10)
		return next, next
	}
	simtest.Check(t, Job,
		simtest.Input("web", "a1", "a2", "b1", "a1", "b1", "a3", "a1", "c1"),
		simtest.Input("app", "a1", "a4", "b2", "b2", "c3"),
		simtest.Output("out", simtest.Fold(user, number).Alike()),
		simtest.Sometimes("recovery committed", nil),
		simtest.Sometimes("c has two", func(r *simtest.Run) bool { return len(r.Output("out")) == 13 && r.Restarts > 0 }),
		simtest.Topology(simtest.Shape{Parallelism: 2}))
}
`

// story is what a failure tells before the seed.
func story(out, seed string) string {
	_, text, _ := strings.Cut(out, "exactly-once is violated")
	text, _, _ = strings.Cut(text, seed)
	return text
}
