package plant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weir/faults/mutants"
	"weir/reports"
)

// All hunts for each mutant of list and calls each with what was found.
func (f *Field) All(h *Hunt, list []mutants.Mutant, each func(*mutants.Mutant, []mutants.Found)) error {
	for i := range list {
		program, err := f.Build(&list[i])
		if err != nil {
			return err
		}
		hunt := *h
		hunt.Alone = h.Alone && list[i].Unseen == "" // else it would hunt in vain, for longer than all others together
		found, err := hunt.Run(program, slices.Repeat([]int{h.Seeds}, h.Starts))
		if err != nil {
			return fmt.Errorf("mutant %s: %w", list[i].Name, err)
		}
		f.reached(found)
		each(&list[i], found)
	}
	return nil
}

// reached notes how far hunts had to go.
func (f *Field) reached(found []mutants.Found) {
	for k := range found {
		if k == len(f.reach) {
			f.reach = append(f.reach, 0)
		}
		f.reach[k] = max(f.reach[k], found[k].With.Seeds)
	}
}

// Unpatched runs the hunter without a bug over every seed up to the furthest that caught one, from each start. It
// returns reports.Pass, or the first failure: then the hunts prove nothing.
func (f *Field) Unpatched(h *Hunt) (string, error) {
	program, err := f.Build(nil)
	if err != nil {
		return "", err
	}
	sound := *h
	sound.Alone = false
	found, err := sound.Run(program, f.reach)
	if err != nil {
		return "", err
	}
	for k := range found {
		if c := found[k].With; c.Seeds != mutants.Never {
			return fmt.Sprintf("scenario %s fails with seed %s: %s: %s", c.Scenario, c.Seed, c.Broken, c.Message), nil
		}
	}
	return reports.Pass, nil
}

// Row sums up what hunts for m found.
func Row(m *mutants.Mutant, found []mutants.Found) reports.Mutant {
	r := reports.Mutant{Name: m.Name, Source: strings.Join(m.Files(), ", "), Breaks: m.Breaks, StandsFor: m.StandsFor, Unseen: m.Unseen, CaughtBy: []string{}}
	var with, alone []int
	for i := range found {
		c := &found[i].With
		with, alone = append(with, c.Seeds), append(alone, found[i].Alone.Seeds)
		if c.Broken != "" && !slices.Contains(r.CaughtBy, c.Broken) {
			r.CaughtBy = append(r.CaughtBy, c.Broken)
		}
		if r.Repro == "" {
			r.Repro, r.ReproScenario = c.Seed, c.Scenario
		}
	}
	r.SeedsMedian, r.SeedsMax = medianMax(with)
	r.AloneMedian, r.AloneMax = medianMax(alone)
	r.Caught = r.SeedsMax != mutants.Never
	return r
}

// medianMax are the median, the higher one of two, and the maximum, where Never is above all numbers.
func medianMax(seeds []int) (median, most int) {
	slices.SortFunc(seeds, func(a, b int) int { return cmp.Compare(uint(a), uint(b)) }) // Never is the largest
	return seeds[len(seeds)/2], seeds[len(seeds)-1]
}
