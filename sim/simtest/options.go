package simtest

import (
	"weir/faults"
	"weir/protocol"
	"weir/protocol/job"
)

// An Option says what Check does.
type Option func(*check)

// Record is a record of a topic.
type Record struct {
	Topic      string // set by Check
	Key, Value []byte
}

// Input gives a topic that the job reads its values. They are appended in this order over the virtual time of a run,
// each to a partition that the seed draws, some in transactions, of which some are aborted first and repeated. The end
// of a bounded topic lies behind them all.
func Input(topic string, values ...string) Option {
	records := make([]Record, len(values))
	for i, v := range values {
		records[i].Value = []byte(v)
	}
	return Records(topic, records)
}

// Records is Input with keys. Records of one key, unless it is nil, are in one partition.
func Records(topic string, records []Record) Option {
	return func(c *check) { c.inputs = append(c.inputs, input{topic, records}) }
}

// Output says what the job must write to a topic.
func Output(topic string, m Model) Option {
	return func(c *check) { c.outputs = append(c.outputs, output{topic, m}) }
}

// Ignore says that a topic that the job writes is not judged.
func Ignore(topic string) Option { return Output(topic, Model{}) }

// Parallelism fixes the number of tasks of each stage, 1 to 16; without it a seed draws 1 to 3.
func Parallelism(n int) Option {
	return func(c *check) {
		c.scenario.Parallelism, c.scenario.Fixed = n, true
		c.want(n >= 1 && n <= mostTasks, "Parallelism(%d): it must be 1 to %d", n, mostTasks)
	}
}

// Partitions is the number of partitions of every topic; without it 3.
func Partitions(n int) Option {
	return func(c *check) {
		c.scenario.Partitions = n
		c.want(n >= 1, "Partitions(%d): it must be above zero", n)
	}
}

// Shape is what a job runs on. A zero field leaves it to the seed.
type Shape struct {
	Parallelism int // as Parallelism
	Partitions  int // as Partitions
	// Processes is 1 to 9: one for all, as in production today; or a coordinator and a worker; or a coordinator, its
	// stand-by, and workers. Without it a seed draws 1, 3, 4 or 5.
	Processes int
}

// Topology fixes what a job runs on.
func Topology(s Shape) Option {
	return func(c *check) {
		if s.Parallelism != 0 {
			Parallelism(s.Parallelism)(c)
		}
		if s.Partitions != 0 {
			Partitions(s.Partitions)(c)
		}
		c.scenario.Processes = s.Processes
		c.want(s.Processes >= 0 && s.Processes <= mostProcesses, "Topology with %d processes: they must be 1 to %d", s.Processes, mostProcesses)
	}
}

// Interval fixes the virtual time between checkpoints, a time.Duration; without it a seed draws 200 ms to 5 minutes.
func Interval[D ~int64](d D) Option {
	return func(c *check) {
		c.scenario.Interval = protocol.Duration(d)
		c.want(d > 0, "Interval(%d ns): it must be above zero", d)
	}
}

// Seeds is how many seeds are run unless a flag or the environment says otherwise; without it 200.
func Seeds(n int) Option {
	return func(c *check) {
		c.seeds = n
		c.want(n >= 1, "Seeds(%d): it must be above zero", n)
	}
}

// Faults says which families of faults may strike; without it all may, with Faults() none.
func Faults(families ...Family) Option {
	return func(c *check) {
		c.limit = faults.Calm()
		for k := range faults.Kind(faults.Kinds) {
			for _, f := range families {
				if f == family(k) {
					c.limit[k] = faults.Full()[k]
				}
			}
		}
	}
}

// Family is a family of faults.
type Family uint8

// The families.
const (
	Crashes  Family = iota + 1 // processes die between any two actions, or stand still past all timeouts and then wake, or their clocks leap
	Network                    // messages between processes are lost, doubled, late or out of order; connections break
	Services                   // broker and bucket are away or slow; requests to them are lost, doubled, late, or unanswered
	Disks                      // copies of state on local disks are lost, torn, rotten, unreadable or late; for jobs with state
)

func family(k faults.Kind) Family {
	switch k {
	case faults.CrashWorker, faults.CrashCoordinator, faults.CrashInEffects, faults.Pause, faults.ClockJump:
		return Crashes
	case faults.DiskFull, faults.DiskLost, faults.DiskTorn, faults.DiskRot, faults.DiskError, faults.DiskSlow:
		return Disks
	case faults.Partition, faults.ChannelReset, faults.MessageLost, faults.MessageDoubled, faults.MessageReordered, faults.MessageDelayed:
		return Network
	}
	return Services
}

// topics is what a job reads and writes, and how many of its sources are bounded.
func topics(g *job.Graph) (reads, writes []string, bounded int) {
	for _, s := range g.Stages {
		switch s.Kind {
		case job.SourceStage:
			reads = append(reads, s.Topic)
			if s.Bounded {
				bounded++
			}
		case job.SinkStage:
			writes = append(writes, s.Topic)
		case job.OperatorStage:
		}
	}
	return reads, writes, bounded
}
