package checkpoint

import (
	"fmt"

	"pgregory.net/rapid"

	"weir/protocol"
)

// office is a coordinator of four tasks on one worker, with a bucket. All but its writes is answered at once.
type office struct {
	rt        *rapid.T
	c         *Coordinator
	cfg       protocol.Config
	now       protocol.Time
	out       protocol.Effects
	tasks     int
	scope     protocol.Scope    // of the attempt that runs
	seen      []protocol.Effect // since it was last looked at
	queue     []protocol.Effect // to be answered
	held      []protocol.Store  // not answered
	late      []protocol.Store  // of ended attempts, not answered
	coming    bool              // up: nothing is held
	bodies    map[protocol.ObjectKey][]byte
	versions  map[protocol.ObjectKey]protocol.Version
	writes    int
	proofs    map[protocol.Offset][]byte // ledger records
	offset    protocol.Offset
	completed protocol.Time // when the last ack of the newest manifest came
}

const (
	ownNode   protocol.NodeID      = 1
	theirNode protocol.NodeID      = 2
	theirLife protocol.Incarnation = 9
)

func newOffice(rt *rapid.T) *office {
	d := &office{rt: rt, cfg: protocol.Defaults(), now: 1, bodies: map[protocol.ObjectKey][]byte{}, versions: map[protocol.ObjectKey]protocol.Version{}, proofs: map[protocol.Offset][]byte{}}
	d.cfg.RestartLimit = 1_000_000
	d.cfg.TxnTimeout = 2*d.cfg.Timeout + 20*protocol.Second // no ack is too old, and a seal can be late
	opt := Options{Config: d.cfg, Job: "words", KeyGroups: 8, Workers: []protocol.NodeID{theirNode},
		Stages: []StageShape{{ID: "source", Parallelism: 1}, {ID: "count", Parallelism: 1}, {ID: "sink", Parallelism: 2, Sink: true}},
		Tasks:  []TaskInfo{{Task: 1, Source: true}, {Task: 2}, {Task: 3, Sink: true}, {Task: 4, Sink: true}}}
	d.tasks = len(opt.Tasks)
	d.c = NewCoordinator(opt)
	d.coming = true
	d.step(protocol.Started{Self: protocol.Address{Node: ownNode}, Incarnation: ourselves})
	return d
}

func (d *office) sinks(task protocol.TaskID) bool { return task >= 3 }

// step steps the coordinator, and again with what it is answered.
func (d *office) step(ev protocol.Event) {
	d.now++
	d.out.Reset()
	d.c.Step(d.now, ev, &d.out)
	d.seen = append(d.seen, d.out.All()...)
	d.queue = append(d.queue, d.out.All()...)
	for len(d.queue) > 0 {
		ef := d.queue[0]
		d.queue = d.queue[1:]
		if s, ok := ef.(protocol.Store); ok && !d.coming {
			d.held = append(d.held, s)
		} else if ev := d.answer(ef); ev != nil {
			d.step(ev)
		}
	}
}

// comeUp lets an attempt begin, to the point where every task is ready.
func (d *office) comeUp() {
	d.coming = true
	if d.c.phase == restarting {
		d.now = d.now.Add(d.cfg.RestartDelay)
		d.step(protocol.Woken{Timer: timerOps})
	}
	for t := range d.tasks {
		d.tell(protocol.TaskID(t+1), protocol.Ready{Scope: d.scope})
	}
	if d.coming = false; d.c.phase != running {
		d.rt.Fatalf("phase %d, want running:%s", d.c.phase, formatted(d.seen))
	}
	d.seen = nil
}

func (d *office) tell(task protocol.TaskID, m protocol.Message) {
	d.step(protocol.Told{From: protocol.Address{Node: theirNode, Task: task}, Message: m})
}

// pong says that the worker lives.
func (d *office) pong() {
	scope := d.scope
	scope.Incarnation = theirLife
	d.step(protocol.Told{From: worker(theirNode), Message: protocol.Pong{Scope: scope, Running: scope}})
}

// answer is what a perfect service answers; nil: nothing.
func (d *office) answer(ef protocol.Effect) protocol.Event {
	switch ef := ef.(type) {
	case protocol.Store:
		v, o := d.put(ef)
		return protocol.Stored{Op: ef.Op, Outcome: o, Version: v}
	case protocol.Load:
		return d.load(ef)
	case protocol.EndTxn:
		return protocol.Ended{Op: ef.Op, ID: ef.ID, Outcome: protocol.OK}
	case protocol.Fence:
		return protocol.Fenced{Op: ef.Op, ID: ef.ID, Outcome: protocol.OK}
	case protocol.ReadLedger:
		return protocol.LedgerRead{Op: ef.Op, Outcome: protocol.OK, Value: d.proofs[ef.Offset]}
	case protocol.ListTxns:
		return protocol.TxnsListed{Op: ef.Op, Outcome: protocol.OK}
	case protocol.Delete:
		return protocol.Deleted{Op: ef.Op, Outcome: protocol.OK}
	case protocol.Erase:
		return protocol.Erased{Op: ef.Op, Outcome: protocol.OK}
	case protocol.Tell:
		return d.reply(ef)
	case protocol.Exit:
		d.rt.Fatalf("the job ended: %+v", ef.Verdict)
	}
	return nil
}

// reply is the worker's, while an attempt comes up.
func (d *office) reply(ef protocol.Tell) protocol.Event {
	switch m := ef.Message.(type) {
	case protocol.Ping:
		if d.coming && d.c.phase == gathering {
			scope := m.Scope
			scope.Incarnation = theirLife
			return protocol.Told{From: ef.To, Message: protocol.Pong{Scope: scope}}
		}
	case protocol.Start:
		d.scope = m.Scope
	}
	return nil
}

func (d *office) put(ef protocol.Store) (protocol.Version, protocol.Outcome) {
	if d.versions[ef.Key] != ef.IfMatch {
		return "", protocol.Conflict
	}
	d.writes++
	d.bodies[ef.Key], d.versions[ef.Key] = ef.Object.Encode(nil), protocol.Version(fmt.Sprintf("v%d", d.writes))
	return d.versions[ef.Key], protocol.OK
}

func (d *office) load(ef protocol.Load) protocol.Event {
	body, ok := d.bodies[ef.Key]
	if !ok {
		return protocol.Loaded{Op: ef.Op, Outcome: protocol.NotFound}
	}
	return protocol.Loaded{Op: ef.Op, Outcome: protocol.OK, Version: d.versions[ef.Key], Body: body}
}

func newestOf(h *Head) protocol.CheckpointID {
	if h == nil {
		return 0
	}
	newest, _ := h.Newest()
	return newest.Checkpoint
}

func formatted(list []protocol.Effect) (text string) {
	for _, ef := range list {
		text += "\n  " + protocol.Format(ef)
	}
	return text
}
