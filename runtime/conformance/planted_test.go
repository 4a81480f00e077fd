package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/faults/mutants"
)

// hunt says who must catch a planted bug of an adapter.
type hunt struct {
	pkg   string // where the tests on fakes are
	fake  string
	real  string // tests of this package, on real services
	needs string // the real service
}

// hunts is by the mutant's name.
func hunts() map[string]hunt {
	return map[string]hunt{
		"end-capped-at-v4":         {pkg: "./runtime/kafka", fake: "TestTransactionIsVisibleOnceCommitted|TestZombieAfterTheEnd", real: "TestAdapterShutsTheDoor|TestAdapterEndsInTheBrokersVersion", needs: "kafka"},
		"head-put-repeated":        {pkg: "./runtime/s3", fake: "TestAnswerLostOnTheWire|TestReplyLost", real: "TestAdapterSendsAPutOnce", needs: "s3"},
		"init-before-commit":       {pkg: "./runtime/kafka", fake: "TestTransactionIsVisibleOnceCommitted|TestEndRequestLate", real: "TestAdapterCommitsForTheDead", needs: "kafka"},
		"source-reads-uncommitted": {pkg: "./runtime/kafka", fake: "TestFetchPassesMarkersAndAbortedTail|TestBoundedInputEndsInAnAbortedTail", real: "TestAdapterReadsCommitted", needs: "kafka"},
	}
}

// TestPlantedFit: each bug has a hunt, and is a program, so that no compiler takes the hunters' work away.
func TestPlantedFit(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the adapters once more for each bug; run without -short")
	}
	for _, m := range mutants.Adapters() {
		h, ok := hunts()[m.Name]
		if !ok {
			t.Errorf("%s: nobody hunts for it", m.Name)
			continue
		}
		run(t, "go", "build", "-overlay", overlay(t, m), h.pkg)
	}
}

// TestPlanted plants each bug in the real adapter and demands that its hunters, who let the adapter as it is pass, catch
// it. It says who did, and after what time. It needs no service for those on fakes.
func TestPlanted(t *testing.T) {
	Need(t, "planted")
	env := os.Environ()
	if asked("kafka") {
		env = append(env, lentBrokers+"="+strings.Join(brokers(t), ","))
	}
	if asked("s3") {
		env = append(env, lentBucket+"="+bucketURL(t))
	}
	for _, m := range mutants.Adapters() {
		h := hunts()[m.Name]
		t.Run(m.Name, func(t *testing.T) {
			catches(t, "on fakes", m, env, h.pkg, h.fake)
			if asked(h.needs) {
				catches(t, "on real services", m, env, "./runtime/conformance", h.real)
			}
		})
	}
}

// catches runs tests without the bug, which must pass, and with it: one at least must fail.
func catches(t *testing.T, where string, m mutants.Mutant, env []string, pkg, tests string) {
	t.Helper()
	dir := t.TempDir()
	sound, sick := filepath.Join(dir, "sound"), filepath.Join(dir, "sick")
	run(t, "go", "test", "-c", "-o", sound, pkg)
	run(t, "go", "test", "-c", "-overlay", overlay(t, m), "-o", sick, pkg)
	if out, err := hunted(t, sound, pkg, tests, env); err != nil {
		t.Fatalf("%s: without the bug: %v\n%s", where, err, out)
	}
	began := time.Now()
	out, err := hunted(t, sick, pkg, tests, env)
	took := time.Since(began).Round(10 * time.Millisecond)
	failed := regexp.MustCompile(`(?m)^--- FAIL: (\S+ \(\S+\))`).FindAllStringSubmatch(out, -1)
	if err == nil || len(failed) == 0 {
		t.Errorf("%s: %s is not caught by %s (%v)\n%s", where, m.Name, tests, err, out)
		return
	}
	for _, f := range failed {
		t.Logf("%s: caught by %s", where, f[1])
	}
	t.Logf("%s: all of these tests took %v", where, took)
}

// hunted runs tests of a binary where go test would, with a limit of its own.
func hunted(t *testing.T, binary, pkg, tests string, env []string) (string, error) {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run", "^("+tests+")$", "-test.v", "-test.short", "-test.timeout", "120s")
	cmd.Dir, cmd.Env = filepath.Join(root, filepath.FromSlash(pkg)), env
	out, err := cmd.CombinedOutput()
	if !strings.Contains(string(out), "=== RUN") {
		t.Fatalf("%s: no test ran: %v\n%s", tests, err, out)
	}
	return string(out), err
}

// overlay writes what a bug makes of the sources, and the file by which the go command takes them.
func overlay(t *testing.T, m mutants.Mutant) string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := m.Apply(func(file string) ([]byte, error) { return os.ReadFile(filepath.Join(root, filepath.FromSlash(file))) })
	if err != nil {
		t.Fatal(err)
	}
	dir, replaced := t.TempDir(), map[string]string{}
	for i, s := range sources {
		planted := filepath.Join(dir, fmt.Sprint(i, ".go"))
		if err := os.WriteFile(planted, s.Text, 0o644); err != nil {
			t.Fatal(err)
		}
		replaced[filepath.Join(root, filepath.FromSlash(s.File))] = planted
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// run runs a command at the module's root; it must succeed.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
