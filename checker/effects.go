package checker

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// slot is one effect that some input owes.
type slot struct {
	id   string
	want int32 // how many committed inputs owe it
	may  int32 // how many unsure inputs
	got  int32 // how often it was seen
	// input is the first input that owes it, or else the first aborted one; aborted is the first aborted one, or -1.
	input, aborted int32
	// rank orders the slots of a lane; lane is -1 if there is no order to keep.
	rank, lane int32
	log, entry int32 // the first sighting
	blamed     bool  // only seen as an aborted read, which has been reported
}

// lane is one sequence of effects whose order is promised: one key, from one input partition to one topic.
type lane struct {
	log, entry, rank int32 // the furthest effect seen in the log being walked; log is -1 at first
	top              int32 // the furthest effect seen in any log
	spread           bool  // seen in more than one log
	told             bool  // a failure of order has been reported
}

// ledger holds the effects that are owed, and what was seen of them.
type ledger struct {
	*judge
	topics []topicSlots
	arena  strings.Builder // the bytes of all ids and lane names
	slots  []slot
	lanes  []lane
	byLane map[string]int32
	name   []byte // scratch
	// owed[first[k]:first[k+1]] are the slots of input order[k].
	owed, first []int32
}

type topicSlots struct {
	topic string
	byID  map[string]int32
}

// judgeEffects checks that every effect is there exactly once, by ids.
func (j *judge) judgeEffects() {
	if j.spec.Expect == nil {
		return
	}
	n := len(j.h.Inputs)
	l := &ledger{judge: j, byLane: make(map[string]int32), slots: make([]slot, 0, n), owed: make([]int32, 0, n), first: make([]int32, 0, n+1)}
	l.expectAll()
	for i := range j.logs {
		for k := range j.logs[i].entries {
			l.observe(int32(i), int32(k))
		}
	}
	l.findMissing()
}

// expectAll asks the Spec for the effects of every input.
func (l *ledger) expectAll() {
	var effects []Effect
	for _, i := range l.order {
		l.first = append(l.first, int32(len(l.owed)))
		effects = l.spec.Expect(&l.h.Inputs[i], effects[:0])
		for k := range effects {
			l.owe(i, &effects[k])
		}
	}
	l.first = append(l.first, int32(len(l.owed)))
}

// owe enters one effect of one input.
func (l *ledger) owe(input int32, e *Effect) {
	n := l.slotOf(input, e.Topic, e.ID)
	s := &l.slots[n]
	switch l.h.Inputs[input].Fate {
	case Aborted:
		if s.aborted < 0 {
			s.aborted = input
		}
		return
	case Unsure:
		s.may++
	default:
		s.want++
	}
	if s.want+s.may == 1 {
		s.input, s.rank, s.lane = input, int32(len(l.owed)), l.laneOf(input, e)
	} else {
		s.lane = -1 // several inputs share the id: which is which cannot be told
	}
	l.owed = append(l.owed, n)
}

// slotOf finds or makes the slot of an effect.
func (l *ledger) slotOf(input int32, topic string, id []byte) int32 {
	t := l.topic(topic)
	if t == nil {
		l.topics = append(l.topics, topicSlots{topic, make(map[string]int32, len(l.order))})
		t = &l.topics[len(l.topics)-1]
	}
	n, ok := t.byID[string(id)]
	if !ok {
		n = int32(len(l.slots))
		l.slots = append(l.slots, slot{id: l.keep(id), input: input, aborted: -1, lane: -1})
		t.byID[l.slots[n].id] = n
	}
	return n
}

// topic finds the slots of a topic, or nil. There are few topics.
func (l *ledger) topic(name string) *topicSlots {
	for i := range l.topics {
		if l.topics[i].topic == name {
			return &l.topics[i]
		}
	}
	return nil
}

// keep copies b into the arena: one allocation for many strings.
func (l *ledger) keep(b []byte) string {
	from := l.arena.Len()
	l.arena.Write(b)
	return l.arena.String()[from:]
}

