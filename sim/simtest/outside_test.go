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
	seed := "seed " + command[2] + " ("
	if again := o.gotest(t, command[1]); story(out, seed) != story(again, seed) || !strings.Contains(again, seed+"1 of 1)") {
		t.Errorf("first:\n%s\nagain:\n%s", out, again)
	}
}

// story is what a failure tells before the seed.
func story(out, seed string) string {
	_, text, _ := strings.Cut(out, "exactly-once is violated")
	text, _, _ = strings.Cut(text, seed)
	return text
}
