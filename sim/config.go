package sim

import (
	"weir/faults"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/sim/disk"
	"weir/sim/wire"
)

// Channel is an ordered pair of tasks.
type Channel struct{ From, To protocol.TaskID }

// Job makes the machines of one life of a process.
type Job struct {
	Channels       []Channel // indexed by ChannelID; unused ids are zero
	NewCoordinator func(workers []protocol.NodeID) protocol.Machine
	NewWorker      func() protocol.Machine
	NewTask        func(start protocol.TaskStart, pool batch.Pool) protocol.Machine
}

// JobSpec is one job of a run, with its processes, its configuration and its part of the bucket.
type JobSpec struct {
	Protocol  protocol.Config
	Topology  Topology   // no node is in two jobs
	NewJob    func() Job // called once per life of a process, and per task
	Manifests Manifests
	// TaskName is a task in the words of the job; nil: its number.
	TaskName func(protocol.TaskID) string
	// Inputs are the topics that it reads. A run ends when sealed checkpoints cover all that they hold; nil: those of all feeds.
	Inputs []string
}

// Topology says which processes there are. A node in both lists is one process with both machines.
type Topology struct {
	Coordinators []protocol.NodeID // the first is started, the others stand by
	Workers      []protocol.NodeID
}

// Clients are the devices of one job's processes.
type Clients struct {
	Log    protocol.Device // log effects, read and write side
	Bucket protocol.Device // Store, Load, Delete
	Disk   protocol.Device // Keep, Recall, Retain; nil where no job keeps copies
	// Crash tells the devices that the process of a node is gone, or with Halt all its tasks.
	Crash func(node protocol.NodeID)
	// Died tells the disk that the process of a node is gone; nil without a disk.
	Died func(node protocol.NodeID)
	// Object is the job's bucket's content now; nil leaves the bucket's invariants unchecked.
	Object func(key protocol.ObjectKey) (body []byte, ok bool)
}

// Services are the virtual services: one broker for all jobs, a bucket for each, and the truth about them that only a
// simulator can know.
type Services struct {
	Clients []Clients // by index in Config.Jobs
	// Outside is the broker as clients outside the jobs see it.
	Outside Log
	// Committed reports whether the newest transaction of an id ended in a commit; nil leaves fencing unchecked.
	Committed func(id protocol.TransactionalID) bool
	// Began says when the newest transaction of an id began, if it is one of that producer; nil leaves ages unchecked.
	Began func(protocol.TransactionalID, protocol.Producer) (protocol.Time, bool)
	// Abort aborts the open transaction of an id by hand; false: there is none. Nil: nobody can.
	Abort func(protocol.TransactionalID) bool
	// Settling reports whether a transaction still holds readers up; nil: none ever does. A run ends only when none does.
	Settling func() bool
	// Digest is a digest of all that the services hold, taken at the end of a run; nil leaves it out.
	Digest func() uint64
}

// Env is what services are built from.
type Env struct {
	Net    wire.Net
	Pool   batch.Pool // the one that Release feeds
	Choice *faults.Choice
	// MarkerDelay is how long the marker of one partition takes from the decision; asked for each.
	MarkerDelay func() protocol.Duration
	// CompactDelay is how long the records of a key live after its tombstone.
	CompactDelay func() protocol.Duration
	// Disk is what virtual disks ask of the world.
	Disk disk.World
	// Kill takes a node's process away as a loss of power does: nobody is told, and nothing starts it again before the
	// liveness phase. Call it from Net.After, never while a machine steps.
	Kill func(node protocol.NodeID)
}

// Manifests decodes what decides, so that sim needs to know neither format.
type Manifests struct {
	// Head names the manifests that HEAD retains, the newest decided one included.
	Head func(body []byte) (manifests []protocol.ObjectKey, ok bool)
	// Objects names the objects that a manifest refers to.
	Objects func(body []byte) (objects []protocol.ObjectKey, ok bool)
	// HeadKey is HEAD's key.
	HeadKey protocol.ObjectKey
}

// Limits bound a run. Zero fields get defaults from the protocol's configuration.
type Limits struct {
	Horizon  protocol.Duration // of the safety phase; default: drawn, 4 to 12 intervals and up to 3 node time-outs, of the slowest job
	Liveness protocol.Duration // of the liveness phase; default: the sum of LivenessBound over the jobs
	Steps    uint64            // a run with more is stuck in a circle; default 50 million
	Ring     int               // events kept for the report of a failure; default 256
}

// Config is one run.
type Config struct {
	Seed     uint64
	Jobs     []JobSpec // usually one
	Services func(Env) Services
	Feeds    []Feed
	Readers  []Reader
	// Expect is the verdict with which every job must end; zero: they run on, and the run ends when they have shown that they live.
	Expect protocol.VerdictKind
	// StopAfter, if above zero, asks the coordinators to stop at this time after the start, and again until they do.
	StopAfter protocol.Duration
	// Settled, if set, must also hold before the liveness phase ends: all output is visible, say.
	Settled func() bool

	Profile   faults.Profile
	Only      []faults.ID // with Replay: strike exactly here
	Replay    bool
	Plan      faults.Plan  // unless nil: strike as it says, whatever the profile
	Lenient   bool         // a fault of the plan whose place does not come strikes at the next one like it, or an interval later than before
	Record    bool         // fill Result.Plan
	CrashAt   []CrashPoint // an enumeration's crashes
	UnknownAt UnknownPoint // an enumeration's one lost outcome
	Census    *Census      // gets the places that an enumeration goes through
	Off       Checks       // invariants not to check
	Limits    Limits
	// Undefended lets prepared transactions be taken away, which Kafka cannot defend: RequestDoubled doubles the opening of
	// a slot too, and an operator aborts one by hand. The job may then end LOST, and say of which: Result.SaidLost.
	Undefended bool
	Trace      func(line string) // gets every event and effect as text; slow
	See        func(Seen)        // gets the same, with the words of the job
	Even       protocol.Duration // how long everything takes that no fault holds up; zero: drawn
	Panics     bool              // let panics of machines and devices through, with their stack
}

// Checks names invariants.
type Checks uint32

// The online invariants.
const (
	CheckCut       Checks = 1 << iota // frames before barrier n are in snapshot n, those after are not; alignment follows
	CheckOrigins                      // no record's origin is on the wrong side of the source's position
	CheckFencing                      // a recovery fences every id of older attempts, and nothing of theirs commits after it
	CheckManifests                    // a decided manifest refers to durable objects only
	CheckDeletes                      // nothing that HEAD's manifests list is deleted
	CheckBatches                      // a batch is given back once, by who holds it
	CheckWaits                        // every wait has an end: no Pending() deadline lies long in the past
	CheckSettles                      // a job that has ended holds no reader up
	CheckAges                         // no ack makes a transaction younger than it is
	CheckCalm                         // nothing restarts before anything has gone wrong
)

// LivenessBound is how long a job may take, after all faults, to seal a checkpoint that covers its input: two rounds of
// detection, restart and recovery (what a late request of the past breaks after the mending is mended once more), the
// abort of what was under way, and three intervals.
func LivenessBound(c protocol.Config) protocol.Duration {
	detect := c.NodeTimeout + 2*c.Heartbeat
	recovery := c.RestartDelay + 6*(c.IOTimeout+c.RetryDelay)
	return 2*(detect+recovery) + 2*c.Timeout + 3*c.Interval + protocol.Duration(c.Tolerable)*(c.Interval+c.Timeout)
}
