package main

import (
	"weir/reports"
	"weir/scenarios"
)

// enumeratedCase is a case with its scenario.
type enumeratedCase struct {
	scenarios.Case
	scenario *scenarios.Scenario
}

// enumerate turns the hunt into the cases of its scenarios; usual takes those that are enumerated when none is named.
func (h *hunt) enumerate(usual bool) {
	if usual {
		h.scenarios = nil
		for _, name := range scenarios.Enumerated() {
			s, _ := scenarios.Named(name)
			h.scenarios = append(h.scenarios, s)
		}
	}
	for _, s := range h.scenarios {
		for _, c := range s.Enumerate(h.first) {
			h.cases = append(h.cases, enumeratedCase{c, s})
		}
	}
	h.seeds = len(h.cases)
}

// addCase counts a case that add has added, and says how to repeat it if it failed.
func (r *report) addCase(c *enumeratedCase, o *scenarios.Outcome, told bool) {
	if r.Enumerated == nil {
		r.Enumerated = &reports.Enumerated{}
	}
	e := r.Enumerated
	*[scenarios.CaseKinds]*int{&e.Crashes, &e.Pairs, &e.UnknownLost, &e.UnknownApplied, &e.UnknownLate}[c.Kind]++
	if o.Passed() {
		return
	}
	if e.Failures++; told {
		return
	}
	f := &r.Failures[len(r.Failures)-1]
	f.Case, f.Repro = c.String(), f.Repro+" --case "+c.String()
	if c.About != "" {
		f.Case += " (" + c.About + ")"
	}
}
