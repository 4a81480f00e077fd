package checkpoint

import (
	"crypto/sha256"
	"fmt"

	"weir/protocol"
	"weir/protocol/txn"
)

// reserve is how many checkpoint ids a HEAD write sets aside: more than an attempt can trigger before the next write.
func (c *Coordinator) reserve() protocol.CheckpointID {
	return protocol.CheckpointID(c.cfg.Tolerable) + 8
}

// onHeadLoaded is the first look at the bucket.
func (c *Coordinator) onHeadLoaded(now protocol.Time, ev protocol.Loaded, out *protocol.Effects) {
	switch ev.Outcome {
	case protocol.NotFound:
		if c.last.Kind != 0 { // nothing was ever begun
			c.exit(c.last.Kind, out, "%s", c.last.Text)
			return
		}
		c.claim(now, out)
	case protocol.OK:
		c.adopt(now, ev, out)
	case protocol.Denied, protocol.Corrupt:
		c.exit(protocol.Refused, out, "HEAD cannot be read: %s", ev.Outcome)
	default:
		c.ops.Add("back-off of HEAD", now.Add(c.cfg.RetryDelay), work{kind: workLoadHead})
	}
}

// adopt takes what is in HEAD for the state of the job.
func (c *Coordinator) adopt(now protocol.Time, ev protocol.Loaded, out *protocol.Effects) {
	h, err := DecodeHead(ev.Body)
	if err != nil {
		c.exit(protocol.Refused, out, "%v; nothing was written", err)
		return
	}
	c.succeed(now, h, ev.Version, out)
}

// succeed claims the next epoch on top of h, unless h says that there is nothing to do.
func (c *Coordinator) succeed(now protocol.Time, h *Head, v protocol.Version, out *protocol.Effects) {
	switch d := Resolve(Facts{Job: c.opt.Job, Head: h}); d.Plan {
	case StopForeign:
		c.exit(protocol.Refused, out, "%s; nothing was written", d.Reason)
	case StopFinished:
		// Its coordinator may have died before it had closed.
		c.head.head, c.head.version, c.head.intent = h, v, nil
		c.last = protocol.Verdict{Kind: protocol.Finished, Text: d.Reason}
		c.becomeClosing(now, out)
	default:
		c.head.head, c.head.version, c.head.intent = h, v, nil
		c.peek(now, out)
	}
}

// peek looks at the newest manifest before the claim, so that a job of another shape does not depose the one that runs.
func (c *Coordinator) peek(now protocol.Time, out *protocol.Effects) {
	newest, ok := c.head.head.Newest()
	if !ok {
		c.claim(now, out)
		return
	}
	c.phase = loading
	op := c.ops.Add("load of "+string(newest.Key), now.Add(c.cfg.IOTimeout), work{kind: workPeek})
	out.Append(protocol.Load{Op: op, Key: newest.Key})
}

func (c *Coordinator) onPeeked(now protocol.Time, w work, ev protocol.Loaded, out *protocol.Effects) {
	if ev.Outcome == protocol.Unknown {
		c.ops.Add("back-off of load", now.Add(c.cfg.RetryDelay), w)
		return
	}
	newest, _ := c.head.head.Newest()
	f := c.facts()
	m, err := checked(newest, ev)
	if err != nil {
		c.doubt(now, protocol.Refused, unreadable(newest, err)+"; nothing was written", out)
		return
	}
	if f.Newest = m; Resolve(f).Plan == StopForeign {
		c.exit(protocol.Refused, out, "%s; nothing was written", Resolve(f).Reason)
		return
	}
	c.claim(now, out)
}

func unreadable(r Retained, err error) string {
	return fmt.Sprintf("checkpoint %d cannot be restored: %v. Restore the object, or go back to an older checkpoint by hand", r.Checkpoint, err)
}

// claim makes a new attempt durable, with the slot pools it will open, before anything else is done for it. The first
// claim of an incarnation also takes the office: a new epoch.
func (c *Coordinator) claim(now protocol.Time, out *protocol.Effects) {
	c.phase, c.writing = claiming, toClaim
	if c.head.head == nil {
		h := &Head{Job: c.opt.Job, Epoch: 1, Attempt: 1, Next: 1 + c.reserve()}
		h.Pools = c.pools(h)
		c.head.propose(now, h, out)
		return
	}
	h := c.head.next()
	if !c.took {
		h.Epoch++
	}
	h.Attempt++
	h.Sealed = max(h.Sealed, c.sealed)
	h.Next += c.reserve()
	if c.settledPast { // the ended attempt's recovery has fenced all that came before it
		h.Pools = current(c.head.head)
	}
	h.Pools = append(h.Pools, c.pools(h)...)
	c.head.propose(now, h, out)
}

