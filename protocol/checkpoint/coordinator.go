package checkpoint

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/pending"
	"weir/protocol/txn"
)

// Options is what makes a coordinator.
type Options struct {
	Config    protocol.Config
	Job       string
	Stages    []StageShape
	Tasks     []TaskInfo // in order of TaskID, from 1
	KeyGroups int
	Workers   []protocol.NodeID // processes that may run tasks
}

// TaskInfo is what the coordinator knows of a task.
type TaskInfo struct {
	Task    protocol.TaskID
	Source  bool
	Bounded bool
	Sink    bool
}

type phase uint8

const (
	loading phase = iota
	claiming
	reading
	recovering
	gathering
	starting
	running
	restarting
	closing
	ended
)

// Coordinator triggers checkpoints, decides them by replacing HEAD, and restarts the region when something fails.
type Coordinator struct {
	opt   Options
	cfg   *protocol.Config
	self  protocol.Address
	phase phase
	head  *writer
	// writing says what the writer's intent is for.
	writing  intent
	ops      pending.Set[work]
	recovery *txn.Recovery
	// Invariant: manifests are the decoded ones of head.Retained, in order, once loaded.
	manifests []*Manifest
	loadsOwed int

	members []member
	nodes   []protocol.NodeID // by TaskID; index 0 is ours
	ready   owes
	drained owes

	pending  *collecting // nil: no checkpoint is being collected or decided
	sealing  *confirming // nil: every decided checkpoint is sealed
	aborting *aborting   // nil: every Abort was answered
	// Invariant: every checkpoint of this attempt is below nextID, and nextID ≤ HEAD's Next.
	nextID protocol.CheckpointID
	// Invariant: unsettled are checkpoints triggered in this attempt that are not durably sealed: each may hold a slot.
	unsettled []protocol.CheckpointID
	sealed    protocol.CheckpointID // known to be sealed, durable or not
	// Invariant: erasable are decided committables whose ledger records are not erased yet: their seal is not durable.
	erasable []protocol.Committable
	failures int // checkpoints aborted in a row
	restarts int // that count, since a seal
	// Invariant: broken is why the region must restart as soon as HEAD is not being written; nil: it need not.
	broken  *protocol.Failure
	took    bool // this incarnation has the office
	counted bool // the failure that ended the last attempt has been counted
	// settledPast says that this attempt's recovery has fenced everything older and found every decided transaction.
	settledPast bool
	stopping    bool // the operator wants a last checkpoint and an end
	lastTrig    protocol.Time
	startBy     protocol.Time // deadline of gathering, starting or closing
	// Invariant: last is how the process ends; zero: not yet. Then it recovers, if it must, and closes: what is decided is
	// committed before anybody leaves.
	last protocol.Verdict
}

type intent uint8

const (
	toClaim intent = 1 + iota
	toDecide
	toSettle
	toFinish
)

// work is what an operation of the coordinator's own is for.
type work struct {
	kind  workKind
	index int
	key   protocol.ObjectKey
	sum   protocol.Sum
	// verdict and reason are how the process ends if HEAD is as it was.
	verdict protocol.VerdictKind
	reason  string
}

type workKind uint8

const (
	workLoadHead workKind = 1 + iota
	workPeek
	workLoadManifest
	workDoubt
	workStoreManifest
	workCheckManifest
	workManifestBackoff
	workDelete
	workErase
	workRestart
	workList
	workStray
)

// Timers and tags of a coordinator.
const (
	timerBeat protocol.TimerID = 1 + iota
	timerInterval
	timerWriter
	timerSeal
	timerFence
	timerOps

	tagWriter = 1
	tagSeal   = 2
	tagFence  = 3
	tagOps    = 4
)

// NewCoordinator is the coordinator machine of a process.
func NewCoordinator(opt Options) *Coordinator {
	c := &Coordinator{opt: opt}
	c.cfg = &c.opt.Config
	c.head = newWriter(c.cfg, tagWriter, timerWriter)
	c.ops = pending.New[work](tagOps, timerOps)
	c.recovery = txn.NewRecovery(c.cfg, tagSeal, tagFence, timerSeal, timerFence)
	for _, n := range opt.Workers {
		c.members = append(c.members, member{node: n})
	}
	return c
}

// Step implements protocol.Machine.
func (c *Coordinator) Step(now protocol.Time, ev protocol.Event, out *protocol.Effects) {
	if c.phase == ended {
		return
	}
	switch ev := ev.(type) {
	case protocol.Started:
		c.onStarted(now, ev, out)
	case protocol.Woken:
		c.onWoken(now, ev.Timer, out)
	case protocol.Loaded:
		c.onLoaded(now, ev, out)
	case protocol.Stored:
		c.onStored(now, ev, out)
	case protocol.Ended:
		c.onRecovery(now, out, func(r *txn.Recovery) { r.OnEnded(now, ev, out) })
	case protocol.LedgerRead:
		c.onRecovery(now, out, func(r *txn.Recovery) { r.OnRead(now, ev, out) })
	case protocol.Fenced:
		c.onFenced(now, ev, out)
	case protocol.TxnsListed:
		c.onListed(now, ev, out)
	case protocol.Deleted:
		c.ops.Take(ev.Op)
	case protocol.Erased:
		c.ops.Take(ev.Op)
	case protocol.Told:
		c.onTold(now, ev, out)
	case protocol.StopAsked:
		c.onStopAsked(now, out)
	}
	c.arm(out)
}

