package reports

import (
	"cmp"
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
	HonestSeconds  float64                      `json:"honest_seconds"` // the virtual time in which a checkpoint sealed at least once per 3 intervals
	WallSeconds    float64                      `json:"wall_seconds"`
	FailureBound   float64                      `json:"per_seed_failure_bound"` // 3/n: with 95 % confidence a seed of these scenarios fails no more often; 1 when one failed
	Digest         string                       `json:"digest"`                 // of the seeds' digests, in order
	Faults         map[string]uint64            `json:"faults"`
	Phases         map[string]map[string]uint64 `json:"phases"`
	Notes          map[string]uint64            `json:"notes"`
	Sometimes      map[string]uint64            `json:"sometimes"`            // how often each rare state was reached
	Targets        []Target                     `json:"targets,omitempty"`    // by scenario
	Enumerated     *Enumerated                  `json:"enumerated,omitempty"` // in place of seeds
	Regressions    int                          `json:"regressions"`          // scenario files that were run first
	Failures       []Failure                    `json:"failures"`
}

// Target counts the seeds of a scenario that a fault met where it matters most.
type Target struct {
	Scenario string `json:"scenario"`
	Seeds    int    `json:"seeds"`
	// Window counts the seeds with a crash, a pause or a lost reply between the prepare and the seal of a checkpoint.
	Window int `json:"between_prepare_and_seal"`
	// Unknown counts the seeds with an EndTxn, a write of HEAD or a flush that ended Unknown.
	Unknown int `json:"unknown_commit_head_or_flush"`
}

// Enumerated counts the cases of an enumeration: runs with one fault, or two, at one place, for every place.
type Enumerated struct {
	Crashes        int `json:"crashes"`         // behind every effect of every machine
	Pairs          int `json:"pairs"`           // of coordinator and sink's worker, within one checkpoint
	UnknownApplied int `json:"unknown_applied"` // outcomes Unknown of what had happened
	UnknownLost    int `json:"unknown_lost"`    // of what never did
	UnknownLate    int `json:"unknown_late"`    // of what happened later
	Failures       int `json:"failures"`
}

// Failure is one seed that did not pass.
type Failure struct {
	Seed     string `json:"seed"`
	Scenario string `json:"scenario"`
	Case     string `json:"case,omitempty"` // of an enumeration
	// Regression is the name of a scenario file that did not come out as it says.
	Regression string `json:"regression,omitempty"`
	Invariant  string `json:"invariant"`
	Message    string `json:"message"`
	Repro      string `json:"repro"`
	// Fingerprint is the same for failures that look the same; Count is how many there were: the first one is told.
	Fingerprint string `json:"fingerprint"`
	Count       int    `json:"count"`
	Saved       string `json:"saved,omitempty"` // scenario file
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
	unit := "seeds"
	if h.Enumerated != nil {
		unit = "cases"
	}
	fmt.Fprintf(w, "%s: %d %s of %s from %s in %v (%.0f %s/s, %.2f M steps/s)\n", strings.ToUpper(h.Verdict), h.Seeds, unit, h.Scenario, h.FirstSeed,
		wall.Round(10*time.Millisecond), float64(h.Seeds)/h.WallSeconds, unit, float64(h.Steps)/h.WallSeconds/1e6)
	fmt.Fprintf(w, "  simulated %v, honest %v, digest %s\n", seconds(h.VirtualSeconds), seconds(h.HonestSeconds), h.Digest)
	if h.Regressions > 0 {
		fmt.Fprintf(w, "  regressions: %d scenario files were run first\n", h.Regressions)
	}
	if e := h.Enumerated; e != nil {
		fmt.Fprintf(w, "  enumerated %d crashes, %d pairs of crashes, unknown outcomes: %d lost, %d applied, %d late; %d failures\n", e.Crashes, e.Pairs, e.UnknownLost, e.UnknownApplied, e.UnknownLate, e.Failures)
	} else {
		h.faultTable(w)
		h.targetTable(w)
		h.rareTable(w)
	}
	for i, f := range h.Failures {
		if i == 5 {
			fmt.Fprintf(w, "… and %d more failures\n", len(h.Failures)-i)
			break
		}
		if f.Regression != "" {
			fmt.Fprintf(w, "\nFAIL %s\n  repeat: %s\n", f.Message, f.Repro)
			continue
		}
		where := f.Seed
		if f.Case != "" {
			where += " case " + f.Case
		}
		fmt.Fprintf(w, "\nFAIL %s seed %s: %s\n%s\n", f.Scenario, where, f.Invariant, indent(f.Message))
		if f.Count > 1 {
			fmt.Fprintf(w, "  and %d more that look the same: %s\n", f.Count-1, f.Fingerprint)
		}
		fmt.Fprintf(w, "  repeat: %s\n", f.Repro)
		if f.Saved != "" {
			fmt.Fprintf(w, "  saved: %s\n  why: go run ./cmd/weir shrink %s\n", f.Saved, f.Saved)
		}
	}
}

func seconds(s float64) time.Duration { return time.Duration(s) * time.Second }

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

// targetTable shows how many seeds of each scenario were hit where it matters most.
func (h *Hunt) targetTable(w io.Writer) {
	fmt.Fprintf(w, "  %-22s %8s %s\n", "seeds with a fault", "all", "  crash, pause or lost reply from prepare to seal   EndTxn, HEAD or flush unknown")
	for _, t := range h.Targets {
		share := func(n int) float64 { return 100 * float64(n) / float64(max(t.Seeds, 1)) }
		fmt.Fprintf(w, "  %-22s %8d %49.1f %% %29.1f %%\n", t.Scenario, t.Seeds, share(t.Window), share(t.Unknown))
	}
}

// Missing lists the rare states that were never reached and the faults that never struck.
func (h *Hunt) Missing() (out []string) {
	for _, list := range []map[string]uint64{h.Sometimes, h.Faults} {
		for _, name := range sorted(list) {
			if list[name] == 0 {
				out = append(out, name)
			}
		}
	}
	return out
}

// rareTable says which rare states were reached least, and which never.
func (h *Hunt) rareTable(w io.Writer) {
	names := sorted(h.Sometimes)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(h.Sometimes[a], h.Sometimes[b]) })
	const shown = 5
	fmt.Fprintf(w, "  %d rare states; least often:", len(names))
	for i, name := range names {
		if n := h.Sometimes[name]; i < shown || n == 0 {
			fmt.Fprintf(w, " %s %d,", name, n)
		}
	}
	fmt.Fprintln(w, " …")
	if missing := h.Missing(); len(missing) > 0 {
		fmt.Fprintf(w, "  never: %s\n", strings.Join(missing, ", "))
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