func (l *ledger) laneOf(input int32, e *Effect) int32 {
	if e.Key == nil {
		return -1
	}
	l.name = binary.LittleEndian.AppendUint32(l.name[:0], uint32(l.part[input]))
	l.name = binary.LittleEndian.AppendUint32(l.name, uint32(len(e.Topic)))
	l.name = append(append(l.name, e.Topic...), e.Key...)
	n, ok := l.byLane[string(l.name)]
	if !ok {
		n = int32(len(l.lanes))
		l.lanes = append(l.lanes, lane{log: -1, top: -1})
		l.byLane[l.keep(l.name)] = n
	}
	return n
}

// observe judges one output record.
func (l *ledger) observe(log, n int32) {
	o := &l.logs[log]
	e := &o.entries[n]
	r := l.record(*e)
	id, ok := l.spec.Observe(o.topic, r)
	if !ok {
		return
	}
	s := l.find(o.topic, id)
	switch {
	case e.gone:
		if s != nil {
			s.blamed = true
		}
	case s == nil:
		l.phantom(o, e, id)
	default:
		l.see(s, log, n)
	}
}

func (l *ledger) find(topic string, id []byte) *slot {
	if t := l.topic(topic); t != nil {
		if n, ok := t.byID[string(id)]; ok {
			return &l.slots[n]
		}
	}
	return nil
}

// see counts one sighting of an effect that is known.
func (l *ledger) see(s *slot, log, n int32) {
	e := &l.logs[log].entries[n]
	s.got++
	switch {
	case s.want+s.may == 0:
		l.abortedEffect(s, e)
		return
	case s.got > s.want+s.may:
		l.doubled(s, e)
		return
	case s.got == 1:
		s.log, s.entry = log, n
	}
	l.scope.Effects++
	if s.want+s.may == 1 && e.seen < l.h.Inputs[s.input].At {
		l.early(s, e)
	}
	if s.lane >= 0 {
		l.keepOrder(s, log, n)
	}
}

// keepOrder checks one effect against the furthest one of its lane in this log.
func (l *ledger) keepOrder(s *slot, log, n int32) {
	a := &l.lanes[s.lane]
	if a.log != log {
		a.spread = a.spread || a.log >= 0
		a.log, a.entry, a.rank = log, n, s.rank
	} else if s.rank > a.rank {
		a.entry, a.rank = n, s.rank
	} else if !a.told {
		a.told = true
		l.reordered(s, a, n)
	}
	a.top = max(a.top, s.rank)
}

// findMissing asks of every input whether effects of it are missing for good.
func (l *ledger) findMissing() {
	for k, input := range l.order {
		owed := l.owed[l.first[k]:l.first[k+1]]
		missing, there := int32(-1), int32(-1)
		for r, n := range owed {
			if l.missing(&l.slots[n], l.first[k]+int32(r), input) {
				missing = n
			} else if l.slots[n].got > 0 {
				there = n
			}
		}
		if missing < 0 {
			continue
		}
		if there >= 0 {
			l.torn(input, missing, there)
		} else if l.h.Inputs[input].Fate == Committed {
			l.lost(input, missing)
		}
	}
}

// missing tells whether an effect can no longer come: the run is over, or an effect behind it in its lane is there.
// In a run that goes on, a lane that is spread over several partitions is not judged: they may be read unevenly.
func (l *ledger) missing(s *slot, rank, input int32) bool {
	if s.blamed {
		return false
	}
	if !l.h.Complete {
		return s.got == 0 && s.lane >= 0 && !l.lanes[s.lane].spread && rank < l.lanes[s.lane].top
	}
	if l.h.Inputs[input].Fate == Unsure {
		return s.got == 0
	}
	if s.got >= s.want {
		return false
	}
	s.want-- // this input bears the loss; others with the same id do not
	return true
}

