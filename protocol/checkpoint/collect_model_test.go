package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol"
	"weir/protocol/txn"
)

// TestOwesAgainstSet: owes is a set that each task leaves once.
func TestOwesAgainstSet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tasks := rapid.SliceOfNDistinct(rapid.Uint32Range(1, 200), 0, 20, rapid.ID[uint32]).Draw(rt, "tasks")
		open := map[protocol.TaskID]bool{}
		var list []protocol.TaskID
		highest := protocol.TaskID(0)
		for _, n := range tasks {
			list, open[protocol.TaskID(n)], highest = append(list, protocol.TaskID(n)), true, max(highest, protocol.TaskID(n))
		}
		o := newOwes(list, highest)
		for range 60 {
			task := protocol.TaskID(rapid.Uint32Range(0, uint32(highest)+2).Draw(rt, "task"))
			if o.settle(task) != open[task] {
				rt.Fatalf("task %d owed an answer: %v", task, open[task])
			}
			delete(open, task)
			var left []protocol.TaskID
			o.each(func(t protocol.TaskID) { left = append(left, t) })
			if o.done() != (len(open) == 0) || len(left) != len(open) || !slices.IsSorted(left) || slices.ContainsFunc(left, func(t protocol.TaskID) bool { return !open[t] }) {
				rt.Fatalf("left %v, done %v; want %v", left, o.done(), open)
			}
		}
	})
}

// clerk keeps, beside a coordinator, the list of who has acked and who has sealed, in the most naive way.
type clerk struct {
	*office
	rt *rapid.T
	// The checkpoint under way: zero if there is none. acked has each task's first ack, received when it came.
	id       protocol.CheckpointID
	stage    collectStage
	deadline protocol.Time
	acked    map[protocol.TaskID]protocol.Ack
	received map[protocol.TaskID]protocol.Time
	mute     protocol.TaskID // does not ack this checkpoint; zero, or no task's: all do
	// The newest decided checkpoint, while somebody has not sealed it.
	sealing  protocol.CheckpointID
	sealBy   protocol.Time
	unsealed map[protocol.TaskID]bool
	failures int
	broken   bool                              // the region has to restart when HEAD is written
	over     map[protocol.CheckpointID]string  // what became of each
	sent     map[protocol.TaskID]*protocol.Ack // the newest of each task, for repetitions
	want     expectation
	asked    int // triggers and confirms that the last step has sent
}

// expectation is what a step must ask for; zero: nothing of that kind.
type expectation struct {
	manifest, head, decided, sealed, aborted protocol.CheckpointID
	restart                                  bool
}

func newClerk(rt *rapid.T) *clerk {
	k := &clerk{office: newOffice(rt), rt: rt, over: map[protocol.CheckpointID]string{}}
	k.comeUp()
	k.forget()
	return k
}

func (k *clerk) forget() {
	k.id, k.sealing, k.failures, k.broken = 0, 0, 0, false
	k.sent = map[protocol.TaskID]*protocol.Ack{}
}

// expect compares what the steps since the last call have asked for with what they must ask for, and forgets both.
func (k *clerk) expect() {
	var got expectation
	k.asked = 0
	for _, ef := range k.seen {
		k.classify(ef, &got)
	}
	if got != k.want {
		k.rt.Fatalf("asked for %+v, want %+v:%s", got, k.want, formatted(k.seen))
	}
	k.seen, k.want = nil, expectation{}
	if got.restart {
		if k.id != 0 {
			k.over[k.id] = "restarted"
		}
		k.forget()
		k.late = append(k.late, k.held...)
		k.held = nil
		k.comeUp()
	}
}

func (k *clerk) classify(ef protocol.Effect, got *expectation) {
	switch ef := ef.(type) {
	case protocol.Note:
		switch ef.Kind {
		case protocol.NoteTriggered:
			k.triggered(ef.Checkpoint)
		case protocol.NoteDecided:
			got.decided = ef.Checkpoint
		case protocol.NoteSealed:
			got.sealed = ef.Checkpoint
		case protocol.NoteAborted:
			got.aborted = ef.Checkpoint
		case protocol.NoteRestart:
			got.restart = true
		}
	case protocol.Store:
		if h, ok := ef.Object.(*Head); ok {
			if newest, ok := h.Newest(); ok && k.over[newest.Checkpoint] == "" {
				got.head = newest.Checkpoint
			}
			return
		}
		got.manifest = k.manifest(ef)
	case protocol.Tell:
		k.told(ef)
	}
}

