package sim

import (
	"cmp"

	"weir/checker"
	"weir/faults"
	"weir/protocol"
)

// Fate is what becomes of records that a client outside the job appends.
type Fate uint8

// The fates.
const (
	Plain     Fate = iota // not in a transaction
	Committed             // in a transaction that commits at once
	Aborted               // in a transaction that aborts at once: no reader may ever see them
)

// Entry is a record as clients outside the job see it.
type Entry = checker.Record

// Log is the broker as clients outside the job see it, without network or faults.
type Log interface {
	// Append appends entries to one partition and returns the first's offset.
	Append(topic string, partition protocol.Partition, fate Fate, entries []Entry) protocol.Offset
	// Open appends entries in a transaction that stays open, which holds readers up, until the function it returns ends
	// it and returns the first one's offset.
	Open(topic string, partition protocol.Partition, entries []Entry) (end func(commit bool) protocol.Offset)
	// Read appends committed records from an offset to dst, at most limit, and returns it and the offset to read next.
	Read(dst []Entry, topic string, partition protocol.Partition, from protocol.Offset, limit int) ([]Entry, protocol.Offset)
	// Count counts the committed records from an offset on, and returns the offset behind them.
	Count(topic string, partition protocol.Partition, from protocol.Offset) (n int, next protocol.Offset)
	// Range is from the log start to the last stable offset.
	Range(topic string, partition protocol.Partition) protocol.Range
	// Partitions is the number of partitions of a topic.
	Partitions(topic string) int
}

// Feed is a client that appends records over virtual time.
type Feed struct {
	Topic   string
	Records int // in all; what is not appended by the end of the safety phase is appended at its end
	Batch   int // most records of one append; default 4
	Start   int // records appended before the job starts
	Every   protocol.Duration
	// Make is record i: its partition, key and value.
	Make func(i int, draws *faults.Stream) (partition protocol.Partition, key, value []byte)
	// Transactions is the chance, of 1000, that an append is in a transaction that ends at once, Open that it is in one
	// that stays open for a while. Half of those abort, and their records are appended again.
	Transactions, Open int
	// AbortedTail appends, behind the last record of each partition, an aborted transaction.
	AbortedTail bool
}

// Reader is a read_committed client outside the job; it polls every partition of a topic at drawn moments.
type Reader struct {
	Topic string
	Every protocol.Duration // mean time between polls
	Limit int               // records of one fetch; default 100
	// Rewind is the chance, of 1000, that a poll first goes back to the start of the log.
	Rewind int
}

// Appended is one append of a feed.
type Appended struct {
	At        protocol.Time
	Topic     string
	Partition protocol.Partition
	Fate      Fate
	Entries   []Entry
}

// Fetch is one fetch of a reader.
type Fetch struct {
	At         protocol.Time
	Reader     int // index in Config.Readers
	Life       int // how often the reader went back to the start before
	Topic      string
	Partition  protocol.Partition
	From, Next protocol.Offset
	Entries    []Entry
	Final      bool // of the last read, after the run, to the end of the log
}

// History is what clients outside the job did and saw, in the order of time.
type History struct {
	Appends []Appended
	Fetches []Fetch
}

type feeder struct {
	Feed
	draws *faults.Stream
	next  int
	again func() // appends
}

type reader struct {
	Reader
	index int
	draws *faults.Stream
	at    []protocol.Offset // by partition; negative: not read yet
	lives []int             // by partition
	again func()            // polls
}

func (w *World) startOutside() {
	for i := range w.cfg.Feeds {
		f := &feeder{Feed: w.cfg.Feeds[i], draws: w.choice.Stream("feed " + w.cfg.Feeds[i].Topic)}
		f.Batch = max(1, cmp.Or(f.Batch, 4))
		w.feeders = append(w.feeders, f)
		for f.next < min(f.Start, f.Records) {
			w.append(f)
		}
		f.again = func() { w.feed(f) }
		w.After(w.pause(f.draws, f.Every), f.again)
	}
	for i := range w.cfg.Readers {
		r := &reader{Reader: w.cfg.Readers[i], index: i, draws: w.choice.Stream("reader " + w.cfg.Readers[i].Topic)}
		r.Limit = max(1, cmp.Or(r.Limit, 100))
		w.readers = append(w.readers, r)
		r.again = func() { w.poll(r) }
		w.After(w.pause(r.draws, r.Every), r.again)
	}
}

// pause is a drawn time of mean every, or of 1 ms.
func (w *World) pause(s *faults.Stream, every protocol.Duration) protocol.Duration {
	return protocol.Duration(s.Between(1, 2*int64(max(every, protocol.Millisecond))))
}

func (w *World) feed(f *feeder) {
	for !w.faults.On() && f.next < f.Records {
		w.append(f)
	}
	if f.next < f.Records {
		w.append(f)
		w.After(w.pause(f.draws, f.Every), f.again)
	}
}

