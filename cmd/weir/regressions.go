package main

import (
	"slices"

	"weir/reports"
	"weir/scenarios"
)

// repeated is what came of the regressions.
type repeated struct {
	count    int
	failures []reports.Failure
}

// repeat runs the regressions of the hunt's scenarios, which come before all seeds; an enumeration does without.
func (h *hunt) repeat() (r repeated, err error) {
	if h.cases != nil {
		return r, nil
	}
	list, err := scenarios.Regressions()
	if err != nil {
		return r, err
	}
	for i := range list {
		each := &list[i]
		if !slices.ContainsFunc(h.scenarios, func(s *scenarios.Scenario) bool { return s.Name == each.Scenario }) {
			continue
		}
		r.count++
		o, err := each.Repeat()
		if err == nil {
			continue
		}
		r.failures = append(r.failures, reports.Failure{
			Seed: hex(each.Seed), Scenario: each.Scenario, Regression: each.Name, Invariant: o.Broken, Message: err.Error(), Count: 1,
			Fingerprint: "regression " + each.Name, Repro: "go run ./cmd/weir repro scenarios/regressions/" + each.Name + scenarioExt,
		})
	}
	return r, nil
}

// into adds them to the report, in front of its failures.
func (r *repeated) into(h *reports.Hunt) {
	h.Regressions = r.count
	if len(r.failures) > 0 {
		h.Verdict, h.Failures = reports.Fail, append(r.failures, h.Failures...)
	}
}
