package simtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"weir/faults"
	"weir/protocol"
	"weir/scenarios"
	"weir/sim"
)

// Run is what one seed came to, as [Sometimes] sees it.
type Run struct {
	Seed     uint64
	Restarts int // of the job
	Sealed   int // checkpoints
	o        *scenarios.Outcome
}

// Output is the records of a topic that readers saw, by partition and offset.
func (r *Run) Output(topic string) (records []Record) {
	h := r.o.Run.History.Checker(false)
	type place struct {
		partition int32
		offset    int64
		Record
	}
	var seen []place
	for _, f := range h.Fetches {
		for i := range f.Records {
			if e := &f.Records[i]; f.Topic == topic {
				seen = append(seen, place{f.Partition, e.Offset, Record{topic, e.Key, e.Value}})
			}
		}
	}
	slices.SortFunc(seen, func(a, b place) int {
		if a.partition != b.partition {
			return int(a.partition - b.partition)
		}
		return int(a.offset - b.offset)
	})
	for i, s := range seen {
		if i > 0 && s.partition == seen[i-1].partition && s.offset == seen[i-1].offset {
			continue // another reader saw it too
		}
		records = append(records, Record{topic, bytes.Clone(s.Key), bytes.Clone(s.Value)})
	}
	return records
}

// Struck is how many faults of a family struck.
func (r *Run) Struck(f Family) (n int) {
	for k := range faults.Kind(faults.Kinds) {
		if family(k) == f {
			n += int(r.o.Run.Faults.Of(k))
		}
	}
	return n
}

// sometimes is something that must be reached by one seed of a test.
type sometimes struct {
	name    string
	reached func(*Run) bool
	seen    bool
}

// Sometimes names what at least one seed must reach, so that a test does not pass because nothing happened: a state of the
// output, say, that only a late restart leads to. With reached nil it is one of weir's own rare states, by its name, such
// as "recovery committed" or "crash between decision and seal". What no seed reached is told, and with -weir.strict fails
// the test.
func Sometimes(name string, reached func(r *Run) bool) Option {
	return func(c *check) {
		if reached == nil {
			rare, known := rareOf(name)
			c.want(known, "Sometimes(%q) has no function and is none of weir's rare states: %s", name, rares())
			reached = func(r *Run) bool { return r.o.Run.Sometimes[rare] > 0 }
		}
		c.sometimes = append(c.sometimes, sometimes{name: name, reached: reached})
	}
}

func rareOf(name string) (sim.Rare, bool) {
	for r := range sim.Rares {
		if r.String() == name {
			return r, true
		}
	}
	return 0, false
}

func rares() string {
	var names []string
	for r := range sim.Rares {
		names = append(names, r.String())
	}
	return strings.Join(names, ", ")
}

func (s *sometimes) look(o *scenarios.Outcome) {
	if !s.seen {
		s.seen = s.reached(&Run{Seed: o.Seed, Restarts: int(o.Run.Note(protocol.NoteRestart)), Sealed: o.Run.Sealed, o: o})
	}
}

// missing tells what no seed reached.
func (c *check) missing(p *choice) {
	c.t.Helper()
	var never []string
	for _, s := range c.sometimes {
		if !s.seen {
			never = append(never, fmt.Sprintf("%q", s.name))
		}
	}
	if p.strict {
		for k := range faults.Kind(faults.Kinds) {
			if c.limit[k] > 0 && c.struck.Of(k) == 0 {
				never = append(never, "fault "+k.String())
			}
		}
	}
	switch text := strings.Join(never, ", "); {
	case len(never) == 0 || p.seeds == 0 && p.time == 0:
	case p.strict:
		c.t.Fatalf("vacuous: no seed reached %s.\nRun more seeds, give more input, or find out why it cannot happen.", text)
	default:
		c.t.Logf("never reached: %s (-%s makes this a failure)\n", text, strictFlag)
	}
}