// told checks that only who owes an answer is asked.
func (k *clerk) told(ef protocol.Tell) {
	switch m := ef.Message.(type) {
	case protocol.Trigger:
		if _, acked := k.acked[ef.To.Task]; m.Checkpoint != k.id || acked {
			k.rt.Fatalf("%s; %d is under way, acked: %v", protocol.Format(ef), k.id, acked)
		}
		k.asked++
	case protocol.Confirm:
		if m.Checkpoint != k.sealing || !k.unsealed[ef.To.Task] {
			k.rt.Fatalf("%s; %d is to be sealed by %v", protocol.Format(ef), k.sealing, k.unsealed)
		}
		k.asked++
	}
}

// owed is how many tasks are asked again with a heartbeat.
func (k *clerk) owed() (n int) {
	if k.id != 0 && k.stage == collectingAcks {
		n = k.tasks - len(k.acked)
	}
	if k.sealing != 0 && k.now < k.sealBy {
		n += len(k.unsealed)
	}
	return n
}

func (k *clerk) triggered(id protocol.CheckpointID) {
	if k.id != 0 || k.over[id] != "" || id >= k.c.head.head.Next {
		k.rt.Fatalf("checkpoint %d triggered while %d is under way; HEAD reserves ids below %d; it was %q", id, k.id, k.c.head.head.Next, k.over[id])
	}
	k.id, k.stage, k.deadline = id, collectingAcks, k.now.Add(k.cfg.Timeout)
	k.acked, k.received = map[protocol.TaskID]protocol.Ack{}, map[protocol.TaskID]protocol.Time{}
	k.mute = protocol.TaskID(rapid.IntRange(1, 5*k.tasks).Draw(k.rt, "mute"))
}

// manifest checks that a stored manifest is made of the first ack of every task, each as much older as it has waited.
func (k *clerk) manifest(ef protocol.Store) protocol.CheckpointID {
	m, err := DecodeManifest(ef.Object.Encode(nil))
	if err != nil || m.Checkpoint != k.id || len(m.Snapshots) != len(k.acked) {
		k.rt.Fatalf("manifest %+v, %v", m, err)
	}
	for i, s := range m.Snapshots {
		want := k.acked[protocol.TaskID(i+1)].Snapshot
		want.Committables = slices.Clone(want.Committables)
		for j := range want.Committables {
			want.Committables[j].Age += k.completed.Sub(k.received[s.Task])
		}
		if !bytes.Equal(appendSnapshot(nil, &s), appendSnapshot(nil, &want)) {
			k.rt.Fatalf("manifest %d has\n  %+v, task %d acked\n  %+v", m.Checkpoint, s, i+1, want)
		}
	}
	return m.Checkpoint
}

