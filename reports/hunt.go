package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// SchemaVersion is of the JSON objects.
const SchemaVersion = 1

// The verdicts of a hunt, with their exit codes.
const (
	Pass             = "pass"             // 0
	Fail             = "fail"             // 1
	Unknown          = "unknown"          // 3: the checker reached a limit
	Nondeterministic = "nondeterministic" // 4
	Stale            = "stale"            // 5: a fault of the scenario no longer fires
	Vacuous          = "vacuous"          // 6: something that must happen never did
)

// ExitCode is the exit code of a verdict.
func ExitCode(verdict string) int {
	return map[string]int{Pass: 0, Fail: 1, Unknown: 3, Nondeterministic: 4, Stale: 5, Vacuous: 6}[verdict]
}

// Hunt is what a number of seeds came to. Seeds and digests are hex strings: JSON's numbers are too short for them.
type Hunt struct {
	SchemaVersion  int                          `json:"schema_version"`
	Verdict        string                       `json:"verdict"`
	Scenario       string                       `json:"scenario"` // "all" for all in turn
	Seeds          int                          `json:"seeds"`
	FirstSeed      string                       `json:"first_seed"`
	Steps          uint64                       `json:"steps"`
	VirtualSeconds float64                      `json:"virtual_seconds"`
	WallSeconds    float64                      `json:"wall_seconds"`
	Digest         string                       `json:"digest"` // of the seeds' digests, in order
	Faults         map[string]uint64            `json:"faults"`
	Phases         map[string]map[string]uint64 `json:"phases"`
	Notes          map[string]uint64            `json:"notes"`
	Failures       []Failure                    `json:"failures"`
}

// Failure is one seed that did not pass.
type Failure struct {
	Seed      string `json:"seed"`
	Scenario  string `json:"scenario"`
	Invariant string `json:"invariant"`
	Message   string `json:"message"`
	Repro     string `json:"repro"`
}

// JSON writes v as one indented object.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Text writes the hunt for a person.
func (h *Hunt) Text(w io.Writer) {
	wall := time.Duration(h.WallSeconds * float64(time.Second))
	fmt.Fprintf(w, "%s: %d seeds of %s from %s in %v (%.0f seeds/s, %.2f M steps/s)\n", strings.ToUpper(h.Verdict), h.Seeds, h.Scenario, h.FirstSeed,
		wall.Round(10*time.Millisecond), float64(h.Seeds)/h.WallSeconds, float64(h.Steps)/h.WallSeconds/1e6)
	fmt.Fprintf(w, "  simulated %v, digest %s\n", (time.Duration(h.VirtualSeconds) * time.Second).Round(time.Second), h.Digest)
	h.faultTable(w)
	for i, f := range h.Failures {
		if i == 5 {
			fmt.Fprintf(w, "… and %d more failures\n", len(h.Failures)-i)
			break
		}
		fmt.Fprintf(w, "\nFAIL %s seed %s: %s\n%s\n  repeat: %s\n", f.Scenario, f.Seed, f.Invariant, indent(f.Message), f.Repro)
	}
}

// faultTable shows which faults struck in which phase of the protocol.
func (h *Hunt) faultTable(w io.Writer) {
	phases := []string{"idle", "triggered", "prepared", "decided", "recovering"}
	fmt.Fprintf(w, "  %-18s %8s", "faults that struck", "all")
	for _, p := range phases {
		fmt.Fprintf(w, " %10s", p)
	}
	fmt.Fprintln(w)
	for _, kind := range sorted(h.Faults) {
		fmt.Fprintf(w, "  %-18s %8d", kind, h.Faults[kind])
		for _, p := range phases {
			fmt.Fprintf(w, " %10d", h.Phases[kind][p])
		}
		fmt.Fprintln(w)
	}
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }
