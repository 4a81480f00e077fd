package reports

import (
	"fmt"
	"io"
	"strings"
)

// Explanation is why one run failed, for somebody who was woken up by it.
type Explanation struct {
	Title    string   // verdict in words of the domain
	Subject  string   // which run of what
	Evidence []string // lines
	Model    string   // what was expected; empty: it does not fit into a line
	Observed string
	Events   []ExplainedEvent
	Faults   []ExplainedFault
	Nearest  string // the passing run that goes the same way the longest, and where it parts; empty: there is none
	Missed   []string
	Again    []string // commands
	Shrunk   string   // what a shrink came to; empty: there was none
}

// ExplainedEvent is a line of the story.
type ExplainedEvent struct {
	Step  uint64
	At    string
	Where string
	What  string
	Fault bool
	Apart bool // here the nearest passing run goes another way
}

// ExplainedFault is a fault, and whether the failure needs it.
type ExplainedFault struct {
	Fault   string
	Without string // what comes out without it
	Needed  bool
}

// Text writes it for a terminal.
func (x *Explanation) Text(w io.Writer) {
	fmt.Fprintf(w, "--- FAIL: %s\n    %s\n", x.Subject, x.Title)
	for _, line := range x.Evidence {
		fmt.Fprintf(w, "        %s\n", wrap(line, 96, "          "))
	}
	if x.Model+x.Observed != "" {
		fmt.Fprintf(w, "          model     %s\n          observed  %s\n", x.Model, x.Observed)
	}
	if x.Shrunk != "" {
		fmt.Fprintf(w, "\n    %s\n", x.Shrunk)
	}
	fmt.Fprintln(w)
	x.events(w)
	x.why(w)
	fmt.Fprintln(w)
	for _, line := range x.Again {
		fmt.Fprintf(w, "    %s\n", line)
	}
}

func (x *Explanation) events(w io.Writer) {
	where := len("where")
	for _, e := range x.Events {
		where = max(where, min(len(e.Where), 24))
	}
	fmt.Fprintf(w, "    %7s  %9s  %-*s  %s\n", "step", "t", where, "where", "event (* a fault)")
	for _, e := range x.Events {
		star, step, end := " ", fmt.Sprint(e.Step), ""
		if e.Fault {
			star = "*"
		}
		if e.Step == 0 {
			step = ""
		}
		if e.Apart {
			end = "   <== the nearest passing run goes another way"
		}
		fmt.Fprintf(w, "   %s%7s  %9s  %-*s  %s%s\n", star, step, e.At, where, short(e.Where, where), short(e.What, mostWhat), end)
	}
}

// mostWhat is the width of an event's text.
const mostWhat = 100

func short(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// wrap breaks a text into lines of at most so many bytes, the later ones behind an indent.
func wrap(text string, most int, indent string) string {
	var b strings.Builder
	width := 0
	for _, word := range strings.Split(text, " ") {
		switch {
		case width > 0 && width+1+len(word) > most:
			b.WriteString("\n" + indent)
			width = 0
		case width > 0:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}

// why says which faults the failure needs.
func (x *Explanation) why(w io.Writer) {
	fmt.Fprintln(w)
	needed := 0
	for _, f := range x.Faults {
		if f.Needed {
			needed++
		}
	}
	switch {
	case len(x.Faults) == 0:
		fmt.Fprintln(w, "    why: no fault is needed: the job fails on a good day.")
	case needed == 0 && x.Faults[0].Without == "":
		fmt.Fprintf(w, "    why: %d faults, too many to leave each out: shrink it first.\n", len(x.Faults))
	default:
		fmt.Fprintf(w, "    why: %d of %d faults are needed.\n", needed, len(x.Faults))
	}
	for _, f := range x.Faults {
		fmt.Fprintf(w, "         %s\n", f.Fault)
		if f.Without != "" {
			fmt.Fprintf(w, "             without it: %s\n", f.Without)
		}
	}
	if x.Nearest != "" {
		fmt.Fprintf(w, "    nearest passing run: %s\n", x.Nearest)
	}
	for _, m := range x.Missed {
		fmt.Fprintf(w, "    did not strike: %s\n", m)
	}
}

// Markdown writes it as the body of an issue.
func (x *Explanation) Markdown(w io.Writer) {
	fmt.Fprintf(w, "# %s\n\n%s\n\n", x.Title, x.Subject)
	for _, line := range x.Evidence {
		fmt.Fprintf(w, "- %s\n", line)
	}
	if x.Model+x.Observed != "" {
		fmt.Fprintf(w, "\n| | |\n|---|---|\n| model | `%s` |\n| observed | `%s` |\n", cell(x.Model), cell(x.Observed))
	}
	if x.Shrunk != "" {
		fmt.Fprintf(w, "\n%s\n", x.Shrunk)
	}
	fmt.Fprint(w, "\n## What happened\n\n```\n")
	x.events(w)
	fmt.Fprint(w, "```\n\n## Why\n\n```")
	x.why(w)
	fmt.Fprint(w, "```\n\n## Again\n\n```\n")
	for _, line := range x.Again {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w, "```")
}

func cell(s string) string { return strings.NewReplacer("|", "\\|", "`", "'", "\n", " ").Replace(s) }

// Seconds is a time in ns, in seconds to the millisecond.
func Seconds(ns int64) string { return fmt.Sprintf("%.3fs", float64(ns)/1e9) }
