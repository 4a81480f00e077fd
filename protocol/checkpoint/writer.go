package checkpoint

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/pending"
)

// writer replaces HEAD, one intent at a time.
//
// Only OK says that a write has won. After anything else HEAD is read and the nonce in its body decides:
//
//	ours                 → won
//	a higher epoch       → the office is lost
//	the predecessor      → that proves nothing: our write may land later. The same write is sent again.
//
// An intent is therefore never abandoned: it is repeated until it is found won or the office lost. A write that lands
// late then changes nothing, because its condition names a version that is gone.
type writer struct {
	cfg *protocol.Config
	ops pending.Set[writerStep]
	// Invariant: head and version are the newest HEAD known to be in the bucket.
	head    *Head
	version protocol.Version
	intent  *Head // nil: no write under way
	denied  bool  // the last write of the intent was refused for want of rights or space
	nonce   uint64
	self    protocol.Incarnation
}

type writerStep uint8

const (
	writerStore writerStep = 1 + iota
	writerRead
	writerReadBackoff
	writerStoreBackoff
)

// writerAnswer is what became of an intent.
type writerAnswer struct {
	won    bool
	lost   *Head  // the winner's HEAD
	broken string // HEAD is gone or damaged: stop
}

func newWriter(cfg *protocol.Config, tag uint8, timer protocol.TimerID) *writer {
	return &writer{cfg: cfg, ops: pending.New[writerStep](tag, timer)}
}

// busy reports whether a write is under way.
func (w *writer) busy() bool { return w.intent != nil }

// next is a copy of the present HEAD, to be changed and proposed.
func (w *writer) next() *Head {
	h := *w.head
	h.Retained = append([]Retained(nil), w.head.Retained...)
	h.Pools = append([]Pool(nil), w.head.Pools...)
	return &h
}

// propose begins to write h over the present HEAD.
func (w *writer) propose(now protocol.Time, h *Head, out *protocol.Effects) {
	protocol.Assert(w.intent == nil, "two intents on HEAD at a time")
	w.nonce++
	h.Seq, h.Nonce = w.seq()+1, Nonce{w.self, w.nonce}
	w.intent = h
	w.store(now, out)
}

func (w *writer) seq() uint64 {
	if w.head == nil {
		return 0
	}
	return w.head.Seq
}

func (w *writer) store(now protocol.Time, out *protocol.Effects) {
	op := w.ops.Add("write of HEAD", now.Add(w.cfg.IOTimeout), writerStore)
	out.Append(protocol.Store{Op: op, Key: HeadKey, Object: w.intent, IfMatch: w.version})
}

func (w *writer) read(now protocol.Time, out *protocol.Effects) {
	op := w.ops.Add("read of HEAD", now.Add(w.cfg.IOTimeout), writerRead)
	out.Append(protocol.Load{Op: op, Key: HeadKey})
}

func (w *writer) onStored(now protocol.Time, ev protocol.Stored, out *protocol.Effects) writerAnswer {
	if _, ok := w.ops.Take(ev.Op); !ok {
		return writerAnswer{}
	}
	if ev.Outcome == protocol.OK {
		return w.win(ev.Version)
	}
	w.denied = ev.Outcome == protocol.Denied
	out.Append(protocol.Note{Kind: protocol.NoteHeadUnknown, Detail: ev.Outcome.String()})
	w.read(now, out)
	return writerAnswer{}
}

func (w *writer) win(v protocol.Version) writerAnswer {
	w.head, w.version, w.intent = w.intent, v, nil
	return writerAnswer{won: true}
}

func (w *writer) onLoaded(now protocol.Time, ev protocol.Loaded, out *protocol.Effects) writerAnswer {
	if _, ok := w.ops.Take(ev.Op); !ok {
		return writerAnswer{}
	}
	switch ev.Outcome {
	case protocol.OK:
		return w.onRead(now, ev, out)
	case protocol.NotFound:
		if w.head == nil { // the very first write has not landed
			return w.again(now, out)
		}
		return writerAnswer{broken: "HEAD is gone from the bucket: somebody removed it; restore it before the job is started again"}
	case protocol.Denied:
		return writerAnswer{broken: "HEAD: access denied"}
	}
	w.ops.Add("back-off of HEAD", now.Add(w.cfg.RetryDelay), writerReadBackoff)
	return writerAnswer{}
}

// onRead decides by the nonce.
func (w *writer) onRead(now protocol.Time, ev protocol.Loaded, out *protocol.Effects) writerAnswer {
	found, err := DecodeHead(ev.Body)
	switch {
	case err != nil:
		return writerAnswer{broken: err.Error()}
	case found.Nonce == w.intent.Nonce:
		out.Append(protocol.Note{Kind: protocol.NoteHeadWon})
		return w.win(ev.Version)
	case found.Job != w.intent.Job:
		return writerAnswer{broken: fmt.Sprintf("HEAD belongs to job %q: every job needs a bucket or prefix of its own", found.Job)}
	case w.head != nil && found.Nonce == w.head.Nonce:
		w.version = ev.Version
		return w.again(now, out)
	}
	return writerAnswer{lost: found}
}

// again sends the same write once more, after a pause; a refusal is final once HEAD shows that no earlier try has landed.
func (w *writer) again(now protocol.Time, out *protocol.Effects) writerAnswer {
	if w.denied {
		return writerAnswer{broken: "HEAD cannot be written: access denied, or no space left"}
	}
	out.Append(protocol.Note{Kind: protocol.NoteHeadRepeated})
	w.ops.Add("back-off of HEAD", now.Add(w.cfg.RetryDelay), writerStoreBackoff)
	return writerAnswer{}
}

func (w *writer) onDeadline(now protocol.Time, out *protocol.Effects) {
	w.ops.Woken()
	for step, ok := w.ops.Expired(now); ok; step, ok = w.ops.Expired(now) {
		switch step {
		case writerStoreBackoff:
			w.store(now, out)
		case writerStore:
			w.denied = false
			out.Append(protocol.Note{Kind: protocol.NoteHeadUnknown, Detail: "no answer"})
			w.read(now, out)
		case writerRead, writerReadBackoff:
			w.read(now, out)
		}
	}
}
