package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/faults"
	"weir/protocol"
	"weir/sim"
	"weir/sim/broker"
)

// Enumerated names the scenarios that are enumerated when none is named.
func Enumerated() []string { return []string{"linear", "shuffle"} }

// Case is one fault of an enumeration, in a small run that is calm but for it.
type Case struct {
	Kind  CaseKind
	Split bool // coordinator and workers are processes of their own
	// Crash is where processes crash.
	Crash []sim.CrashPoint
	// Unknown is the request whose outcome is Unknown, if any; what it asks for stands in About.
	Unknown sim.UnknownPoint
	About   string
}

// CaseKind says what is enumerated.
type CaseKind uint8

// The kinds.
const (
	Crashes CaseKind = iota // a crash behind every effect, also while a run recovers from another one
	Pairs                   // crashes of the coordinator and of a sink's worker, behind every pair of effects of one checkpoint
	Lost                    // an outcome Unknown of what never happened
	Applied                 // of what has happened
	Late                    // of what will happen

	CaseKinds = int(Late) + 1
)

// String is the case as ParseCase reads it: topology, then node:step:effect of each crash and way:request.
func (c *Case) String() string {
	s := "one"
	if c.Split {
		s = "split"
	}
	for _, p := range c.Crash {
		s += fmt.Sprintf(",%d:%d:%d", p.Node, p.Step, p.Effect)
	}
	if c.Unknown.Request > 0 {
		s += fmt.Sprintf(",%v:%d", c.Unknown.Way, c.Unknown.Request)
	}
	return s
}

// ParseCase reads what String writes; the kind is not in it.
func ParseCase(text string) (c Case, err error) {
	topology, rest, ok := strings.Cut(text, ",")
	c.Split = topology == "split"
	if !ok || !c.Split && topology != "one" {
		return c, fmt.Errorf("case %q is not like split,1:34:2 or one,lost:17", text)
	}
	for _, part := range strings.Split(rest, ",") {
		if err := c.parse(part); err != nil {
			return c, fmt.Errorf("case %q: %w", text, err)
		}
	}
	return c, nil
}

func (c *Case) parse(part string) (err error) {
	name, number, _ := strings.Cut(part, ":")
	for w := sim.Lost; w <= sim.Late; w++ {
		if name == w.String() {
			c.Unknown.Way = w
			c.Unknown.Request, err = strconv.ParseUint(number, 10, 64)
			return err
		}
	}
	var p sim.CrashPoint
	_, err = fmt.Sscanf(part, "%d:%d:%d", &p.Node, &p.Step, &p.Effect)
	c.Crash = append(c.Crash, p)
	return err
}

// small is a configuration for enumerations: few records, four checkpoints.
func (s *Scenario) small(split bool) drawn {
	cfg := protocol.Defaults()
	cfg.Interval, cfg.Timeout, cfg.IOTimeout = 200*protocol.Millisecond, 5*protocol.Second, 2*protocol.Second
	cfg.Heartbeat, cfg.NodeTimeout, cfg.RestartDelay = 500*protocol.Millisecond, 2*protocol.Second, 100*protocol.Millisecond
	cfg.RestartLimit, cfg.KeyGroups, cfg.BatchRecords, cfg.Parallelism = 1000, 16, 3, min(s.Parallelism, 2)
	d := drawn{cfg: cfg, records: 8, fewer: 8, release: broker.Kafka43}
	d.topology = sim.Topology{Coordinators: []protocol.NodeID{1}, Workers: []protocol.NodeID{1}}
	if split {
		d.topology = sim.Topology{Coordinators: []protocol.NodeID{1, 2}, Workers: []protocol.NodeID{11, 12}}
	}
	if s.Second != nil {
		second := d
		second.topology = apart(sim.Topology{Coordinators: slices.Clone(d.topology.Coordinators), Workers: slices.Clone(d.topology.Workers)})
		d.second = &second
	}
	return d
}

// smallConfig is the run of an enumeration, without its fault.
func (s *Scenario) smallConfig(seed uint64, split bool) sim.Config {
	cfg := s.configOf(seed, s.small(split), Options{Limit: faults.Calm()})
	cfg.Limits.Horizon = 4 * cfg.Jobs[0].Protocol.Interval
	if s.Finishes {
		cfg.Expect = protocol.Finished
	}
	return cfg
}

