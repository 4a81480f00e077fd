package checker

import (
	"bytes"
	"fmt"
	"math"
	"sort"
)

// outLog is one output partition: what each reader saw of it, and what they agree on.
type outLog struct {
	place
	streams []stream
	// Invariant: offsets do not decrease, and grow strictly among entries that are not gone.
	entries []entry
}

// stream is what one reader saw of one partition.
type stream struct {
	reader     string
	fetches    []int32
	start, end int64 // the reader has gone past every offset in [start, end)
	next       int64 // where the next fetch should ask, or beyond
}

// entry is one record that at least one reader saw.
type entry struct {
	offset int64
	// seen is a moment by which the record was visible: it, or a later one of the partition, had been fetched.
	seen       int64
	fetch, rec int32 // a fetch that holds it
	gone       bool  // a later reader did not find it
}

// cursor walks a stream record by record.
type cursor struct {
	s      *stream
	fi, ri int
	last   int64
	head   *Record // nil at the end
	fetch  int32
}

// readLogs sorts the fetches by partition and reader, and settles each partition.
func (j *judge) readLogs() bool {
	numbers := make(map[place]int32)
	for i := range j.h.Fetches {
		if !j.addFetch(numbers, int32(i)) {
			return false
		}
	}
	for i := range j.logs {
		j.settle(&j.logs[i])
		j.scope.Records += len(j.logs[i].entries)
	}
	return true
}

func (j *judge) addFetch(numbers map[place]int32, i int32) bool {
	f := &j.h.Fetches[i]
	at := place{f.Topic, f.Partition}
	n, ok := numbers[at]
	if !ok {
		n = int32(len(j.logs))
		numbers[at], j.logs = n, append(j.logs, outLog{place: at})
	}
	s := j.logs[n].stream(f)
	if f.Return < f.Call || f.From < s.next {
		return j.unknown(fmt.Sprintf("the history contradicts itself: reader %s asked %s/%d for offset %d where it should go on at %d, fetch from %d to %d "+
			"(a reader that starts again takes a new name)", f.Reader, f.Topic, f.Partition, f.From, s.next, f.Call, f.Return))
	}
	s.fetches = append(s.fetches, i)
	s.next = after(f)
	s.end = max(s.end, s.next)
	return true
}

// stream finds the reader's stream, or begins it where f asks. A partition has few readers.
func (l *outLog) stream(f *Fetch) *stream {
	for i := range l.streams {
		if l.streams[i].reader == f.Reader {
			return &l.streams[i]
		}
	}
	l.streams = append(l.streams, stream{reader: f.Reader, start: f.From, next: math.MinInt64})
	return &l.streams[len(l.streams)-1]
}

// after is the position a fetch leaves its reader at.
func after(f *Fetch) int64 {
	if n := len(f.Records); n > 0 {
		return f.Records[n-1].Offset + 1
	}
	return f.From
}

// settle merges what the readers saw of one partition, and checks that they agree.
func (j *judge) settle(l *outLog) {
	cur := make([]cursor, len(l.streams))
	longest := 0
	for i := range cur {
		cur[i] = cursor{s: &l.streams[i], last: -1}
		longest = max(longest, j.records(cur[i].s))
		j.advance(&cur[i])
	}
	l.entries = make([]entry, 0, longest)
	for off := lowest(cur); off < math.MaxInt64; off = lowest(cur) {
		j.settleOffset(l, cur, off)
	}
	l.closeTimes()
	if j.h.Complete {
		j.checkEnds(l)
	}
}

func (j *judge) records(s *stream) int {
	n := 0
	for _, f := range s.fetches {
		n += len(j.h.Fetches[f].Records)
	}
	return n
}

func lowest(cur []cursor) int64 {
	low := int64(math.MaxInt64)
	for i := range cur {
		if r := cur[i].head; r != nil && r.Offset < low {
			low = r.Offset
		}
	}
	return low
}

// advance moves to the reader's next record, passing over (and reporting) what it should not have been given.
func (j *judge) advance(c *cursor) {
	for ; c.fi < len(c.s.fetches); c.fi, c.ri = c.fi+1, 0 {
		c.fetch = c.s.fetches[c.fi]
		f := &j.h.Fetches[c.fetch]
		floor := max(c.last+1, f.From)
		for c.ri < len(f.Records) {
			c.head = &f.Records[c.ri]
			c.ri++
			if c.head.Offset >= floor {
				c.last = c.head.Offset
				return
			}
			j.wentBack(c)
		}
	}
	c.head = nil
}

// wentBack reports that a reader was given an offset below its position.
func (j *judge) wentBack(c *cursor) {
	off, where := c.head.Offset, &j.h.Fetches[c.fetch]
	now := j.sighting(c.fetch, off, false)
	if before, ok := j.heldBefore(c, off); ok {
		if j.count(Doubled) {
			j.report(Failure{Kind: Doubled, Key: string(c.head.Key), Seen: []Sighting{j.sighting(before, off, false), now},
				Text: fmt.Sprintf("reader %s was given offset %d of %s/%d a second time", where.Reader, off, where.Topic, where.Partition)})
		}
	} else if j.count(Reordered) {
		j.report(Failure{Kind: Reordered, Key: string(c.head.Key), Seen: []Sighting{now},
			Text: fmt.Sprintf("reader %s had gone past offset %d of %s/%d without a record, and was then given one there", where.Reader, off, where.Topic, where.Partition)})
	}
}