// pools are those that h's attempt will open.
func (c *Coordinator) pools(h *Head) []Pool {
	var list []Pool
	for _, s := range c.opt.Stages {
		if s.Sink {
			list = append(list, Pool{Epoch: h.Epoch, Attempt: h.Attempt, Sink: s.ID, Parallelism: s.Parallelism, Size: c.cfg.PoolSize()})
		}
	}
	return list
}

// onHead acts on what became of an intent.
func (c *Coordinator) onHead(now protocol.Time, a writerAnswer, v protocol.Version, out *protocol.Effects) {
	switch {
	case a.broken != "":
		c.exit(protocol.Refused, out, "%s", a.broken)
	case a.lost != nil && c.writing == toClaim && !c.took && a.lost.Epoch < c.head.intent.Epoch:
		// The predecessor's last write landed between our read and our claim: claim on top of it.
		c.succeed(now, a.lost, v, out)
	case a.lost != nil:
		c.depose(a.lost, out)
	case a.won:
		c.onHeadWon(now, out)
	}
}

func (c *Coordinator) onHeadWon(now protocol.Time, out *protocol.Effects) {
	switch c.writing {
	case toClaim:
		c.onClaimed(now, out)
	case toDecide:
		c.onDecided(now, out)
	case toSettle:
		c.onSettled(now, out)
	case toFinish:
		c.onFinished(now, out)
	}
	if c.broken != nil && !c.head.busy() && (c.phase == gathering || c.phase == starting || c.phase == running) {
		c.restart(now, out)
	}
}

// onClaimed reads the retained manifests: the attempt is durable.
func (c *Coordinator) onClaimed(now protocol.Time, out *protocol.Effects) {
	if !c.took {
		c.took = true
		out.Append(protocol.Note{Kind: protocol.NoteTookOver})
	}
	h := c.head.head
	c.nextID = h.Next - c.reserve()
	c.sealed = h.Sealed
	c.broken, c.settledPast = nil, false
	out.Append(protocol.Note{Kind: protocol.NoteClaimed, Detail: c.scope().String()})
	c.phase = reading
	c.manifests, c.loadsOwed = make([]*Manifest, len(h.Retained)), len(h.Retained)
	for i := range h.Retained {
		c.loadManifest(now, i, out)
	}
	if c.loadsOwed == 0 {
		c.recover(now, out)
	}
}

func (c *Coordinator) loadManifest(now protocol.Time, index int, out *protocol.Effects) {
	key := c.head.head.Retained[index].Key
	op := c.ops.Add("load of "+string(key), now.Add(c.cfg.IOTimeout), work{kind: workLoadManifest, index: index})
	out.Append(protocol.Load{Op: op, Key: key})
}

func (c *Coordinator) onManifestLoaded(now protocol.Time, w work, ev protocol.Loaded, out *protocol.Effects) {
	want := c.head.head.Retained[w.index]
	if ev.Outcome == protocol.Unknown {
		c.ops.Add("back-off of load", now.Add(c.cfg.RetryDelay), w)
		return
	}
	m, err := checked(want, ev)
	if err != nil {
		c.doubt(now, protocol.Refused, unreadable(want, err), out)
		return
	}
	c.manifests[w.index] = m
	if c.loadsOwed--; c.loadsOwed == 0 {
		c.recover(now, out)
	}
}

// doubt reads HEAD again before the job ends because of what is not in the bucket or the ledger. This coordinator may be a zombie:
//
//  1. it reads HEAD, which retains manifest n, and stands still;
//  2. a successor takes over, decides n+1 and deletes what only n refers to;
//  3. it wakes and does not find n, or not n's ledger records, which were compacted away.
func (c *Coordinator) doubt(now protocol.Time, verdict protocol.VerdictKind, reason string, out *protocol.Effects) {
	if c.took {
		c.phase = reading
	}
	op := c.ops.Add("second look at HEAD", now.Add(c.cfg.IOTimeout), work{kind: workDoubt, verdict: verdict, reason: reason})
	out.Append(protocol.Load{Op: op, Key: HeadKey})
}

