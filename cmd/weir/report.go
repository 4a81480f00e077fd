package main

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
	"time"

	"weir/faults"
	"weir/reports"
	"weir/scenarios"
	"weir/sim"
)

// report adds outcomes up.
type report struct {
	reports.Hunt
	counts    faults.Counts
	sometimes sim.Sometimes
	digest    hash.Hash64
	unknown   int // of the failures
}

func newReport(h *hunt) *report {
	r := &report{digest: fnv.New64a()}
	r.SchemaVersion, r.Seeds, r.FirstSeed = reports.SchemaVersion, h.seeds, hex(h.first)
	r.Scenario = "all"
	if len(h.scenarios) == 1 {
		r.Scenario = h.scenarios[0].Name
	} else if h.cases != nil {
		r.Scenario = strings.Join(scenarios.Enumerated(), ", ")
	}
	r.Notes, r.Failures = map[string]uint64{}, []reports.Failure{}
	for _, s := range h.scenarios {
		r.Targets = append(r.Targets, reports.Target{Scenario: s.Name})
	}
	return r
}

func hex(v uint64) string { return fmt.Sprintf("%#x", v) }

// reproduce is the command that repeats a seed.
func reproduce(scenario string, s uint64) string {
	return fmt.Sprintf("go run ./cmd/weir repro --scenario %s --seed %s", scenario, hex(s))
}

// add adds an outcome; told says that it is a failure which was told before.
func (r *report) add(o *scenarios.Outcome) (told bool) {
	r.Steps += o.Run.Steps
	r.VirtualSeconds += float64(o.Run.Virtual) / 1e9
	r.HonestSeconds += float64(o.Run.Honest) / 1e9
	r.digest.Write(binary.BigEndian.AppendUint64(nil, o.Run.Digest))
	r.counts.Add(&o.Run.Faults)
	for _, n := range o.Run.Notes {
		r.Notes[string(n.Kind)] += n.Count
	}
	r.sometimes.Add(&o.Run.Sometimes)
	r.target(o)
	if o.Passed() {
		return false
	}
	print := o.Fingerprint()
	for i := range r.Failures {
		if r.Failures[i].Fingerprint == print {
			r.Failures[i].Count++
			return true
		}
	}
	f := reports.Failure{Seed: hex(o.Seed), Scenario: o.Scenario, Invariant: o.Broken, Message: o.Message, Repro: reproduce(o.Scenario, o.Seed), Fingerprint: print, Count: 1}
	if o.Unknown {
		f.Invariant = "unknown"
		r.unknown++
	}
	r.Failures = append(r.Failures, f)
	return false
}

// target counts what a seed was hit by.
func (r *report) target(o *scenarios.Outcome) {
	for i := range r.Targets {
		t := &r.Targets[i]
		if t.Scenario != o.Scenario {
			continue
		}
		t.Seeds++
		if o.Run.Targets.Window > 0 {
			t.Window++
		}
		if o.Run.Targets.Unknown > 0 {
			t.Unknown++
		}
	}
}

func (r *report) finish(wall time.Duration) *reports.Hunt {
	r.WallSeconds = wall.Seconds()
	if r.FailureBound = 1; len(r.Failures) == 0 {
		r.FailureBound = min(1, 3/float64(r.Seeds)) // the rule of three
	}
	r.Digest = fmt.Sprintf("%016x", r.digest.Sum64())
	r.Faults, r.Phases = map[string]uint64{}, map[string]map[string]uint64{}
	for k := range faults.Kind(faults.Kinds) {
		r.Faults[k.String()] = r.counts.Of(k)
		r.Phases[k.String()] = map[string]uint64{}
		for p := range faults.Phase(faults.Phases) {
			r.Phases[k.String()][p.String()] = r.counts[k][p]
		}
	}
	r.Sometimes = map[string]uint64{}
	for s := range sim.Rare(sim.Rares) {
		r.Sometimes[s.String()] = r.sometimes[s]
	}
	switch {
	case len(r.Failures) > r.unknown:
		r.Verdict = reports.Fail
	case r.unknown > 0:
		r.Verdict = reports.Unknown
	default:
		r.Verdict = reports.Pass
	}
	return &r.Hunt
}
