package scenarios

import (
	"fmt"
	"strings"

	"weir/faults"
	"weir/protocol"
)

// Text is the story for a terminal: the verdict first, then the evidence, what led to it, and what to type. The lines of
// told stand before the events, those of again at the end.
func (st *Story) Text(told, again []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", st.Proof.Verdict)
	for _, line := range st.Proof.Evidence {
		fmt.Fprintf(&b, "    %s\n", wrap(line, 96, "      "))
	}
	if st.Proof.Model != "" {
		fmt.Fprintf(&b, "      model     %s\n      observed  %s\n", st.Proof.Model, st.Proof.Observed)
	}
	b.WriteByte('\n')
	for _, line := range append(st.run(), told...) {
		fmt.Fprintf(&b, "%s\n", wrap(line, 120, "  "))
	}
	b.WriteByte('\n')
	events(&b, st.Events)
	b.WriteByte('\n')
	st.why(&b)
	b.WriteByte('\n')
	for _, line := range again {
		fmt.Fprintf(&b, "%s\n", line)
	}
	return b.String()
}

// Markdown is the story as the body of an issue, with the file at its end.
func (st *Story) Markdown(told, again []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", st.Proof.Verdict)
	for _, line := range st.Proof.Evidence {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	if st.Proof.Model != "" {
		fmt.Fprintf(&b, "\n| | |\n|---|---|\n| model | `%s` |\n| observed | `%s` |\n", cell(st.Proof.Model), cell(st.Proof.Observed))
	}
	b.WriteByte('\n')
	for _, line := range append(st.run(), told...) {
		fmt.Fprintf(&b, "%s  \n", line)
	}
	b.WriteString("\n## What happened\n\n```\n")
	events(&b, st.Events)
	b.WriteString("```\n\n## Why\n\n```\n")
	st.why(&b)
	fmt.Fprintf(&b, "```\n\n## Again\n\n```\n%s\n```\n\n## The scenario file\n\n```\n%s```\n", strings.Join(again, "\n"), st.file)
	return b.String()
}

func cell(s string) string { return strings.NewReplacer("|", "\\|", "`", "'", "\n", " ").Replace(s) }

// run says what ran, and on what.
func (st *Story) run() (lines []string) {
	o := &st.Outcome
	for i := range st.file.Jobs {
		lines = append(lines, st.file.Jobs[i].cluster(i, len(st.file.Jobs)))
	}
	return append(lines, fmt.Sprintf("the run: %s of input, %d steps, %s of virtual time, %s sealed, %s; Kafka %v",
		many(st.file.Records, "record"), o.Run.Steps, brief(protocol.Duration(o.Run.Virtual)), many(o.Run.Sealed, "checkpoint"), many(len(o.Run.Plan), "fault"), st.file.Kafka))
}

// cluster is which processes there are.
func (s *Setup) cluster(i, of int) string {
	text := "cluster: "
	if of > 1 {
		text = fmt.Sprintf("cluster of job %d: ", i+1)
	}
	t := &s.Topology
	if len(t.Coordinators) == 1 && nodesText(t.Coordinators) == nodesText(t.Workers) {
		text += fmt.Sprintf("one process, node %d", t.Workers[0])
	} else {
		text += fmt.Sprintf("coordinator on node %d", t.Coordinators[0])
		if rest := t.Coordinators[1:]; len(rest) > 0 {
			text += " (to stand in: " + nodesText(rest) + ")"
		}
		text += ", workers on " + nodesText(t.Workers)
	}
	return text + fmt.Sprintf("; %s per stage, a checkpoint every %s", many(s.Config.Parallelism, "task"), brief(s.Config.Interval))
}

func many(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// brief is a time to the millisecond.
func brief(d protocol.Duration) string { return faults.Span(int64(d) / 1_000_000 * 1_000_000) }

// clock is a time from the start of the run, of which columns are made.
func clock(d protocol.Duration) string {
	ms := int64(d) / 1_000_000
	return fmt.Sprintf("%d.%03ds", ms/1000, ms%1000)
}

func events(b *strings.Builder, list []Turn) {
	where := len("where")
	for _, e := range list {
		where = max(where, min(len(e.Where), 24))
	}
	fmt.Fprintf(b, " %7s  %9s  %-*s  %s\n", "step", "t", where, "where", "event (* a fault)")
	for _, e := range list {
		star, step, end := " ", fmt.Sprint(e.Step), ""
		if e.Fault {
			star = "*"
		}
		if e.Step == 0 {
			step = ""
		}
		if e.Apart {
			end = "   <== here it parts from the nearest passing run"
		}
		fmt.Fprintf(b, "%s%7s  %9s  %-*s  %s%s\n", star, step, clock(e.At), where, short(e.Where, where), short(e.What, mostWhat), end)
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

// why says which faults the failure needs, and what should have happened.
func (st *Story) why(b *strings.Builder) {
	plan := st.file.Plan
	switch n := st.needed(); {
	case len(plan) == 0:
		b.WriteString("why: no fault is needed: it fails on a good day.\n")
	case st.Needs == nil && len(plan) > mostLeftOut:
		fmt.Fprintf(b, "why: %d faults, too many to leave each out: shrink it first.\n", len(plan))
	case st.Needs == nil:
		fmt.Fprintf(b, "why: %s; there was no time to leave each out (-weir.shrinktime gives more).\n", many(len(plan), "fault"))
	case len(plan) == 1:
		fmt.Fprintf(b, "why: %d of 1 fault is needed.\n", n)
	default:
		fmt.Fprintf(b, "why: %d of %d faults are needed.\n", n, len(plan))
	}
	for i := range plan[:min(len(plan), mostLeftOut)] {
		fmt.Fprintf(b, "     %s\n", plan[i].String())
		if words := faultWords(plan[i].ID.Kind); words != "" && !plan[:i].Has(plan[i].ID.Kind) {
			fmt.Fprintf(b, "         that is: %s\n", words)
		}
		if st.Needs != nil {
			fmt.Fprintf(b, "         without it: %s\n", st.without(i))
		}
	}
	if st.Nearest >= 0 {
		fmt.Fprintf(b, "what should have happened: without %v the run goes another way at step %d, and passes:\n", plan[st.Nearest].ID, st.Apart.Step)
		events(b, st.Instead)
	}
	for i := range st.Outcome.Run.Missed {
		fmt.Fprintf(b, "did not strike: %s\n", st.Outcome.Run.Missed[i].String())
	}
}

// needed is how many faults it does not fail without.
func (st *Story) needed() (n int) {
	for i := range st.Needs {
		if st.Needs[i].Without != st.Outcome.Sort() {
			n++
		}
	}
	return n
}

func (st *Story) without(i int) string {
	switch sort := st.Needs[i].Without; sort {
	case st.Outcome.Sort():
		return "it fails all the same"
	default:
		return sort
	}
}
