package scenarios

import (
	"cmp"
	"hash/crc32"

	"weir"
	"weir/faults"
	"weir/protocol"
	"weir/protocol/job"
	"weir/sim"
	"weir/sim/broker"
)

// drawn is what a seed chooses beside its faults.
type drawn struct {
	cfg      protocol.Config
	topology sim.Topology
	second   *drawn // with a second job
	records  int
	slower   int // input comes this many times slower
	fewer    int // keys are divided by this: with few, every delta holds all; with many, each change stands in one delta only
	release  broker.Release
	lag      protocol.Duration // of the broker's reads
	robbed   bool              // transactions may be taken away, which nobody can defend
}

// draw makes the configuration of a seed.
func (s *Scenario) draw(c *faults.Choice) drawn {
	out := s.drawJob(c.Stream("configuration"))
	out.cfg.Local = c.Stream("copies").Chance(3, 4)
	out.topology = s.processes(out.topology)
	out.lag = []protocol.Duration{0, 2 * protocol.Millisecond, 20 * protocol.Millisecond, 100 * protocol.Millisecond}[c.Stream("broker").Pick(4)]
	if n := s.records(); n > 0 {
		out.records, out.fewer = n, 1
	}
	out.robbed = s.Robbed && c.Stream("robbed").Chance(1, 12)
	if s.Second != nil {
		d := c.Stream("second configuration")
		also := *s
		also.Parallelism = s.Second.Parallelism
		also.Interval = out.cfg.Interval * protocol.Duration(1+d.Pick(4)) / 2 // of another order it would seal thousands of checkpoints, or none
		second := also.drawJob(d)
		second.topology = apart(second.topology)
		second.cfg.Local = out.cfg.Local
		out.second = &second
	}
	return out
}

// records is how many the longest input has; zero: a seed draws it.
func (s *Scenario) records() (n int) {
	for i := range s.Inputs {
		n = max(n, s.Inputs[i].Records)
	}
	return n
}

// drawJob makes one job's configuration. Intervals of 30, 60 and 300 s are the usual ones in production; the short ones
// make checkpoints meet faults more often.
func (s *Scenario) drawJob(d *faults.Stream) drawn {
	interval := []protocol.Duration{200 * protocol.Millisecond, protocol.Second, 10 * protocol.Second, 30 * protocol.Second, 60 * protocol.Second, 300 * protocol.Second}[pick(d, 4, 4, 2, 1, 1, 3)]
	interval = cmp.Or(s.Interval, interval)
	cfg := protocol.Defaults()
	cfg.Interval = interval
	// Short time-outs give up checkpoints whose snapshots, or messages, are late.
	cfg.Timeout = []protocol.Duration{max(interval, 20*protocol.Second), 5 * protocol.Second, 2 * protocol.Second, 500 * protocol.Millisecond}[pick(d, 2, 1, 1, 3)]
	cfg.Heartbeat = []protocol.Duration{protocol.Second, 2 * protocol.Second}[d.Pick(2)]
	cfg.NodeTimeout = []protocol.Duration{10 * protocol.Second, 30 * protocol.Second}[d.Pick(2)]
	if interval <= protocol.Second && d.Chance(3, 5) {
		// A worker is taken for dead, and replaced, while there is still something to read: so it works on as a zombie.
		cfg.Heartbeat, cfg.NodeTimeout = 200*protocol.Millisecond, []protocol.Duration{protocol.Second, 3 * protocol.Second}[d.Pick(2)]
	}
	cfg.Tolerable = pick(d, 1, 1, 3)
	cfg.TxnTimeout = 4*(cfg.Timeout+interval*protocol.Duration(1+cfg.Tolerable)) + 20*protocol.Minute
	cfg.IOTimeout = []protocol.Duration{3 * protocol.Second, 10 * protocol.Second, 35 * protocol.Second}[d.Pick(3)]
	if interval <= protocol.Second && d.Chance(1, 3) {
		cfg.IOTimeout = protocol.Second // what is late comes in the middle of what follows
	}
	cfg.RestartLimit = cmp.Or(s.RestartLimit, 1000)
	cfg.KeyGroups = 16
	cfg.Credit = 1 + d.Pick(4)
	cfg.BatchRecords = []int{1, 3, 16, 64}[d.Pick(4)]
	cfg.Retained = 1 + d.Pick(2)
	cfg.Parallelism = s.Parallelism
	if !s.Fixed && d.Chance(1, 2) {
		cfg.Parallelism = 1 + d.Pick(3)
	}
	out := drawn{cfg: cfg, topology: topology(d), records: 40 + d.Pick(80), fewer: 1 + 7*d.Pick(2), release: broker.Kafka39}
	if !d.Chance(1, 4) {
		out.release = []broker.Release{broker.Kafka4TV1, broker.Kafka41, broker.Kafka43}[d.Pick(3)]
	}
	out.slower = 1 + 2*d.Pick(2)
	return out
}