func (w *World) append(f *feeder) {
	n := 1 + f.draws.Pick(min(f.Batch, f.Records-f.next))
	first, at := f.next, protocol.Partition(0)
	entries := w.fed[:0]
	for range n {
		p, key, value := f.Make(f.next, f.draws)
		if f.next > first && p != at {
			break
		}
		at = p
		entries = append(entries, Entry{Key: key, Value: value})
		f.next++
	}
	w.fed = entries
	if f.draws.Chance(f.Open, 1000) {
		w.leaveOpen(f, at, entries)
		return
	}
	fate := Plain
	if f.draws.Chance(f.Transactions, 1000) {
		fate = Committed
		if f.draws.Chance(1, 2) {
			w.appendAs(f.Topic, at, Aborted, entries)
		}
	}
	w.appendAs(f.Topic, at, fate, entries)
	if f.AbortedTail && f.next == f.Records {
		for p := range w.services.Outside.Partitions(f.Topic) {
			w.appendAs(f.Topic, protocol.Partition(p), Aborted, entries)
		}
	}
}

func (w *World) appendAs(topic string, p protocol.Partition, fate Fate, entries []Entry) {
	list := w.keep(entries)
	w.appended(Appended{w.now, topic, p, fate, list}, w.services.Outside.Append(topic, p, fate, list))
}

// keep copies entries for the history.
func (w *World) keep(entries []Entry) []Entry {
	n := len(entries)
	w.room(n)
	w.kept = append(w.kept, entries...)
	return w.kept[len(w.kept)-n : len(w.kept) : len(w.kept)]
}

// room makes room for n more entries of the history: one allocation for many.
func (w *World) room(n int) {
	if n > cap(w.kept)-len(w.kept) {
		w.kept = make([]Entry, 0, max(n, 512))
	}
}

// appended records an append whose first offset is known.
func (w *World) appended(a Appended, first protocol.Offset) {
	for i := range a.Entries {
		a.Entries[i].Offset = int64(first) + int64(i)
	}
	w.history.Appends = append(w.history.Appends, a)
	w.digest.mix(uint64(first), uint64(len(a.Entries)), uint64(a.Fate))
}

// leaveOpen appends entries in a transaction and ends it up to an interval later.
func (w *World) leaveOpen(f *feeder, p protocol.Partition, entries []Entry) {
	entries = w.keep(entries)
	end, began := w.services.Outside.Open(f.Topic, p, entries), w.now
	commit := f.draws.Chance(1, 2)
	w.open++
	w.After(protocol.Duration(f.draws.Between(1, int64(w.longest(func(c *protocol.Config) protocol.Duration { return c.Interval })))), func() {
		w.open--
		offset := end(commit)
		if commit {
			w.appended(Appended{began, f.Topic, p, Committed, entries}, offset)
			return
		}
		w.appended(Appended{began, f.Topic, p, Aborted, w.keep(entries)}, offset)
		w.appendAs(f.Topic, p, Plain, entries)
	})
}

func (w *World) poll(r *reader) {
	w.readAll(r, 1, false)
	w.After(w.pause(r.draws, r.Every), r.again)
}

// readAll fetches from each partition, at most rounds times or until nothing is left.
func (w *World) readAll(r *reader, rounds int, final bool) {
	for len(r.at) < w.services.Outside.Partitions(r.Topic) {
		r.at, r.lives = append(r.at, -1), append(r.lives, -1)
	}
	for p := range r.at {
		if r.at[p] < 0 || r.draws.Chance(r.Rewind, 1000) {
			r.at[p] = w.services.Outside.Range(r.Topic, protocol.Partition(p)).Start
			r.lives[p]++
		}
		for range rounds {
			if !w.fetch(r, protocol.Partition(p), final) {
				break // this one came back empty: the checker takes it for the end of the log
			}
		}
	}
}

func (w *World) fetch(r *reader, p protocol.Partition, final bool) (moved bool) {
	from := r.at[p]
	w.room(min(r.Limit, 100))
	n := len(w.kept)
	list, next := w.services.Outside.Read(w.kept, r.Topic, p, from, r.Limit)
	w.kept = list
	entries := list[n:len(list):len(list)]
	w.history.Fetches = append(w.history.Fetches, Fetch{w.now, r.index, r.lives[p], r.Topic, p, from, next, entries, final})
	w.digest.mix(uint64(from), uint64(next), uint64(len(entries)))
	r.at[p] = next
	return next > from
}

// finishReading lets each reader read the whole log once more, from its start.
func (w *World) finishReading() {
	for _, r := range w.readers {
		for p := range r.at {
			r.at[p] = -1
		}
		w.readAll(r, 1<<30, true)
	}
}
