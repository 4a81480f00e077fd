package plant

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/faults/mutants"
	"weir/reports"
	"weir/scenarios"
)

// thirdRebirth is a bug that needs three faults: a coordinator that has seen three workers begin a new life starts the
// sources one record too early. It takes three crashes of processes other than its own.
func thirdRebirth() mutants.Mutant {
	return mutants.Mutant{
		Name: "third-rebirth-repeats", Breaks: "a restored source reads on where its snapshot says, however often workers were born again: after the third time it begins one record earlier",
		Edits: []mutants.Edit{
			{File: "protocol/checkpoint/coordinator.go", Old: "	nodes   []protocol.NodeID // by TaskID; index 0 is ours\n", New: "	nodes   []protocol.NodeID // by TaskID; index 0 is ours\n	reborn  int\n"},
			{File: "protocol/checkpoint/workers.go", Old: `			out.Append(protocol.Note{Kind: protocol.NoteWorkerReborn})
`, New: `			out.Append(protocol.Note{Kind: protocol.NoteWorkerReborn})
			if c.broken == nil {
				c.reborn++
			}
`},
			{File: "protocol/checkpoint/workers.go", Old: `			if m.Snapshots[i].Task == t {
				return m.Snapshots[i]
`, New: `			if m.Snapshots[i].Task == t {
				if s := m.Snapshots[i]; c.reborn >= 3 && len(s.Positions) > 0 && s.Positions[0].Next > 0 {
					s.Positions = append([]protocol.Position{}, s.Positions...)
					s.Positions[0].Next--
					return s
				}
				return m.Snapshots[i]
`},
		},
	}
}

// TestThreeFaults: a bug that needs three faults is shrunk to three, and its story fits on a page.
func TestThreeFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	f, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := thirdRebirth()
	weir, err := f.BuildProgram(&m, "./cmd/weir")
	if err != nil {
		t.Fatal(err)
	}
	saved := manyFaults(t, weir)
	smallest := filepath.Join(t.TempDir(), "smallest.scenario")
	began := time.Now()
	said := run(t, 0, weir, "shrink", saved, "-o", smallest)
	took := time.Since(began)
	text, err := os.ReadFile(smallest)
	if err != nil {
		t.Fatal(err)
	}
	small, err := scenarios.ParseFile(smallest, text)
	if err != nil {
		t.Fatal(err)
	}
	story := string(run(t, 1, weir, "explain", smallest))
	t.Logf("%v\n%s\n%s\n%s", took, said, text, story)
	if len(small.Plan) != 3 || !strings.Contains(story, "3 of 3 faults are needed") {
		t.Errorf("%d faults, not 3", len(small.Plan))
	}
	_, events, _ := strings.Cut(story, "event (* a fault)\n")
	events, _, _ = strings.Cut(events, "\n\n")
	if n := strings.Count(events, "\n") + 1; n > scenarios.MostTurns {
		t.Errorf("%d events", n)
	}
	run(t, 1, weir, "repro", smallest)
}

// manyFaults is the file of a failure in which a dozen faults or more struck.
func manyFaults(t *testing.T, weir string) string {
	t.Helper()
	dir := t.TempDir()
	for seed := 0; seed < 3000; seed += 25 {
		out := either(t, weir, "fuzz", "--json", "--seeds", "25", "--from", strconv.Itoa(seed), "--scenario", "linear", "--save", dir)
		var h reports.Hunt
		if err := json.Unmarshal(out, &h); err != nil {
			t.Fatal(err)
		}
		for _, f := range h.Failures {
			if text, err := os.ReadFile(f.Saved); err == nil && strings.Count(string(text), "\nfault ") >= 12 {
				return f.Saved
			}
		}
	}
	t.Fatal("nothing was found")
	return ""
}

// either is what a program prints that may exit with any code.
func either(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out
}

// run runs a program that must exit with a code, and returns what it printed.
func run(t *testing.T, code int, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		t.Fatalf("%v: exit code %d, not %d\n%s", args, got, code, out)
	}
	return out
}