// tick lets time pass: a heartbeat, and if it is time, the interval's end.
func (k *clerk) tick(rt *rapid.T) {
	k.now = k.now.Add(protocol.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds")) * protocol.Second)
	k.pong()
	k.now++ // the beat's
	if k.id != 0 && k.stage == collectingAcks && k.now >= k.deadline {
		k.abort()
	}
	if k.sealing != 0 && k.now >= k.sealBy && !k.want.restart {
		k.breakdown()
	}
	k.now--
	k.step(protocol.Woken{Timer: timerBeat})
	ends, owed := k.want.restart, k.owed()
	k.expect()
	if !ends && k.asked != owed {
		rt.Fatalf("%d answers are asked for again, want %d", k.asked, owed)
	}
	if k.now >= k.c.lastTrig.Add(k.cfg.Interval) && k.c.phase == running {
		k.step(protocol.Woken{Timer: timerInterval})
		k.expect()
	}
}

// abort expects that the checkpoint under way is given up; one too many ends the attempt.
func (k *clerk) abort() {
	k.want.aborted, k.over[k.id] = k.id, "aborted"
	k.id = 0
	if k.failures++; k.failures > k.cfg.Tolerable {
		k.breakdown()
	}
}

func (k *clerk) breakdown() {
	k.broken = true
	k.want.restart = !k.c.head.busy()
}

// ack: a task acks, for the first time or again, in the same words or in others.
func (k *clerk) ack(rt *rapid.T) {
	if k.id == 0 {
		rt.Skip("nothing to ack")
	}
	task := k.task()
	if task == k.mute {
		rt.Skip("it is mute")
	}
	first, again := k.acked[task]
	m := first
	switch {
	case again && k.once(40, "other words"):
		m.Snapshot.Positions = append(slices.Clone(m.Snapshot.Positions), protocol.Position{Topic: "other"})
		if !k.broken {
			k.breakdown()
		}
	case again:
		m.Snapshot.Committables = slices.Clone(m.Snapshot.Committables)
		for i := range m.Snapshot.Committables {
			m.Snapshot.Committables[i].Age += protocol.Second // ages may differ
		}
	default:
		m = k.newAck(task)
		k.acked[task], k.received[task] = m, k.now+1
		k.sent[task] = &m
		if len(k.acked) == k.tasks {
			k.stage, k.want.manifest, k.completed = storingManifest, k.id, k.now+1
		}
	}
	k.tell(task, m)
	k.expect()
}

// newAck is what a task has to say on a checkpoint.
func (k *clerk) newAck(task protocol.TaskID) protocol.Ack {
	s := protocol.Snapshot{Task: task, Runs: []protocol.Run{{Key: protocol.ObjectKey(fmt.Sprintf("run-%d-%d", task, k.id))}}}
	if k.sinks(task) {
		k.offset++
		scope := k.scope
		c := protocol.Committable{ID: txn.SlotName{Job: k.c.opt.Job, Sink: "sink", Index: int(task), Epoch: scope.Epoch, Attempt: scope.Attempt, Slot: int(k.id)}.ID(),
			Checkpoint: k.id, Scope: scope, Sink: "sink", Task: task, Ledger: protocol.LedgerRef{Topic: "ledger", Partition: protocol.Partition(task), Offset: k.offset},
			Age: protocol.Duration(task) * protocol.Second, Timeout: k.cfg.TxnTimeout}
		k.proofs[k.offset] = txn.EncodeLedger(txn.Proof(c))
		s.Committables = append(s.Committables, c)
	}
	return protocol.Ack{Scope: k.scope, Checkpoint: k.id, Snapshot: s}
}

// foreign: an ack, a decline or a seal of another checkpoint, another attempt, another job or another task. Nothing follows.
func (k *clerk) foreign(rt *rapid.T) {
	task := k.task()
	scope, id := k.scope, k.id
	snapshot := protocol.Snapshot{Task: task}
	switch rapid.IntRange(0, 5).Draw(rt, "foreign") {
	case 0:
		scope.Attempt--
	case 1:
		scope.Epoch++
	case 2:
		scope.Job = "other"
	case 3:
		id += 1 + protocol.CheckpointID(rapid.IntRange(0, 3).Draw(rt, "id"))
	case 4:
		id -= 1 + protocol.CheckpointID(rapid.IntRange(0, 3).Draw(rt, "id"))
	case 5:
		snapshot.Task++
		k.tell(task, protocol.Ack{Scope: scope, Checkpoint: id, Snapshot: snapshot})
		k.expect()
		return
	}
	k.tell(task, protocol.Ack{Scope: scope, Checkpoint: id, Snapshot: snapshot})
	k.tell(task, protocol.Decline{Scope: scope, Checkpoint: id})
	if id != k.sealing || scope != k.scope {
		k.tell(task, protocol.Sealed{Scope: scope, Checkpoint: id})
	}
	k.expect()
}

// repeat: the newest ack of a task comes once more, of whatever checkpoint it was.
func (k *clerk) repeat(rt *rapid.T) {
	m := k.sent[k.task()]
	if m == nil {
		rt.Skip("it has sent none")
	}
	k.tell(m.Snapshot.Task, *m)
	k.expect()
}

// decline ends the checkpoint if acks are still owed; later it comes too late.
func (k *clerk) decline(rt *rapid.T) {
	if k.id == 0 || !k.once(10, "really") {
		rt.Skip("not now")
	}
	id := k.id
	if k.stage == collectingAcks {
		k.abort()
	}
	k.tell(k.task(), protocol.Decline{Scope: k.scope, Checkpoint: id})
	k.expect()
}

// seal: a task says that its transactions were read back, for the first time or again.
func (k *clerk) seal(rt *rapid.T) {
	if k.sealing == 0 {
		rt.Skip("nothing to seal")
	}
	task := k.task()
	id := k.sealing
	delete(k.unsealed, task)
	if len(k.unsealed) == 0 {
		k.want.sealed, k.sealing = k.sealing, 0
	}
	k.tell(task, protocol.Sealed{Scope: k.scope, Checkpoint: id})
	k.expect()
}

// stored ends the write that is under way: well, or with an unknown outcome, be it there or not.
func (k *clerk) stored(rt *rapid.T) {
	if len(k.held) == 0 {
		rt.Skip("nothing is being written")
	}
	ef := k.held[0]
	k.held = nil
	how := rapid.SampledFrom([]string{"ok", "ok", "landed", "lost"}).Draw(rt, "how")
	ev := protocol.Stored{Op: ef.Op, Outcome: protocol.Unknown, Sum: sha256.Sum256(ef.Object.Encode(nil))}
	if how != "lost" {
		ev.Version, ev.Outcome = k.put(ef)
	}
	if how == "landed" {
		ev = protocol.Stored{Op: ef.Op, Outcome: protocol.Unknown, Sum: ev.Sum}
	}
	h, head := ef.Object.(*Head)
	timer := timerOps
	switch newest := newestOf(h); {
	case head:
		timer = timerWriter
		if how == "lost" {
			k.again(ef, ev, timer)
			return
		}
		if newest == k.id && k.id != 0 {
			k.decided()
		}
		k.want.restart = k.broken
	case how == "ok":
		k.stage, k.want.head = writingHead, k.id
	default:
		k.again(ef, ev, timer)
		return
	}
	k.step(ev)
	k.expect()
}

// again expects that a write is repeated after a pause, for as long as nobody knows.
func (k *clerk) again(ef protocol.Store, ev protocol.Stored, timer protocol.TimerID) {
	k.step(ev)
	k.expect()
	k.now = k.now.Add(k.cfg.RetryDelay)
	k.step(protocol.Woken{Timer: timer})
	if len(k.held) != 1 || k.held[0].Key != ef.Key || !bytes.Equal(k.held[0].Object.Encode(nil), ef.Object.Encode(nil)) {
		k.rt.Fatalf("the write of %s is not repeated:%s", ef.Key, formatted(k.seen))
	}
	k.seen = nil
}

// decided: from here the checkpoint can only be finished.
func (k *clerk) decided() {
	k.want.decided, k.over[k.id] = k.id, "decided"
	k.sealing, k.sealBy, k.unsealed, k.id, k.failures = k.id, k.now.Add(k.cfg.TxnTimeout/2), map[protocol.TaskID]bool{}, 0, 0
	for t := range k.tasks {
		k.unsealed[protocol.TaskID(t+1)] = true
	}
}

// outdated: the answer to a write of an ended attempt comes. Nothing follows.
func (k *clerk) outdated(rt *rapid.T) {
	if len(k.late) == 0 {
		rt.Skip("none is late")
	}
	k.step(protocol.Stored{Op: k.late[0].Op, Outcome: protocol.OK, Version: "late"})
	k.late = k.late[1:]
	k.expect()
}

// once draws true once in a number of times. (The generators prefer small numbers and the bounds.)
func (k *clerk) once(times int, what string) bool {
	return rapid.IntRange(0, times).Draw(k.rt, what) == times*2/3
}

func (k *clerk) task() protocol.TaskID {
	return protocol.TaskID(rapid.IntRange(1, k.tasks).Draw(k.rt, "task"))
}

// TestCollecting: acks in any order, doubled, of other checkpoints and attempts, declines, seals, writes with any outcome. A
// checkpoint is decided when all have acked it, never before, and once; sealed when all have sealed it, never before, and once.
func TestCollecting(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		k := newClerk(rt)
		for range 12 { // of rapid's runs of about 30 steps
			rt.Repeat(map[string]func(*rapid.T){
				"tick": k.tick, "ack": k.ack, "ack, often": k.ack, "ack, more often": k.ack, "foreign": k.foreign, "repeat": k.repeat, "decline": k.decline,
				"seal": k.seal, "seal, often": k.seal, "seal, more often": k.seal, "stored": k.stored, "outdated": k.outdated,
			})
		}
	})
}
