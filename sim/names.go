package sim

import (
	"fmt"
	"strconv"
	"strings"

	"weir/faults"
	"weir/protocol"
)

// name is a machine in the words of the job: "out[1]", "coordinator", "worker-11".
func (j *tenant) name(a protocol.Address) string {
	if a.Task != protocol.WorkerTask {
		a.Node = 0
	}
	if j.names[a] == "" {
		j.names[a] = j.newName(a)
	}
	return j.names[a]
}

func (j *tenant) newName(a protocol.Address) string {
	name := fmt.Sprintf("task-%d", a.Task)
	switch {
	case a.Task == protocol.CoordinatorTask:
		name = "coordinator"
	case a.Task == protocol.WorkerTask:
		name = fmt.Sprintf("worker-%d", a.Node)
	case j.spec.TaskName != nil:
		name = plain(j.spec.TaskName(a.Task))
	}
	if j.index > 0 {
		return fmt.Sprintf("job-%d/%s", j.index+1, name)
	}
	return name
}

// plain is text without what separates words in a plan.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' || c == ',' || c == '>' {
			return '_'
		}
		return c
	}, text)
}

// eventName is an event in words that tell one from others without the numbers of one run.
func (w *World) eventName(j *tenant, ev protocol.Event) string {
	switch ev := ev.(type) {
	case protocol.Told:
		return messageName(ev.Message) + " from " + w.addressName(ev.From)
	case protocol.Received:
		return frameName(ev.Frame) + " from " + j.name(protocol.Address{Task: j.channels[ev.Channel].From})
	case protocol.Started, protocol.Resumed, protocol.Woken, protocol.Granted:
		return typeName(ev)
	case protocol.Lost:
		return "Lost channel " + j.channelName(ev.Channel)
	}
	name := typeName(ev)
	if o := outcome(ev); o > protocol.OK {
		name += " " + o.String()
	}
	return w.during(j, name)
}

// during adds the checkpoint that is under way.
func (w *World) during(j *tenant, name string) string {
	if n := j.underWay(); n > 0 {
		return name + "(checkpoint " + strconv.FormatUint(uint64(n), 10) + ")"
	}
	return name
}

func (j *tenant) channelName(id protocol.ChannelID) string { return j.channelWay(id).String() }

func (j *tenant) channelWay(id protocol.ChannelID) faults.Way {
	c := j.channels[id]
	return faults.Way{From: j.name(protocol.Address{Task: c.From}), To: j.name(protocol.Address{Task: c.To})}
}

// addressName is a machine of any job.
func (w *World) addressName(a protocol.Address) string { return w.node(a.Node).job.name(a) }

// typeName is the name of a value's type.
func typeName(v any) string {
	text := fmt.Sprintf("%T", v)
	return text[strings.LastIndexByte(text, '.')+1:]
}

func frameName(f protocol.Frame) string {
	if b, ok := f.(protocol.Barrier); ok {
		return fmt.Sprintf("Barrier(checkpoint %d)", b.Checkpoint)
	}
	return typeName(f)
}

// messageName is a message with its checkpoint.
func messageName(m protocol.Message) string {
	var n protocol.CheckpointID
	switch m := m.(type) {
	case protocol.Trigger:
		n = m.Checkpoint
	case protocol.Ack:
		n = m.Checkpoint
	case protocol.Decline:
		n = m.Checkpoint
	case protocol.Abort:
		n = m.Checkpoint
	case protocol.Aborted:
		n = m.Checkpoint
	case protocol.Confirm:
		n = m.Checkpoint
	case protocol.Sealed:
		n = m.Checkpoint
	case protocol.Settled:
		n = m.Checkpoint
	}
	if n == 0 {
		return typeName(m)
	}
	return typeName(m) + "(checkpoint " + strconv.FormatUint(uint64(n), 10) + ")"
}

// outcome is an event's, or zero.
func outcome(ev protocol.Event) protocol.Outcome {
	switch ev := ev.(type) {
	case protocol.Stored:
		return ev.Outcome
	case protocol.Loaded:
		return ev.Outcome
	case protocol.Deleted:
		return ev.Outcome
	case protocol.Recalled:
		return ev.Outcome
	case protocol.Surveyed:
		return ev.Outcome
	case protocol.Fetched:
		return ev.Outcome
	case protocol.Opened:
		return ev.Outcome
	case protocol.Produced:
		return ev.Outcome
	case protocol.Flushed:
		return ev.Outcome
	case protocol.Ended:
		return ev.Outcome
	case protocol.LedgerRead:
		return ev.Outcome
	case protocol.Fenced:
		return ev.Outcome
	case protocol.Erased:
		return ev.Outcome
	case protocol.TxnsListed:
		return ev.Outcome
	}
	return 0
}

// effectName is an effect in words.
func (w *World) effectName(j *tenant, ef protocol.Effect) string {
	switch ef := ef.(type) {
	case protocol.Tell:
		return "Tell " + messageName(ef.Message) + " to " + w.addressName(ef.To)
	case protocol.Send:
		return "Send " + frameName(ef.Frame) + " to " + j.name(protocol.Address{Task: j.channels[ef.Channel].To})
	case protocol.Note:
		return "Note " + strings.ReplaceAll(string(ef.Kind), ",", "")
	case protocol.Store:
		if ef.Key == j.spec.Manifests.HeadKey {
			return "Store HEAD"
		}
	case protocol.EndTxn:
		if !ef.Commit {
			return "EndTxn abort"
		}
	}
	return typeName(ef)
}

// worthNaming reports whether a later strike may refer to a step: one that is no record traffic, clock or heartbeat.
func worthNaming(ev protocol.Event) bool {
	switch ev := ev.(type) {
	case protocol.Resumed, protocol.Woken, protocol.Granted, protocol.Fetched, protocol.Produced:
		return false
	case protocol.Received:
		_, data := ev.Frame.(protocol.Data)
		return !data
	case protocol.Told:
		switch ev.Message.(type) {
		case protocol.Ping, protocol.Pong:
			return false
		}
	}
	return true
}

// tells names the message at hand.
func (b *book) tells(w *World, m *machine, ef protocol.Tell) {
	if !b.rests(w) {
		b.what = b.count(faults.Place{What: messageName(ef.Message) + " from " + w.addressName(m.addr) + " to " + w.addressName(ef.To)})
	}
}

// asks names the request at hand.
func (b *book) asks(w *World, n *node, kind, object string) faults.Place {
	if b.rests(w) {
		return faults.Place{}
	}
	name := kind
	switch parts := strings.Split(object, "/"); {
	case protocol.ObjectKey(object) == n.job.spec.Manifests.HeadKey:
		name += " HEAD"
	case len(parts) == 5: // a transactional id: job, sink, index, attempt, slot
		name += " of " + plain(parts[1]) + "[" + plain(parts[2]) + "]"
	case len(parts) == 1 && object != "":
		name += " " + plain(object)
	}
	b.what = b.count(faults.Place{What: w.during(n.job, name) + fmt.Sprintf(" by node %d", n.id)})
	return b.what
}

// answers names the reply of a request; one that is applied a second time replies as often.
func (b *book) answers(c *call) {
	if b == nil {
		return
	}
	b.what = c.place
	if c.replies++; c.replies > 1 {
		b.what.What += " again"
	}
}

// marks names the marker at hand.
func (b *book) marks(w *World) {
	if !b.rests(w) {
		b.what = b.count(faults.Place{What: w.during(w.job, "marker")})
	}
}