// pick draws an index with the given weights.
func pick(d *faults.Stream, weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := d.Pick(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return 0
}

// topology is one process for all, or a coordinator with a stand-by and some workers.
func topology(d *faults.Stream) sim.Topology {
	switch d.Pick(4) {
	case 0:
		return sim.Topology{Coordinators: []protocol.NodeID{1}, Workers: []protocol.NodeID{1}}
	case 1:
		return sim.Topology{Coordinators: []protocol.NodeID{1, 2}, Workers: []protocol.NodeID{11}}
	case 2:
		return sim.Topology{Coordinators: []protocol.NodeID{1, 2}, Workers: []protocol.NodeID{11, 12}}
	}
	return sim.Topology{Coordinators: []protocol.NodeID{1, 2}, Workers: []protocol.NodeID{11, 12, 13}}
}

// processes is the topology with the number of processes that the scenario fixes, if it does: one for all; or a
// coordinator and a worker; or a coordinator, its stand-by, and workers.
func (s *Scenario) processes(drawn sim.Topology) sim.Topology {
	switch s.Processes {
	case 0:
		return drawn
	case 1:
		return sim.Topology{Coordinators: []protocol.NodeID{1}, Workers: []protocol.NodeID{1}}
	case 2:
		return sim.Topology{Coordinators: []protocol.NodeID{1}, Workers: []protocol.NodeID{11}}
	}
	t := sim.Topology{Coordinators: []protocol.NodeID{1, 2}}
	for w := range s.Processes - 2 {
		t.Workers = append(t.Workers, protocol.NodeID(11+w))
	}
	return t
}

// apart is the topology with nodes that no first job has.
func apart(t sim.Topology) sim.Topology {
	for _, list := range [][]protocol.NodeID{t.Coordinators, t.Workers} {
		for i := range list {
			list[i] += 100
		}
	}
	return t
}

// spec is one job of the run, with the topics that it needs.
func (s *Scenario) spec(factory func() *weir.Job, d *drawn) (sim.JobSpec, []sim.Topic) {
	plan := s.plan(factory, d.cfg)
	reads, _, _ := plan.Topics()
	return sim.JobSpec{
		Protocol: d.cfg, Topology: d.topology, NewJob: sim.JobOf(func() *job.Plan { return plan }, nil),
		Manifests: sim.CheckpointManifests(), Inputs: reads, TaskName: taskNames(plan),
	}, sim.TopicsOf(plan, s.Partitions)
}

// config is the run of a seed.
func (s *Scenario) config(seed uint64, opt Options) sim.Config {
	choice := faults.NewChoice(seed)
	cfg := s.configOf(seed, s.draw(choice), opt)
	s.end(&cfg, choice)
	return cfg
}

// configOf is the run of a configuration that was drawn or chosen.
func (s *Scenario) configOf(seed uint64, d drawn, opt Options) sim.Config {
	first, topics := s.spec(s.Factory, &d)
	all, cfgs := []sim.JobSpec{first}, []protocol.Config{d.cfg}
	if s.Second != nil {
		second, more := s.spec(s.Second.Factory, d.second)
		all, cfgs, topics = append(all, second), append(cfgs, d.second.cfg), append(topics, more...)
	}
	watch := &settled{scenario: s, records: d.records}
	services := sim.Virtual(topics, tune(d), cfgs...)
	cfg := sim.Config{
		Seed: seed, Jobs: all,
		Services: func(e sim.Env) sim.Services {
			sv := services(e)
			watch.log = sv.Outside
			return sv
		},
		Settled:    watch.done,
		Profile:    faults.Draw(faults.NewChoice(seed), opt.Limit),
		Undefended: d.robbed, Off: opt.Off, Trace: opt.Trace, Replay: opt.Replay, Only: opt.Only,
	}
	for _, in := range s.Inputs {
		cfg.Feeds = append(cfg.Feeds, s.feed(in, d))
	}
	// What can only strike where copies are kept, and matters when they are read, must be frequent to be met at all.
	if d.cfg.Local {
		cfg.Profile = cfg.Profile.Raise(5, faults.CrashWorker)
	}
	cfg.Profile = cfg.Profile.Raise(200_000, faults.DiskFull, faults.DiskRot, faults.DiskError, faults.DiskSlow)
	cfg.Profile = cfg.Profile.Raise(900_000, faults.DiskLost, faults.DiskTorn)
	for _, out := range s.Outputs {
		cfg.Readers = append(cfg.Readers, sim.Reader{Topic: out.Topic, Every: d.cfg.Interval, Rewind: 20})
	}
	return cfg
}

// end says how the run ends.
func (s *Scenario) end(cfg *sim.Config, c *faults.Choice) {
	d := c.Stream("stop")
	switch {
	case s.Finishes:
		// It is soon over, with one checkpoint or two: faults have to hurry.
		cfg.Expect, cfg.Limits.Horizon = protocol.Finished, protocol.Duration(d.Between(int64(300*protocol.Millisecond), int64(3*protocol.Second)))
		cfg.Profile = cfg.Profile.Raise(10_000, faults.RequestLost, faults.ReplyLost, faults.RequestLate)
		cfg.Profile = cfg.Profile.Raise(2, faults.CrashWorker, faults.CrashCoordinator, faults.CrashInEffects, faults.Pause)
	case s.Stops && d.Chance(1, 8):
		cfg.Expect = protocol.Stopped
		pc := &cfg.Jobs[0].Protocol
		horizon := protocol.Duration(d.Between(4, 12))*pc.Interval + protocol.Duration(d.Between(0, 3*int64(pc.NodeTimeout)))
		cfg.Limits.Horizon, cfg.StopAfter = horizon, protocol.Duration(d.Between(1, int64(horizon)))
	}
}

func (s *Scenario) feed(in Input, d drawn) sim.Feed {
	n := d.records
	if in.Records > 0 {
		n = min(n, in.Records)
	}
	every := max(protocol.Duration(5*max(d.slower, 1))*d.cfg.Interval/protocol.Duration(n), protocol.Millisecond) // between appends
	f := sim.Feed{Topic: in.Topic, Records: n, Start: n / 8, Every: every, Transactions: 100, AbortedTail: s.AbortedTail,
		Make: func(i int, draws *faults.Stream) (protocol.Partition, []byte, []byte) {
			value := in.Make(i, draws.Pick(max(1, in.Keys/d.fewer)))
			p, key := draws.Pick(s.Partitions), in.key(i)
			if key != nil {
				p = int(crc32.ChecksumIEEE(key) % uint32(s.Partitions))
			}
			return protocol.Partition(p), key, value
		}}
	if s.Finishes {
		f.Start = f.Records
	}
	return f
}

func (in *Input) key(i int) []byte {
	if in.Key == nil {
		return nil
	}
	return in.Key(i)
}

// settled watches the outputs until every record that must come is visible.
type settled struct {
	scenario *Scenario
	records  int
	log      sim.Log
	seen     [][]place // by output and partition
}

type place struct {
	at    protocol.Offset
	count int
}

func (w *settled) done() bool {
	if w.seen == nil {
		w.seen = make([][]place, len(w.scenario.Outputs))
		for i, out := range w.scenario.Outputs {
			w.seen[i] = make([]place, w.log.Partitions(out.Topic))
			for p := range w.seen[i] {
				w.seen[i][p].at = w.log.Range(out.Topic, protocol.Partition(p)).Start
			}
		}
	}
	for i, out := range w.scenario.Outputs {
		if w.count(out.Topic, w.seen[i]) < out.Count(w.records) {
			return false
		}
	}
	return true
}

// count reads on where it left off.
func (w *settled) count(topic string, parts []place) (n int) {
	for p := range parts {
		more, next := w.log.Count(topic, protocol.Partition(p), parts[p].at)
		parts[p].at = next
		parts[p].count += more
		n += parts[p].count
	}
	return n
}

// tune sets up the virtual brokers of a seed.
func tune(d drawn) func(*broker.Options) {
	return func(o *broker.Options) {
		o.Run(d.release)
		o.ReadLag = d.lag
	}
}