// Pending implements protocol.Machine.
func (c *Coordinator) Pending() []protocol.Wait {
	return c.owed(c.recovery.Pending(c.ops.Append(c.head.ops.Append(nil))))
}

// owed lists the answers tasks owe.
func (c *Coordinator) owed(list []protocol.Wait) []protocol.Wait {
	add := func(o *owes, what string, deadline protocol.Time) {
		o.each(func(t protocol.TaskID) {
			list = append(list, protocol.Wait{What: fmt.Sprintf("%s of task %d", what, t), Deadline: deadline})
		})
	}
	if c.phase == starting {
		add(&c.ready, "ready", c.startBy)
	}
	if c.pending != nil && c.pending.stage == collectingAcks {
		add(&c.pending.owes, "ack", c.pending.deadline)
	}
	if c.sealing != nil {
		add(&c.sealing.owes, "seal", c.sealing.deadline)
	}
	if c.aborting != nil {
		add(&c.aborting.owes, "answer to abort", c.aborting.deadline)
	}
	return list
}

func (c *Coordinator) arm(out *protocol.Effects) {
	if c.phase == ended {
		return
	}
	c.ops.Arm(out)
	c.head.ops.Arm(out)
	c.recovery.Arm(out)
}

// scope is this attempt's, as HEAD has it.
func (c *Coordinator) scope() protocol.Scope {
	return protocol.Scope{Job: c.opt.Job, Epoch: c.head.head.Epoch, Attempt: c.head.head.Attempt}
}

func (c *Coordinator) onStarted(now protocol.Time, ev protocol.Started, out *protocol.Effects) {
	c.self, c.head.self = ev.Self, ev.Incarnation
	out.Append(protocol.Wake{Timer: timerBeat, At: now.Add(c.cfg.Heartbeat)})
	c.loadHead(now, out)
}

func (c *Coordinator) loadHead(now protocol.Time, out *protocol.Effects) {
	op := c.ops.Add("read of HEAD", now.Add(c.cfg.IOTimeout), work{kind: workLoadHead})
	out.Append(protocol.Load{Op: op, Key: HeadKey})
}

func (c *Coordinator) onWoken(now protocol.Time, timer protocol.TimerID, out *protocol.Effects) {
	switch timer {
	case timerBeat:
		c.onBeat(now, out)
	case timerInterval:
		c.onInterval(now, out)
	case timerWriter:
		c.head.onDeadline(now, out)
	case timerSeal, timerFence:
		c.onRecovery(now, out, func(r *txn.Recovery) { r.OnDeadline(now, out) })
	case timerOps:
		c.ops.Woken()
		for w, ok := c.ops.Expired(now); ok; w, ok = c.ops.Expired(now) {
			c.onExpired(now, w, out)
		}
	}
}

// onExpired goes on without an answer: what was asked is asked again, or given up where nothing depends on it.
func (c *Coordinator) onExpired(now protocol.Time, w work, out *protocol.Effects) {
	switch w.kind {
	case workLoadHead:
		c.loadHead(now, out)
	case workPeek:
		c.peek(now, out)
	case workLoadManifest:
		c.loadManifest(now, w.index, out)
	case workDoubt:
		c.doubt(now, w.verdict, w.reason, out)
	case workStoreManifest, workCheckManifest, workManifestBackoff:
		if c.pending != nil && c.pending.stage == storingManifest {
			c.storeManifest(now, out)
		}
	case workRestart:
		c.claim(now, out)
	case workList, workStray:
		c.relist(now, out)
	case workDelete, workErase: // an object or a record too many
	}
}

func (c *Coordinator) onLoaded(now protocol.Time, ev protocol.Loaded, out *protocol.Effects) {
	if pending.Tag(ev.Op) == tagWriter {
		c.onHead(now, c.head.onLoaded(now, ev, out), ev.Version, out)
		return
	}
	w, ok := c.ops.Take(ev.Op)
	if !ok {
		return
	}
	switch w.kind {
	case workLoadHead:
		c.onHeadLoaded(now, ev, out)
	case workPeek:
		c.onPeeked(now, w, ev, out)
	case workLoadManifest:
		c.onManifestLoaded(now, w, ev, out)
	case workDoubt:
		c.onDoubted(now, w, ev, out)
	case workCheckManifest:
		c.onManifestChecked(now, w, ev, out)
	}
}

func (c *Coordinator) onStored(now protocol.Time, ev protocol.Stored, out *protocol.Effects) {
	if pending.Tag(ev.Op) == tagWriter {
		c.onHead(now, c.head.onStored(now, ev, out), ev.Version, out)
		return
	}
	if w, ok := c.ops.Take(ev.Op); ok && w.kind == workStoreManifest {
		c.onManifestStored(now, ev, out)
	}
}

// exit ends the process with its tasks.
func (c *Coordinator) exit(kind protocol.VerdictKind, out *protocol.Effects, format string, args ...any) {
	if c.took && kind != protocol.Deposed {
		c.stopWorkers(out)
	}
	c.phase = ended
	out.Append(protocol.Exit{Verdict: protocol.Verdict{Kind: kind, Text: fmt.Sprintf(format, args...)}})
}

// depose ends this coordinator because another has the office. It never takes over again by itself.
func (c *Coordinator) depose(winner *Head, out *protocol.Effects) {
	out.Append(protocol.Note{Kind: protocol.NoteDeposed})
	c.exit(protocol.Deposed, out, "another coordinator (incarnation %x) has taken over in epoch %d", uint64(winner.Nonce.Incarnation), winner.Epoch)
}