// RunCase runs one case of an enumeration.
func (s *Scenario) RunCase(seed uint64, c Case, opt Options) Outcome {
	cfg := s.smallConfig(seed, c.Split)
	cfg.CrashAt, cfg.UnknownAt, cfg.Trace, cfg.Off = c.Crash, c.Unknown, opt.Trace, opt.Off
	return s.outcome(seed, cfg)
}

// Enumerate lists every case: for one process and for several a crash behind every effect of every machine, and every
// request's outcome unknown, in each way; for several also pairs of crashes, and all of it once more while the job
// recovers from a crash of its coordinator between the decision of a checkpoint and its commit.
func (s *Scenario) Enumerate(seed uint64) []Case {
	var list []Case
	for _, split := range []bool{false, true} {
		census := s.census(seed, Case{Split: split})
		list = append(list, places(census, Case{Split: split}, 0)...)
		if split {
			list = append(list, pairs(census)...)
			if base, from := crashWhenDecided(census); from > 0 {
				list = append(list, places(s.census(seed, base), base, from)...)
			}
		}
	}
	return list
}

// census is the places of a case's run.
func (s *Scenario) census(seed uint64, c Case) *sim.Census {
	cfg := s.smallConfig(seed, c.Split)
	cfg.CrashAt, cfg.Census = c.Crash, new(sim.Census)
	sim.Run(cfg)
	return cfg.Census
}

// places lists one more crash, or an unknown outcome, at every place behind the first so many steps of a run.
func places(census *sim.Census, base Case, from int) (list []Case) {
	for _, at := range census.Steps[from:] {
		for _, p := range pointsOf(at) {
			c := base
			c.Kind, c.Crash = Crashes, append(slices.Clone(base.Crash), p)
			list = append(list, c)
		}
	}
	for i, r := range census.Requests {
		if r.Step <= from {
			continue
		}
		for way := sim.Lost; way <= sim.Late; way++ {
			c := base
			c.Kind, c.Unknown = Lost+CaseKind(way), sim.UnknownPoint{Request: uint64(i + 1), Way: way}
			c.About = fmt.Sprintf("%s %s of node %d", r.Kind, r.Object, r.Node)
			list = append(list, c)
		}
	}
	return list
}

// pointsOf is a crash before the first effect of a step and behind each.
func pointsOf(at sim.StepPlace) (list []sim.CrashPoint) {
	for effect := range at.Effects + 1 {
		list = append(list, sim.CrashPoint{Node: at.Machine.Node, Step: at.Step, Effect: effect})
	}
	return list
}

// chosen is the checkpoint for which one is chosen: the second, with one before it and usually one after it.
func chosen(census *sim.Census) (n protocol.CheckpointID) {
	for _, at := range census.Steps {
		if at.Checkpoint <= 2 {
			n = max(n, at.Checkpoint)
		}
	}
	return n
}

// crashWhenDecided is a crash of the coordinator when HEAD is written and nobody knows, and how many steps come before.
func crashWhenDecided(census *sim.Census) (c Case, steps int) {
	n := chosen(census)
	for i, at := range census.Steps {
		if at.Checkpoint == n && at.Phase == faults.Decided && at.Machine.Task == protocol.CoordinatorTask {
			return Case{Split: true, Crash: []sim.CrashPoint{{Node: at.Machine.Node, Step: at.Step}}}, i + 1
		}
	}
	return c, 0
}

func pairs(census *sim.Census) (list []Case) {
	var coordinator, sink []sim.CrashPoint
	worker, n := sinkWorker(census), chosen(census)
	for _, at := range census.Steps {
		switch {
		case at.Checkpoint != n:
		case at.Machine.Task == protocol.CoordinatorTask:
			coordinator = append(coordinator, pointsOf(at)...)
		case at.Machine.Node == worker:
			sink = append(sink, pointsOf(at)...)
		}
	}
	for _, c := range coordinator {
		for _, k := range sink {
			list = append(list, Case{Kind: Pairs, Split: true, Crash: []sim.CrashPoint{c, k}})
		}
	}
	return list
}

// sinkWorker is a node that runs a sink.
func sinkWorker(census *sim.Census) protocol.NodeID {
	for _, r := range census.Requests {
		if r.Kind == "Flush" {
			return r.Node
		}
	}
	return 0
}
