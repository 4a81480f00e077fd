package reports

import (
	"fmt"
	"io"
	"strings"
)

// Mutants is how many seeds each planted bug lived.
type Mutants struct {
	SchemaVersion int      `json:"schema_version"`
	Seeds         int      `json:"seeds"`     // at most, from each start
	Starts        int      `json:"starts"`    // hunts per mutant, each from another seed
	Unpatched     string   `json:"unpatched"` // pass, or how the program without a bug failed on the same seeds
	Mutants       []Mutant `json:"mutants"`
}

// Mutant is one planted bug. Numbers of seeds count the one that failed; -1: not within the limit.
type Mutant struct {
	Name          string   `json:"name"`
	Source        string   `json:"source"` // the files it changes
	Breaks        string   `json:"breaks"`
	StandsFor     string   `json:"stands_for"`
	Unseen        string   `json:"unseen"` // why no reader of the output can see it
	Caught        bool     `json:"caught"` // from every start
	CaughtBy      []string `json:"caught_by"`
	SeedsMedian   int      `json:"seeds_median"`
	SeedsMax      int      `json:"seeds_max"`
	AloneMedian   int      `json:"seeds_exactly_once_only"`
	AloneMax      int      `json:"exactly_once_only_max"`
	Repro         string   `json:"repro"` // the first catch
	ReproScenario string   `json:"repro_scenario"`
}

// Caught reports whether no bug lived and the program without one passed.
func (m *Mutants) Caught() bool {
	for i := range m.Mutants {
		if !m.Mutants[i].Caught {
			return false
		}
	}
	return m.Unpatched == Pass
}

// MutantHeader is the head of a table of rows as Row makes them.
func MutantHeader() string {
	return fmt.Sprintf("%-28s %9s %9s   %9s %9s  %s", "seeds until caught", "median", "max", "checker", "max", "caught by")
}

// Row is the mutant as one line of a table.
func (m *Mutant) Row() string {
	median, most := m.aloneCounts()
	return fmt.Sprintf("%-28s %9s %9s   %9s %9s  %s", m.Name, count(m.SeedsMedian), count(m.SeedsMax), median, most, strings.Join(m.CaughtBy, ", "))
}

// aloneCounts are the numbers of seeds by the exactly-once checker alone, where it was asked.
func (m *Mutant) aloneCounts() (median, most string) {
	if m.Unseen != "" {
		return "–", "–"
	}
	return count(m.AloneMedian), count(m.AloneMax)
}

// count is a number of seeds for a person.
func count(n int) string {
	if n < 0 {
		return "never"
	}
	return fmt.Sprint(n)
}

// Sum is the last line of a table.
func (m *Mutants) Sum() string {
	n := 0
	for i := range m.Mutants {
		if m.Mutants[i].Caught {
			n++
		}
	}
	s := fmt.Sprintf("%d of %d caught, each from %d starts, within %d seeds", n, len(m.Mutants), m.Starts, m.Seeds)
	if m.Unpatched != Pass {
		s += "; WITHOUT A BUG: " + m.Unpatched
	}
	return s + fmt.Sprintf("; %d by the checker alone", m.alone())
}

// alone counts the bugs that the exactly-once checker caught from most starts.
func (m *Mutants) alone() (n int) {
	for i := range m.Mutants {
		if m.Mutants[i].AloneMedian >= 0 {
			n++
		}
	}
	return n
}

// Markdown writes the page reports/mutants.md.
func (m *Mutants) Markdown(w io.Writer) {
	fmt.Fprint(w, mutantsIntro)
	fmt.Fprintf(w, "%s.\n\n", m.Sum())
	fmt.Fprintln(w, "| bug | median | max | checker alone | max | caught by |\n|---|--:|--:|--:|--:|---|")
	for i := range m.Mutants {
		r := &m.Mutants[i]
		median, most := r.aloneCounts()
		fmt.Fprintf(w, "| [%s](#%s) | %s | %s | %s | %s | %s |\n", r.Name, r.Name, count(r.SeedsMedian), count(r.SeedsMax), median, most, strings.Join(r.CaughtBy, ", "))
	}
	for i := range m.Mutants {
		r := &m.Mutants[i]
		fmt.Fprintf(w, "\n## %s\n\n%s\n\n", r.Name, sentence(r.Breaks))
		if r.StandsFor != "" {
			fmt.Fprintf(w, "Stands for: %s.\n\n", r.StandsFor)
		}
		if r.Unseen != "" {
			fmt.Fprintf(w, "Why no reader of the output can see it: %s.\n\n", r.Unseen)
		}
		fmt.Fprintf(w, "In %s.\n", files(r.Source))
	}
}

// files is a list of files as code.
func files(source string) string { return "`" + strings.ReplaceAll(source, ", ", "`, `") + "`" }

const mutantsIntro = `# Planted bugs

Each of these bugs was planted in the protocol and hunted with ` + "`weir fuzz`" + `'s own scenarios and faults, from several first seeds. The numbers
are seeds until the first one fails, once with all invariants and once by the exactly-once checker alone, which sees no more than
the clients of the broker do. To them a job that stands still, or gives up though nothing is wrong, has lost what it will never
write. A dash stands where no reader can see the bug; why stands below.

This page is made by ` + "`weir mutants --markdown > reports/mutants.md`" + `.

`

// sentence begins s with a capital letter and ends it with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
