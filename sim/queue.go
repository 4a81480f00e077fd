package sim

import (
	"weir/protocol"
	"weir/sim/wire"
)

// entry is one item of the heap; what it carries stands in a slot of the queue, so that entries are small to move.
type entry struct {
	at   protocol.Time
	seq  uint64
	slot uint32
}

func (e entry) before(f entry) bool { return e.at < f.at || e.at == f.at && e.seq < f.seq }

// arity is the children of an entry: four of them are in one or two cache lines.
const arity = 4

// queue is a heap ordered by (time, sequence).
type queue struct {
	heap  []entry
	items []item
	free  []uint32
	seq   uint64
	lanes []*lane
	// Invariant: when popped, last is the slot of the item popped last, which is not free yet.
	last   uint32
	popped bool
}

// lane holds the time-outs of calls and timers that wait equally long: they come due in the order in which they were
// asked for, so that only the first one needs a place in the heap. Most calls are answered long before.
type lane struct {
	index uint64 // among the lanes
	wait  protocol.Duration
	queue []timeout
	head  int
	up    bool // the first one is in the heap
}

type timeout struct {
	at    protocol.Time
	seq   uint64
	call  *call
	life  uint32     // of the call
	timer wire.Timer // in place of a call
}

// dead reports whether the call or the timer was over before its time.
func (t *timeout) dead() bool {
	if t.timer != nil {
		return t.timer.Over()
	}
	return t.call.life != t.life || t.call.over
}

// itemKind says what happens when an item's time has come.
type itemKind uint8

const (
	itEvent  itemKind = iota // step m with ev
	itResume                 // step m with Resumed
	itTimer                  // m's timer arg may have come due
	itTell                   // ev is Told for the address packed in arg; fn, unless nil, is told when it gets there
	itFrame                  // conn delivers its next frame
	itGrant                  // ev is Granted for conn's sender
	itCall                   // call goes on
	itFunc                   // run fn
	itLane                   // the first time-out of lane arg
	itLate                   // call's time-out, put off; arg is the call's life
)

// item is what happens. It fills a line of the cache.
type item struct {
	kind itemKind
	leg  leg // of call
	m    *machine
	ev   protocol.Event
	fn   func()
	call *call
	conn *conn
	arg  uint64
}

// grow makes room for n items.
func (q *queue) grow(n int) {
	q.heap, q.items, q.free = make([]entry, 0, n), make([]item, 0, n), make([]uint32, 0, n)
}

func (q *queue) len() int { return len(q.heap) }

// push makes room for an item behind all others of the same time; the caller writes it there, before anything else is
// pushed.
func (q *queue) push(at protocol.Time) *item {
	q.seq++
	return q.insert(at, q.seq)
}

// expire adds the time-out of a call.
func (q *queue) expire(now protocol.Time, wait protocol.Duration, c *call) {
	q.wait(now, wait, timeout{call: c, life: c.life})
}

// wait adds a time-out.
func (q *queue) wait(now protocol.Time, wait protocol.Duration, t timeout) {
	q.seq++
	t.at, t.seq = now.Add(wait), q.seq
	l := q.lane(wait)
	if len(l.queue) == cap(l.queue) {
		l.clean()
	}
	l.queue = append(l.queue, t)
	if !l.up {
		q.lift(l)
	}
}

func (q *queue) lane(wait protocol.Duration) *lane {
	for _, l := range q.lanes {
		if l.wait == wait {
			return l
		}
	}
	l := &lane{index: uint64(len(q.lanes)), wait: wait}
	q.lanes = append(q.lanes, l)
	return l
}

// clean removes what is dead, but not the first time-out, whose time is in the heap.
func (l *lane) clean() {
	keep := l.queue[:0]
	for i := l.head; i < len(l.queue); i++ {
		if i == l.head || !l.queue[i].dead() {
			keep = append(keep, l.queue[i])
		}
	}
	l.queue, l.head = keep, 0
}

// lift puts the first time-out of a lane that may still come due into the heap.
func (q *queue) lift(l *lane) {
	for l.head < len(l.queue) && l.queue[l.head].dead() {
		l.head++
	}
	if l.up = l.head < len(l.queue); l.up {
		first := &l.queue[l.head]
		*q.insert(first.at, first.seq) = item{kind: itLane, arg: l.index}
	}
}

// take removes the time-out of a lane that has come to the top of the heap.
func (q *queue) take(l *lane) timeout {
	t := l.queue[l.head]
	l.head++
	q.lift(l)
	return t
}

func (q *queue) insert(at protocol.Time, seq uint64) *item {
	var slot uint32
	if n := len(q.free); n > 0 {
		slot, q.free = q.free[n-1], q.free[:n-1]
	} else {
		slot = uint32(len(q.items))
		q.items = append(q.items, item{})
	}
	q.heap = append(q.heap, entry{at, seq, slot})
	q.up(len(q.heap) - 1)
	return &q.items[slot]
}

// pop takes the first item out. It stays where it stands, to be read, until the next one is popped: to copy and to clear
// it costs more.
func (q *queue) pop() (protocol.Time, *item) {
	if q.popped {
		q.free = append(q.free, q.last)
	}
	top := q.heap[0]
	n := len(q.heap) - 1
	q.heap[0] = q.heap[n]
	q.heap = q.heap[:n]
	if n > 0 {
		q.down(0)
	}
	q.last, q.popped = top.slot, true
	return top.at, &q.items[top.slot]
}

func (q *queue) up(i int) {
	e := q.heap[i]
	for i > 0 {
		parent := (i - 1) / arity
		if !e.before(q.heap[parent]) {
			break
		}
		q.heap[i] = q.heap[parent]
		i = parent
	}
	q.heap[i] = e
}

func (q *queue) down(i int) {
	e, n := q.heap[i], len(q.heap)
	for {
		child := arity*i + 1
		if child >= n {
			break
		}
		first := child
		for c := child + 1; c < min(child+arity, n); c++ {
			if q.heap[c].before(q.heap[first]) {
				first = c
			}
		}
		if !q.heap[first].before(e) {
			break
		}
		q.heap[i] = q.heap[first]
		i = first
	}
	q.heap[i] = e
}
