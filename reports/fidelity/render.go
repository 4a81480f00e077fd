package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weir/protocol/devicetest"
)

// report is everything that fidelity.md is made of.
type report struct {
	verdicts    verdicts
	items       []item
	differences []difference
	mended      string
	used        map[difference]bool
	rows        map[string]map[string]devicetest.Row // by kind and name
}

func read(dir string) (*report, error) {
	r := &report{used: map[difference]bool{}, rows: map[string]map[string]devicetest.Row{}}
	for _, kind := range []string{devicetest.Kafka, devicetest.Earlier, devicetest.Before, devicetest.Fake} {
		r.rows[kind] = map[string]devicetest.Row{}
		for _, row := range devicetest.Rows(kind) {
			r.rows[kind][row.Name] = row
		}
	}
	var err error
	if r.verdicts, err = readVerdicts(dir); err != nil {
		return nil, err
	}
	if r.items, err = readItems(dir); err != nil {
		return nil, err
	}
	if r.differences, err = readDifferences(dir); err != nil {
		return nil, err
	}
	all, err := lines(dir, "mended.txt", 2)
	for _, f := range all {
		r.mended += fmt.Sprintf("| %s | %s |\n", f[0], f[1])
	}
	return r, err
}

// render is fidelity.md, or an error that names every promise without a row.
func (r *report) render() (string, error) {
	var b strings.Builder
	var missing []string
	b.WriteString(preface)
	for _, tab := range tables() {
		text, without := r.table(tab)
		b.WriteString(text)
		missing = append(missing, without...)
	}
	text, without := r.renderItems()
	b.WriteString(text)
	missing = append(missing, without...)
	b.WriteString("\n## What was mended\n\nWhere a real broker or server and the virtual one differed, the virtual one was wrong.\n\n| what real ones do | what the virtual one did |\n|---|---|\n" + r.mended)
	for _, d := range r.differences {
		if !r.used[d] {
			missing = append(missing, fmt.Sprintf("differences.txt: %s | %s is no difference: the promise holds there, or is none", d.title, d.promise))
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("%d promises have no row:\n  %s", len(missing), strings.Join(missing, "\n  "))
	}
	return b.String(), nil
}

const preface = `# Fidelity: which promise was tested where

Written by reports/fidelity from what the tests of each world did; do not edit. ` + "`make conformance`" + ` runs them all, on real Kafka and
S3 servers too. *tested*: a test of the promise's name passed there. *differs*: it does not hold there, or is answered otherwise; the
note says how, and why that does not matter. *not asked*: the note says why. Nothing else is possible: a promise without a verdict
fails the build.

TV is transaction.version; *three* is three brokers with replication factor 3. kfake is franz-go's broker within the process, which the
embedded broker of demo and tests is.
`

func (r *report) table(tab table) (text string, missing []string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| promise |", tab.title, tab.about)
	for _, c := range tab.columns {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(tab.columns)) + "\n")
	var notes []string
	for _, p := range tab.promises {
		fmt.Fprintf(&b, "| %s |", p)
		for _, c := range tab.columns {
			cell, note := r.cell(c, p)
			if cell == "" {
				missing = append(missing, fmt.Sprintf("%s: %q on %s", tab.title, p, c.title))
			}
			if note != "" {
				at := slices.Index(notes, note)
				if at < 0 {
					at, notes = len(notes), append(notes, note)
				}
				cell += fmt.Sprintf(" (%d)", at+1)
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	for i, n := range notes {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%d. %s\n", i+1, n)
	}
	return b.String(), missing
}

// cell is what to say of a promise in a world, and a note if it differs; empty: there is nothing to say.
func (r *report) cell(c column, promise string) (text, note string) {
	passed := r.passed(c.arm, c.tests(promise))
	if row, ok := r.rows[c.kind][promise]; ok && passed && row.Differs != "" {
		return "differs", fmt.Sprintf("%s %s.", c.title, row.Differs)
	}
	if passed {
		return "tested", ""
	}
	for _, d := range r.differences {
		if d.title == c.title && r.covers(d.promise, promise) {
			r.used[d] = true
			if strings.HasPrefix(d.how, "not asked") {
				text = "not asked"
			}
			return cmp.Or(text, "differs"), fmt.Sprintf("%s: %s; %s.", d.title, d.how, d.why)
		}
	}
	return "", ""
}

func (r *report) passed(arm string, tests []string) bool {
	return len(tests) > 0 && !slices.ContainsFunc(tests, func(t string) bool { return r.verdicts[arm][t] != "pass" })
}

// covers reports whether a difference is about a promise: it names it, or a class of rows that it is of.
func (r *report) covers(what, promise string) bool {
	row, ok := r.rows[devicetest.Kafka][promise]
	switch what {
	case "all rows of version 5":
		return ok && row.Needs("5")
	case "all rows of time":
		return ok && row.Slow()
	case "all rows of the last epoch":
		return ok && row.Slow() && !row.Forgets()
	}
	return what == promise
}

// renderItems are the facts of items.txt, by section.
func (r *report) renderItems() (text string, missing []string) {
	var b strings.Builder
	section := ""
	for _, it := range r.items {
		if it.section != section {
			section = it.section
			fmt.Fprintf(&b, "\n## %s\n\n| | fact | tests | where |\n|---|---|---|---|\n", section)
		}
		where := "from source, not tested"
		if len(it.tests) > 0 {
			where = r.where(it.tests)
		}
		if where == "" {
			missing = append(missing, fmt.Sprintf("%s: %s: one of its tests passed nowhere: %q", it.section, it.id, it.tests))
		}
		if it.note != "" {
			where += "; " + it.note
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", it.id, it.text, quoted(it.tests), where)
	}
	return b.String(), missing
}

// where are the arms in which some of the tests passed, if each of them did somewhere. What passes without any Kafka is
// not about Kafka: the arms of Kafka run it beside.
func (r *report) where(tests []string) string {
	var out []string
	for _, t := range tests {
		before, bucket := len(out), r.verdicts["minio"][t] == "pass"
		for _, arm := range arms {
			if r.verdicts[arm][t] == "pass" && !(bucket && strings.HasPrefix(arm, "kafka")) {
				out = append(out, arm)
			}
		}
		if len(out) == before {
			return ""
		}
	}
	return strings.Join(slices.DeleteFunc(slices.Clone(arms), func(a string) bool { return !slices.Contains(out, a) }), ", ")
}

func quoted(tests []string) string {
	var out []string
	for _, t := range tests {
		_, name, _ := strings.Cut(t, " ")
		pack, _, _ := strings.Cut(t, " ")
		out = append(out, "`"+pack+" "+strings.ReplaceAll(name, "_", " ")+"`")
	}
	return strings.Join(out, ", ")
}
