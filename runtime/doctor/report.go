package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Breaks  Level = "breaks"  // exactly-once
	Refuses Level = "refuses" // a job would not start
	Unasked Level = "unasked" // the question could not be put, or was not answered
)

// Finding is the answer to one question.
type Finding struct {
	Check  string `json:"check"`
	Object string `json:"object"` // what it is about
	Level  Level  `json:"level"`
	Found  string `json:"found"`
	Do     string `json:"do"` // what the operator can do; empty: nothing
}

// Report is every finding, in the order of the questions.
type Report struct {
	Findings []Finding
}

func (r *Report) add(level Level, check, object, found, do string) {
	r.Findings = append(r.Findings, Finding{Check: check, Object: object, Level: level, Found: found, Do: do})
}

// ok adds what is as it should be.
func (r *Report) ok(check, object, format string, args ...any) {
	r.add(OK, check, object, fmt.Sprintf(format, args...), "")
}

// count is how many findings are of a level.
func (r *Report) count(l Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// ExitCode is 1 for a finding that breaks exactly-once, else 2 for one that would stop a job or could not be asked,
// else 0.
func (r *Report) ExitCode() int {
	switch {
	case r.count(Breaks) > 0:
		return 1
	case r.count(Refuses)+r.count(Unasked) > 0:
		return 2
	}
	return 0
}

// summary counts the findings.
func (r *Report) summary() string {
	parts := []string{fmt.Sprintf("%d checks: %d ok", len(r.Findings), r.count(OK))}
	for _, c := range []struct {
		l    Level
		text string
	}{{Warning, "%d to look at"}, {Breaks, "%d break exactly-once"}, {Refuses, "%d would stop a job at its start"}, {Unasked, "%d could not be asked"}} {
		if n := r.count(c.l); n > 0 {
			parts = append(parts, fmt.Sprintf(c.text, n))
		}
	}
	return strings.Join(parts, ", ")
}

// Text writes the report for people: a line for each finding, what to do below it, and a count.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-7s  %s %s: %s\n", f.Level, f.Check, f.Object, f.Found)
		if f.Do != "" {
			fmt.Fprintf(&b, "           do: %s\n", f.Do)
		}
	}
	b.WriteString(r.summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer, schema int) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		SchemaVersion int           `json:"schema_version"`
		ExitCode      int           `json:"exit_code"`
		Counts        map[Level]int `json:"counts"`
		Findings      []Finding     `json:"findings"`
	}{schema, r.ExitCode(), map[Level]int{OK: r.count(OK), Warning: r.count(Warning), Breaks: r.count(Breaks), Refuses: r.count(Refuses), Unasked: r.count(Unasked)}, r.Findings})
}
