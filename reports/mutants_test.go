package reports

import (
	"strings"
	"testing"
)

func TestMutants(t *testing.T) {
	m := Mutants{Seeds: 100, Starts: 3, Unpatched: Pass, Mutants: []Mutant{
		{Name: "a", Source: "x.go, y.go", Breaks: "one rule", StandsFor: "ISSUE-1", Caught: true, CaughtBy: []string{"cut", "lost"}, SeedsMedian: 3, SeedsMax: 7, AloneMedian: 9, AloneMax: -1},
		{Name: "b", Source: "z.go", Breaks: "another", Unseen: "it is early", SeedsMedian: 4, SeedsMax: -1, AloneMedian: -1, AloneMax: -1},
	}}
	if m.Caught() {
		t.Error("b lives, and all are said to be caught")
	}
	if got, want := m.Sum(), "1 of 2 caught, each from 3 starts, within 100 seeds; 1 by the checker alone"; got != want {
		t.Errorf("sum %q, want %q", got, want)
	}
	var page strings.Builder
	m.Markdown(&page)
	for _, want := range []string{"| [a](#a) | 3 | 7 | 9 | never | cut, lost |", "| [b](#b) | 4 | never | – | – |  |", "One rule.", "Stands for: ISSUE-1.", "In `x.go`, `y.go`.", "can see it: it is early."} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.String())
		}
	}
	m.Mutants = m.Mutants[:1]
	if !m.Caught() {
		t.Error("all are caught")
	}
	m.Unpatched = "scenario x fails"
	if m.Caught() || !strings.Contains(m.Sum(), "WITHOUT A BUG: scenario x fails") {
		t.Errorf("a program that fails without a bug proves nothing: %s", m.Sum())
	}
}