// heldBefore finds the first fetch of the reader that held the offset, up to the record the cursor is at. Once enough
// failures are known it no longer looks.
func (j *judge) heldBefore(c *cursor, off int64) (int32, bool) {
	if j.tally[Doubled] > maxPerKind {
		return c.fetch, true
	}
	for i := 0; i <= c.fi; i++ {
		recs := j.h.Fetches[c.s.fetches[i]].Records
		if i == c.fi {
			recs = recs[:c.ri-1]
		}
		for k := range recs {
			if recs[k].Offset == off {
				return c.s.fetches[i], true
			}
		}
	}
	return 0, false
}

// settleOffset makes the entry for one offset from all readers that have gone past it.
func (j *judge) settleOffset(l *outLog, cur []cursor, off int64) {
	var held, passed *cursor // the earliest that holds it, one that does not
	for i := range cur {
		c := &cur[i]
		switch {
		case c.head == nil || c.head.Offset != off:
			if c.s.start <= off && off < c.s.end {
				passed = c
			}
		case held == nil:
			held = c
		default:
			held = j.earlier(l, held, c)
		}
	}
	e := entry{offset: off, seen: j.h.Fetches[held.fetch].Return, fetch: held.fetch, rec: int32(held.ri - 1)}
	if passed != nil {
		e.gone = j.disagree(l, e, passed.s)
	}
	l.entries = append(l.entries, e)
	for i := range cur {
		if r := cur[i].head; r != nil && r.Offset == off {
			j.advance(&cur[i])
		}
	}
}

// earlier returns the cursor that has the record first. If the two have different records the earlier one has been
// replaced: it is an aborted read, and the later one counts.
func (j *judge) earlier(l *outLog, a, b *cursor) *cursor {
	if j.h.Fetches[b.fetch].Return < j.h.Fetches[a.fetch].Return {
		a, b = b, a
	}
	if bytes.Equal(a.head.Key, b.head.Key) && bytes.Equal(a.head.Value, b.head.Value) {
		return a
	}
	off := a.head.Offset
	l.entries = append(l.entries, entry{offset: off, seen: j.h.Fetches[a.fetch].Return, fetch: a.fetch, rec: int32(a.ri - 1), gone: true})
	if j.count(AbortedRead) {
		j.report(Failure{Kind: AbortedRead, Key: string(a.head.Key),
			Text: fmt.Sprintf("two readers got different records at offset %d of %s/%d: value %q, then value %q", off, l.topic, l.partition, a.head.Value, b.head.Value),
			Seen: []Sighting{j.sighting(a.fetch, off, false), j.sighting(b.fetch, off, false)}})
	}
	return b
}

// disagree reports a record that reader s went past without seeing, and tells whether it was there first and then gone.
func (j *judge) disagree(l *outLog, e entry, s *stream) (gone bool) {
	f := j.passing(s, e.offset)
	gone = j.h.Fetches[f].Return >= j.h.Fetches[e.fetch].Call
	r := j.record(e)
	if gone && j.count(AbortedRead) {
		j.report(Failure{Kind: AbortedRead, Key: string(r.Key), Seen: []Sighting{j.sighting(e.fetch, e.offset, false), j.sighting(f, e.offset, true)},
			Text: fmt.Sprintf("the record at offset %d of %s/%d was given to one reader, but is not there for another that has gone past it: it was read before it was decided, and then aborted",
				e.offset, l.topic, l.partition)})
	}
	if !gone && j.count(Lost) {
		j.report(Failure{Kind: Lost, Key: string(r.Key), Seen: []Sighting{j.sighting(f, e.offset, true), j.sighting(e.fetch, e.offset, false)},
			Text: fmt.Sprintf("the record at offset %d of %s/%d appeared only after reader %s had gone past it: that reader never gets it", e.offset, l.topic, l.partition, s.reader)})
	}
	return gone
}

// passing finds the fetch with which a reader went past an offset: the last one that asked no further.
func (j *judge) passing(s *stream, off int64) int32 {
	beyond := sort.Search(len(s.fetches), func(i int) bool { return j.h.Fetches[s.fetches[i]].From > off })
	return s.fetches[max(beyond-1, 0)]
}

// closeTimes lowers seen: a record is visible no later than any record behind it.
func (l *outLog) closeTimes() {
	low := int64(math.MaxInt64)
	for i := len(l.entries) - 1; i >= 0; i-- {
		if e := &l.entries[i]; !e.gone {
			low = min(low, e.seen)
			e.seen = low
		}
	}
}

// checkEnds asks of every reader that claims to have read to the end whether another had already seen more.
func (j *judge) checkEnds(l *outLog) {
	for i := range l.streams {
		s := &l.streams[i]
		last := s.fetches[len(s.fetches)-1]
		f := &j.h.Fetches[last]
		e := l.firstFrom(s.end)
		if len(f.Records) > 0 || e == nil || e.seen >= f.Call || !j.count(Lost) {
			continue
		}
		j.report(Failure{Kind: Lost, Key: string(j.record(*e).Key), Seen: []Sighting{j.sighting(e.fetch, e.offset, false), j.sighting(last, e.offset, true)},
			Text: fmt.Sprintf("reader %s found the end of %s/%d at offset %d after another reader had got more", s.reader, l.topic, l.partition, f.From)})
	}
}

// firstFrom is the first settled entry at or behind an offset.
func (l *outLog) firstFrom(off int64) *entry {
	var first *entry
	for i := len(l.entries) - 1; i >= 0 && l.entries[i].offset >= off; i-- {
		if !l.entries[i].gone {
			first = &l.entries[i]
		}
	}
	return first
}

func (j *judge) record(e entry) *Record { return &j.h.Fetches[e.fetch].Records[e.rec] }