func (l *ledger) phantom(o *outLog, e *entry, id []byte) {
	if l.count(Phantom) {
		l.report(Failure{Kind: Phantom, ID: string(id), Key: string(l.record(*e).Key), Seen: []Sighting{l.sighting(e.fetch, e.offset, false)},
			Text: fmt.Sprintf("output %q in topic %s belongs to no input", id, o.topic)})
	}
}

func (l *ledger) abortedEffect(s *slot, e *entry) {
	if l.count(AbortedRead) {
		l.report(Failure{Kind: AbortedRead, ID: s.id, Key: string(l.record(*e).Key), Inputs: l.causes(s.aborted), Seen: []Sighting{l.sighting(e.fetch, e.offset, false)},
			Text: fmt.Sprintf("the job let an aborted input have an effect: output %q", s.id)})
	}
}

func (l *ledger) doubled(s *slot, e *entry) {
	if l.count(Doubled) {
		l.report(Failure{Kind: Doubled, ID: s.id, Key: string(l.record(*e).Key), Inputs: l.causes(s.input), Seen: []Sighting{l.firstSeen(s), l.sighting(e.fetch, e.offset, false)},
			Text: fmt.Sprintf("output %q is there %d times where it is owed %d times", s.id, s.got, s.want+s.may)})
	}
}

func (l *ledger) early(s *slot, e *entry) {
	if l.count(Phantom) {
		l.report(Failure{Kind: Phantom, ID: s.id, Key: string(l.record(*e).Key), Inputs: l.causes(s.input), Seen: []Sighting{l.sighting(e.fetch, e.offset, false)},
			Text: fmt.Sprintf("output %q was there at %d, before its input was appended", s.id, e.seen)})
	}
}

func (l *ledger) reordered(s *slot, a *lane, n int32) {
	if !l.count(Reordered) {
		return
	}
	o := &l.logs[a.log]
	ahead, behind := &o.entries[a.entry], &o.entries[n]
	other := l.owed[a.rank]
	l.report(Failure{Kind: Reordered, ID: s.id, Key: string(l.record(*behind).Key), Inputs: l.causes(s.input, l.slots[other].input),
		Seen: []Sighting{l.sighting(ahead.fetch, ahead.offset, false), l.sighting(behind.fetch, behind.offset, false)},
		Text: fmt.Sprintf("output %q follows %q of the same key, but its input came first", s.id, l.slots[other].id)})
}

func (l *ledger) lost(input, missing int32) {
	if !l.count(Lost) {
		return
	}
	s := &l.slots[missing]
	why := "the run was drained"
	var seen []Sighting
	if !l.h.Complete {
		a := &l.lanes[s.lane]
		next := &l.slots[l.owed[a.top]]
		why = fmt.Sprintf("output %q, later in the order of its key, is there", next.id)
		seen = append(seen, l.firstSeen(next))
	}
	l.report(Failure{Kind: Lost, ID: s.id, Key: string(l.h.Inputs[input].Key), Inputs: l.causes(input), Seen: seen,
		Text: fmt.Sprintf("output %q never appeared, though %s", s.id, why)})
}

func (l *ledger) torn(input, missing, there int32) {
	if !l.count(Torn) {
		return
	}
	m, t := &l.slots[missing], &l.slots[there]
	l.report(Failure{Kind: Torn, ID: m.id, Key: string(l.h.Inputs[input].Key), Inputs: l.causes(input), Seen: []Sighting{l.firstSeen(t)},
		Text: fmt.Sprintf("one input has several effects: output %q in topic %s appeared, and output %q in topic %s is missing for good",
			t.id, l.logs[t.log].topic, m.id, l.topicOf(missing))})
}

// topicOf finds the topic of a slot. Only failures need it.
func (l *ledger) topicOf(n int32) string {
	i := slices.IndexFunc(l.topics, func(t topicSlots) bool { m, ok := t.byID[l.slots[n].id]; return ok && m == n })
	return l.topics[i].topic
}

// firstSeen is the first sighting of an effect.
func (l *ledger) firstSeen(s *slot) Sighting {
	e := &l.logs[s.log].entries[s.entry]
	return l.sighting(e.fetch, e.offset, false)
}
