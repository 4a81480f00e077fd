package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/checker"
	"weir/reports"
	"weir/scenarios"
	"weir/sim"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir": main})
}

// Each script is a situation; the commands beside testscript's own are below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "hunt": isHunt, "scenarios": isScenarios, "cluster": cluster, "opens": opens, "examined": isExamined},
	})
}

// code N PROGRAM ARGS runs a program that must exit with N.
func code(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// decode reads one JSON object, of which v knows every field and in which none of v's is missing, but those that may be.
func decode(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the object: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return err
	}
	t := reflect.TypeOf(v).Elem()
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if raw, ok := fields[name]; (!ok || bytes.Equal(raw, []byte("null"))) && options != "omitempty" {
			return fmt.Errorf("field %q is missing", name)
		}
	}
	return nil
}

// hunt SEEDS: stdout is what reports.Hunt is as JSON, of so many seeds that passed.
func isHunt(ts *testscript.TestScript, _ bool, args []string) {
	var h reports.Hunt
	ts.Check(decode(ts.ReadFile("stdout"), &h))
	if strconv.Itoa(h.Seeds) != args[0] || h.Verdict != reports.Pass || h.SchemaVersion != reports.SchemaVersion || len(h.Failures) > 0 {
		ts.Fatalf("%d seeds, %s, schema %d, %d failures", h.Seeds, h.Verdict, h.SchemaVersion, len(h.Failures))
	}
	if len(h.Digest) != 16 || h.Steps == 0 || h.VirtualSeconds == 0 || len(h.Faults) == 0 || len(h.Phases) != len(h.Faults) || len(h.Notes) == 0 {
		ts.Fatalf("an empty report: %+v", h)
	}
}

// scenarios: stdout is the list of all scenarios as JSON.
func isScenarios(ts *testscript.TestScript, _ bool, _ []string) {
	var l struct {
		SchemaVersion int     `json:"schema_version"`
		Scenarios     []entry `json:"scenarios"`
	}
	ts.Check(decode(ts.ReadFile("stdout"), &l))
	all := scenarios.All()
	if l.SchemaVersion != reports.SchemaVersion || len(l.Scenarios) != len(all) {
		ts.Fatalf("schema %d, %d scenarios of %d", l.SchemaVersion, len(l.Scenarios), len(all))
	}
	for i, s := range all {
		if l.Scenarios[i] != (entry{s.Name, s.About}) {
			ts.Fatalf("scenario %d is %+v", i, l.Scenarios[i])
		}
	}
}

// fuzzed is what a process of its own prints when it runs seeds.
func fuzzed(t *testing.T, procs string, args ...string) []byte {
	t.Helper()
	exe, err := exec.LookPath("weir")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, append([]string{"fuzz", "--seeds", "24", "--from", "0x5eed"}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+procs)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("weir fuzz at GOMAXPROCS %s, %v: %v\n%s", procs, args, err, out)
	}
	return out
}

// TestDeterminismOfFuzz: the digest of seeds is the same in any process, at any GOMAXPROCS and with any number of workers.
func TestDeterminismOfFuzz(t *testing.T) {
	want := ""
	for _, procs := range []string{"1", "2", "8"} {
		for _, workers := range []string{"1", "4"} {
			var h reports.Hunt
			if err := decode(string(fuzzed(t, procs, "--workers", workers, "--json")), &h); err != nil {
				t.Fatal(err)
			}
			if want == "" {
				want = h.Digest
			}
			if h.Digest != want {
				first := firstDifference(fuzzed(t, "1", "--workers", "1", "--digests"), fuzzed(t, procs, "--workers", workers, "--digests"))
				t.Errorf("GOMAXPROCS %s, %s workers: digest %s, it was %s before; first difference: %s", procs, workers, h.Digest, want, first)
			}
		}
	}
	t.Logf("digest %s", want)
}

// firstDifference is the first seed whose digests differ.
func firstDifference(a, b []byte) string {
	there := bytes.Split(b, []byte("\n"))
	for i, line := range bytes.Split(a, []byte("\n")) {
		if i >= len(there) || !bytes.Equal(line, there[i]) {
			return string(line)
		}
	}
	return "none now"
}

// What repro says, and its exit code, for everything that can come out.
func TestReproExitCodes(t *testing.T) {
	good := scenarios.Outcome{Run: sim.Result{Digest: 7}}
	for _, c := range []struct {
		name          string
		first, second scenarios.Outcome
		code          int
		says          string
	}{
		{"pass", good, good, 0, "PASS"},
		{"fail", good, scenarios.Outcome{Run: sim.Result{Digest: 7}, Broken: "exactly-once", Message: "lost"}, 1, "FAIL exactly-once: lost"},
		{"unknown", good, scenarios.Outcome{Run: sim.Result{Digest: 7}, Unknown: true, Message: "too large", Verdict: checker.Verdict{}}, 3, "UNKNOWN: too large"},
		{"not the same", good, scenarios.Outcome{Run: sim.Result{Digest: 8}, Broken: "exactly-once"}, 4, "NONDETERMINISTIC: digest 0000000000000007 the first time, 0000000000000008 the second"},
	} {
		var b bytes.Buffer
		if got := tell(&b, &c.first, &c.second); got != c.code || !strings.Contains(b.String(), c.says) {
			t.Errorf("%s: code %d, want %d; said %q", c.name, got, c.code, b.String())
		}
	}
}

// A hunt's verdict is its worst seed's.
func TestHuntVerdict(t *testing.T) {
	pass, unknown, fail := scenarios.Outcome{}, scenarios.Outcome{Unknown: true}, scenarios.Outcome{Broken: "alignment"}
	for _, c := range []struct {
		outcomes []scenarios.Outcome
		verdict  string
		code     int
	}{
		{[]scenarios.Outcome{pass, pass}, reports.Pass, 0},
		{[]scenarios.Outcome{pass, unknown}, reports.Unknown, 3},
		{[]scenarios.Outcome{unknown, fail, pass}, reports.Fail, 1},
	} {
		r := newReport(&hunt{scenarios: scenarios.All(), seeds: len(c.outcomes)})
		for i := range c.outcomes {
			r.add(&c.outcomes[i])
		}
		if h := r.finish(1); h.Verdict != c.verdict || reports.ExitCode(h.Verdict) != c.code {
			t.Errorf("%s, code %d; want %s, %d", h.Verdict, reports.ExitCode(h.Verdict), c.verdict, c.code)
		}
	}
}
