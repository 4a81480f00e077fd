package scenarios

import (
	"fmt"

	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/scenarios/jobs"
	"weir/sim"
	"weir/sim/bucket"
)

// Fifty is the keyed count at scale, in virtual time: real machines, broker and bucket, few records and few keys, each of
// which stands for many.
type Fifty struct {
	Workers    int
	Partitions int   // of the input
	Octaves    int   // the keys are 2^Octaves - 1
	EntryBytes int64 // of state per key, key included
	Weight     int64 // events of one record, and keys of one key
	Rate       int64 // events per second
	Model      FiftyModel
}

// FiftyCase is one run: a worker dies so many events past the barrier of a decided checkpoint.
type FiftyCase struct {
	Name     string
	Interval protocol.Duration
	Detect   protocol.Duration // the node time-out
	Past     int64             // events
	Streams  int64             // unless zero, of the model
	Spare    int               // more workers than shares of the state
	Local    bool              // tasks keep copies on their workers' disks
}

// FiftyCheckpoint is one decided checkpoint. Times are since the trigger, and zero if it did not come so far.
type FiftyCheckpoint struct {
	ID           protocol.CheckpointID
	At           protocol.Time // of the trigger
	Decided      protocol.Duration
	Sealed       protocol.Duration
	Aligned      protocol.Duration // the longest of all operators, from the first barrier to the last
	AlignedTotal protocol.Duration // of all operators
	Changed      int64             // bytes of state written since the one before
}

// FiftyResult is what a run came to.
type FiftyResult struct {
	Case        FiftyCase
	Checkpoints []FiftyCheckpoint // decided before the death, without the first, which is not preceded by a whole interval
	Past        int64             // events processed past the last decided checkpoint when the worker died
	Replayed    int64             // events that were processed again
	Exact       int               // partitions that were read on from where the newest manifest says
	Inexact     int               // and from elsewhere
	// Times since the death: the coordinator takes the worker for dead; the first source reads again; every task has its
	// state; the job is no more than a second behind; a checkpoint is sealed.
	Detected, Processing, Restored, Caught, Sealed protocol.Duration
	Loaded                                         int64 // bytes of state read from the bucket since
	Recalled                                       int64 // and from local disks
	Processed                                      int64 // events, each as often as it was processed at a source
	FedOut                                         bool  // the input ended before the job had caught up
	Records                                        int
	Run                                            sim.Result
	Verdict                                        checker.Verdict
}

// entry is the size of what a simulated key stands for.
func (f *Fifty) entry() int64 { return f.Weight * f.EntryBytes }

// StateBytes is the size of the whole state.
func (f *Fifty) StateBytes() int64 { return (1<<f.Octaves - 1) * f.EntryBytes }

// DefaultFifty is the seed example at scale. The sources of the model's figures are on the page that is made from it.
func DefaultFifty() Fifty {
	return Fifty{
		Workers: 50, Partitions: 100, Octaves: 29, EntryBytes: 2048, Weight: 4096, Rate: 1_000_000,
		Model: FiftyModel{
			Stream: 80, Streams: 16, Worker: 1250, BucketIn: 28_000, BucketOut: 44_000, Encode: 500, Decode: 1000, DiskIn: 1000, DiskOut: 2000,
			EventCosts: [...]protocol.Duration{400, 3500, 400},
		},
	}
}

// FiftyRunner runs cases over one set of keys. Runs share nothing that changes.
type FiftyRunner struct {
	fifty Fifty
	keys  *fiftyKeys
	base  []object
}

// NewFiftyRunner makes the keys and the state.
func NewFiftyRunner(f Fifty) *FiftyRunner {
	r := &FiftyRunner{fifty: f, keys: newFiftyKeys(&f)}
	r.base = r.keys.base(f.plan(FiftyCase{Interval: protocol.Second, Detect: 10 * protocol.Second}))
	return r
}

// config is the protocol's configuration. A record stands for as many frames as a buffer holds, so that one of credit is
// still more than a real channel's; patience with a bucket grows with the size of an object, which is a simulated one's here.
func (f *Fifty) config(c FiftyCase) protocol.Config {
	cfg := protocol.Defaults()
	cfg.Interval, cfg.NodeTimeout, cfg.Timeout = c.Interval, c.Detect, 10*protocol.Minute
	cfg.Local = c.Local
	cfg.IOTimeout, cfg.TxnTimeout = 15*protocol.Minute, 2*60*protocol.Minute
	cfg.Parallelism, cfg.KeyGroups, cfg.Credit = f.Workers, f.groups(), 1
	return cfg
}

func (f *Fifty) plan(c FiftyCase) *job.Plan {
	return (&Scenario{Name: "fifty"}).plan(jobs.Shuffle().Factory, f.config(c))
}

// warm is how many checkpoints are decided before the one that the death follows.
func (c *FiftyCase) warm() int { return 1 + max(1, int(60*protocol.Second/c.Interval)) }

// records is how much input a case needs: up to the death, until it is noticed, restored and caught up.
func (f *Fifty) records(c FiftyCase) int {
	restore := timeOf(f.StateBytes()/int64(f.Workers), min(f.Model.Worker, f.Model.Stream*f.Model.Streams)) + timeOf(f.StateBytes(), f.Model.BucketOut) +
		timeOf(f.StateBytes()/int64(f.Workers), f.Model.Decode)
	past := protocol.Duration(c.Past) * protocol.Second / protocol.Duration(f.Rate)
	gone := past + c.Detect + restore
	all := protocol.Duration(c.warm())*(c.Interval+2*protocol.Second) + gone + gone/2 + 30*protocol.Second
	return int(int64(all/protocol.Millisecond) * f.Rate / 1000 / f.Weight)
}