func (c *Coordinator) onDoubted(now protocol.Time, w work, ev protocol.Loaded, out *protocol.Effects) {
	found, err := DecodeHead(ev.Body)
	switch {
	case ev.Outcome == protocol.Unknown:
		c.ops.Add("back-off of HEAD", now.Add(c.cfg.RetryDelay), w)
	case ev.Outcome == protocol.OK && err == nil && found.Nonce != c.head.head.Nonce && !c.took:
		c.succeed(now, found, ev.Version, out)
	case ev.Outcome == protocol.OK && err == nil && found.Nonce != c.head.head.Nonce:
		c.depose(found, out)
	default:
		c.exit(w.verdict, out, "%s", w.reason)
	}
}

// checked decodes a manifest that must be the one HEAD names.
func checked(want Retained, ev protocol.Loaded) (*Manifest, error) {
	if ev.Outcome != protocol.OK {
		return nil, fmt.Errorf("manifest %s: %s", want.Key, ev.Outcome)
	}
	if got := protocol.Sum(sha256.Sum256(ev.Body)); got != want.Sum {
		if _, err := DecodeManifest(ev.Body); err != nil {
			return nil, fmt.Errorf("%s: %w", want.Key, err)
		}
		return nil, fmt.Errorf("manifest %s: its hash is %s, HEAD says %s", want.Key, got, want.Sum)
	}
	m, err := DecodeManifest(ev.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", want.Key, err)
	}
	return m, nil
}

func (c *Coordinator) newest() *Manifest {
	if len(c.manifests) == 0 {
		return nil
	}
	return c.manifests[len(c.manifests)-1]
}

func (c *Coordinator) facts() Facts {
	return Facts{Job: c.opt.Job, Stages: c.opt.Stages, KeyGroups: c.opt.KeyGroups, Head: c.head.head, Newest: c.newest()}
}

// recover settles what earlier lives left behind, always over the newest decided manifest and HEAD.
func (c *Coordinator) recover(now protocol.Time, out *protocol.Effects) {
	d := Resolve(c.facts())
	if d.Plan == StopForeign {
		c.exit(protocol.Refused, out, "%s; nothing was changed but HEAD's attempt", d.Reason)
		return
	}
	c.phase = recovering
	c.onRecovery(now, out, func(r *txn.Recovery) { r.Begin(now, d.Commit, c.fences(), out) })
}

// fences lists every transactional id of every pool of ended attempts.
func (c *Coordinator) fences() []protocol.TransactionalID {
	var ids []protocol.TransactionalID
	h := c.head.head
	for _, p := range h.Pools {
		if p.Epoch == h.Epoch && p.Attempt == h.Attempt {
			continue
		}
		for i := range p.Parallelism * p.Size {
			n := txn.SlotName{Job: h.Job, Sink: p.Sink, Index: i / p.Size, Epoch: p.Epoch, Attempt: p.Attempt, Slot: i % p.Size}
			ids = append(ids, n.ID())
		}
	}
	return ids
}

// onRecovery lets the recovery take an event and goes on when it is done.
func (c *Coordinator) onRecovery(now protocol.Time, out *protocol.Effects, step func(*txn.Recovery)) {
	if c.phase != recovering {
		return
	}
	r := c.recovery
	step(r)
	if id := r.Denied(); id != "" {
		c.exit(protocol.Refused, out, "transactional id %q: the broker denies access; grant this job Write on the prefix %q. Nothing is known of its transaction, nothing was started", id, txn.Prefix(c.opt.Job))
		return
	}
	if r.Done() {
		c.onRecovered(now, out)
	}
}

func (c *Coordinator) onRecovered(now protocol.Time, out *protocol.Effects) {
	f := c.facts()
	f.Judged = c.recovery.Judged()
	for _, j := range f.Judged {
		kind := protocol.NoteJudged
		if j.Verdict != txn.Present {
			kind = protocol.NoteLost
		}
		out.Append(protocol.Note{Kind: kind, Checkpoint: j.Committable.Checkpoint})
	}
	if d := Resolve(f); d.Plan == StopLost {
		c.doubt(now, protocol.LostWork, d.Reason, out)
		return
	}
	if m := c.newest(); m != nil {
		c.sealed = m.Checkpoint
		c.erasable = m.Committables()
	}
	c.settledPast = true
	if c.last.Kind != 0 {
		c.becomeClosing(now, out)
		return
	}
	c.list(now, out)
	c.gather(now, out)
}
