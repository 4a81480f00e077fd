package host

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/protocol"
	"weir/protocol/checkpoint"
	"weir/protocol/job"
	"weir/protocol/protocoltest"
)

// shelf is a bucket on which something happens behind the reader's back.
type shelf struct {
	*protocoltest.Bucket
	before func(protocol.ObjectKey) // of a Load
	deaf   bool
}

func (s *shelf) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	if s.deaf {
		return
	}
	if s.before != nil {
		s.before(ef.(protocol.Load).Key)
	}
	done(s.Bucket.Perform(ef, true))
}

func (s *shelf) decide(t *testing.T, plan *job.Plan, id protocol.CheckpointID) {
	t.Helper()
	m := &checkpoint.Manifest{Job: plan.Graph.Name, Checkpoint: id, Epoch: 1, Attempt: 1, KeyGroups: plan.Config.KeyGroups, Stages: shapes(plan)}
	body := m.Encode(nil)
	s.Put(m.Key(), body)
	h := &checkpoint.Head{Job: m.Job, Epoch: 1, Attempt: 1, Next: id + 1, Retained: []checkpoint.Retained{{Checkpoint: id, Key: m.Key(), Sum: sha256.Sum256(body)}}}
	s.Put(checkpoint.HeadKey, h.Encode(nil))
}

func planOf(t *testing.T) *job.Plan {
	t.Helper()
	g, err := weir.Graph(counts)
	if err != nil {
		t.Fatal(err)
	}
	p, err := job.NewPlan(g, protocol.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A process that is about to be deposed decides and releases while the next one looks: that is no reason to refuse.
func TestInspectWhileAnotherDecides(t *testing.T) {
	plan, s := planOf(t), &shelf{Bucket: protocoltest.NewBucket()}
	s.decide(t, plan, 5)
	moved := false
	s.before = func(key protocol.ObjectKey) {
		if strings.HasPrefix(string(key), "manifest/5") {
			moved = true
			s.Remove(key)
			s.decide(t, plan, 6)
		}
	}
	if err := inspect(t.Context(), s, plan); err != nil || !moved {
		t.Errorf("moved: %t; %v", moved, err)
	}
}

func TestInspect(t *testing.T) {
	plan := planOf(t)
	for _, c := range []struct {
		name, want string // empty: nothing is wrong
		spoil      func(*shelf)
	}{
		{"nothing there", "", func(s *shelf) { s.Remove(checkpoint.HeadKey) }},
		{"all is well", "", func(*shelf) {}},
		{"manifest gone", "checkpoint 5: manifest/5-1-1 is not in the bucket", func(s *shelf) { s.Remove("manifest/5-1-1") }},
		{"another manifest", "it is another object", func(s *shelf) {
			m := &checkpoint.Manifest{Job: plan.Graph.Name, Checkpoint: 5, Epoch: 1, Attempt: 1}
			s.Put(m.Key(), m.Encode(nil))
		}},
		{"another job", `HEAD belongs to job "other"`, func(s *shelf) { s.Put(checkpoint.HeadKey, (&checkpoint.Head{Job: "other"}).Encode(nil)) }},
		{"no HEAD of ours", "HEAD: not a HEAD of weir", func(s *shelf) { s.Put(checkpoint.HeadKey, []byte("hello")) }},
	} {
		s := &shelf{Bucket: protocoltest.NewBucket()}
		s.decide(t, plan, 5)
		c.spoil(s)
		err := inspect(t.Context(), s, plan)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "othing was written")):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// A bucket that does not answer is named as the reason.
func TestInspectIsNotAnswered(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := inspect(ctx, &shelf{deaf: true}, planOf(t)); err == nil || !strings.Contains(err.Error(), "read HEAD: the bucket does not answer") {
		t.Error(err)
	}
}

// What operator and supervisor are told of every end.
func TestWords(t *testing.T) {
	for kind, want := range map[protocol.VerdictKind]struct {
		code int
		text string
	}{
		protocol.Finished:  {0, "x"},
		protocol.Stopped:   {0, "x"},
		protocol.Deposed:   {1, "deposed: x. That process goes on"},
		protocol.LostWork:  {1, "lost: x"},
		protocol.Exhausted: {1, "exhausted: x. Nothing of the failed attempts is committed"},
		protocol.Refused:   {2, "refused: x"},
	} {
		if got := words(protocol.Verdict{Kind: kind, Text: "x"}); ExitCode(kind) != want.code || !strings.HasPrefix(got, want.text) {
			t.Errorf("%s: %d, %q; want %d, %q", kind, ExitCode(kind), got, want.code, want.text)
		}
	}
}