// Run runs a case. The same seed gives the same result.
func (x *FiftyRunner) Run(seed uint64, c FiftyCase) FiftyResult {
	f := x.fifty
	if c.Streams > 0 {
		f.Model.Streams = c.Streams
	}
	r := &fiftyRun{fifty: &f, c: c, keys: x.keys, base: x.base, plan: f.plan(c), records: f.records(c)}
	r.at, r.high = make([]int64, f.Partitions), make([]int64, f.Partitions)
	return r.result(sim.Run(r.config(seed)))
}

func (r *fiftyRun) config(seed uint64) sim.Config {
	f := r.fifty
	topology := sim.Topology{Coordinators: []protocol.NodeID{1}}
	for i := range f.Workers + r.c.Spare {
		topology.Workers = append(topology.Workers, protocol.NodeID(2+i))
	}
	spec := sim.JobSpec{Protocol: r.plan.Config, Topology: topology, NewJob: r.job(), Manifests: sim.CheckpointManifests(), Inputs: jobs.Shuffle().Inputs}
	return sim.Config{
		Seed: seed, Jobs: []sim.JobSpec{spec}, Services: r.services(seed), Feeds: []sim.Feed{r.feed()},
		Readers: []sim.Reader{{Topic: jobs.Shuffle().Outputs[0], Every: 10 * protocol.Second, Limit: 100_000}},
		Limits:  sim.Limits{Horizon: protocol.Duration(int64(r.records)*f.Weight/f.Rate+1) * protocol.Second},
		Panics:  true,
	}
}

// job is the plan's, with tasks whose records cost time.
func (r *fiftyRun) job() func() sim.Job {
	inner := sim.JobOf(func() *job.Plan { return r.plan }, nil)
	return func() sim.Job {
		j := inner()
		coordinator, task := j.NewCoordinator, j.NewTask
		j.NewCoordinator = func(workers []protocol.NodeID) protocol.Machine {
			return &fiftyCoordinator{coordinator(workers), r}
		}
		j.NewTask = func(start protocol.TaskStart, pool batch.Pool) protocol.Machine {
			kind := r.plan.Graph.Stages[r.plan.Tasks[start.Task-1].Stage].Kind
			cost := r.fifty.Model.EventCosts[kind-job.SourceStage] * protocol.Duration(r.fifty.Weight)
			return &fiftyTask{core: task(start, pool), run: r, kind: kind, cost: cost, reborn: r.died != 0}
		}
		return j
	}
}

// services are the virtual ones, with a bucket that has a size, and holds the state.
func (r *fiftyRun) services(seed uint64) func(sim.Env) sim.Services {
	topics := sim.TopicsOf(r.plan, r.fifty.Partitions)
	virtual := sim.Virtual(topics, nil, r.plan.Config)
	return func(e sim.Env) sim.Services {
		s := virtual(e)
		r.net, r.kill, r.store = e.Net, e.Kill, bucket.New()
		for _, o := range r.base {
			r.store.Store(o.key, o.body, "")
		}
		device := newFiftyBucket(r, bucket.NewDevice(r.store, e.Net, r.plan.Config.IOTimeout), faults.NewChoice(seed).Stream("first byte"), r.fifty.Workers+r.c.Spare+2)
		c := &s.Clients[0]
		crash := c.Crash
		c.Bucket, c.Object = device, r.store.Get
		c.Disk = newFiftyDisk(device, c.Disk, r.fifty.Workers+r.c.Spare+2)
		c.Crash = func(node protocol.NodeID) {
			crash(node)
			device.crash(node)
		}
		return s
	}
}

func (r *fiftyRun) feed() sim.Feed {
	f := r.fifty
	return sim.Feed{
		Topic: jobs.Shuffle().Inputs[0], Records: r.records, Batch: 1,
		Every: protocol.Duration(f.Weight) * protocol.Second / protocol.Duration(f.Rate),
		Make: func(i int, draws *faults.Stream) (protocol.Partition, []byte, []byte) {
			r.fed = int64(i + 1)
			return protocol.Partition(i % f.Partitions), nil, fmt.Appendf(nil, "%s:%d", r.keys.draw(draws), i)
		},
	}
}

// Broken says what is wrong with a run of f, or "".
func (f *Fifty) Broken(r *FiftyResult) string {
	until := r.Detected + 2*protocol.Second // the restart is told, and its delay has passed
	most := r.Past + f.Rate*int64(until/protocol.Millisecond)/1000
	switch {
	case r.Run.Failure != nil:
		return r.Run.Failure.Error()
	case r.Verdict.Result != checker.Pass:
		return r.Verdict.String()
	case r.Inexact != 0 || r.Exact != f.Partitions:
		return fmt.Sprintf("%d of %d partitions were read on from where the manifest says, %d from elsewhere", r.Exact, f.Partitions, r.Inexact)
	case r.Past < r.Case.Past || r.Detected == 0 || r.Restored == 0 || r.Caught == 0 || r.Sealed == 0:
		return "the worker did not die, or the job did not recover"
	case r.Replayed < r.Past-f.behind() || r.Replayed > most:
		return fmt.Sprintf("%d events were processed again; the worker died %d past the checkpoint, and at most %d can have been since", r.Replayed, r.Past, most)
	case r.FedOut:
		return "the input ended before the job had caught up"
	case len(r.Checkpoints) == 0:
		return "no checkpoint was measured"
	}
	return ""
}

// behind is how many events sources may have at hand when the region stops.
func (f *Fifty) behind() int64 { return f.Weight * int64(f.Partitions) }
