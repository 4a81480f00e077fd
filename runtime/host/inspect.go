package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"weir/protocol"
	"weir/protocol/checkpoint"
	"weir/protocol/job"
)

// looks is how often HEAD is read again because it has changed: a process that is being deposed still replaces it.
const looks = 5

// inspect reads what earlier lives of the job have left in the bucket, and refuses before anything is written or
// created what the coordinator would refuse too, but only after it has claimed an attempt. What cannot be told now is
// left to the coordinator, which looks again.
func inspect(ctx context.Context, store protocol.Device, plan *job.Plan) error {
	for range looks {
		seen, err := look(ctx, store, plan)
		if err == nil {
			return nil
		}
		if now, e := load(ctx, store, checkpoint.HeadKey); e != nil || now.Outcome != protocol.OK || now.Version == seen {
			return err
		}
	}
	return nil
}

// look judges HEAD, of which it returns the version, and the manifests that it names.
func look(ctx context.Context, store protocol.Device, plan *job.Plan) (protocol.Version, error) {
	f := checkpoint.Facts{Job: plan.Graph.Name, Stages: shapes(plan), KeyGroups: plan.Config.KeyGroups}
	ld, err := load(ctx, store, checkpoint.HeadKey)
	switch {
	case err != nil:
		return "", err
	case ld.Outcome != protocol.OK:
		return "", unreadable(string(checkpoint.HeadKey), ld.Outcome, "start from the beginning in an empty bucket, which produces all output again")
	}
	if f.Head, err = checkpoint.DecodeHead(ld.Body); err != nil {
		return ld.Version, fmt.Errorf("%w; nothing was written", err)
	}
	if err := foreign(f); err != nil {
		return ld.Version, err
	}
	for _, r := range f.Head.Retained {
		if f.Newest, err = manifest(ctx, store, r); err != nil {
			return ld.Version, err
		}
	}
	return ld.Version, foreign(f)
}

// shapes are the job's stages as a checkpoint knows them.
func shapes(plan *job.Plan) []checkpoint.StageShape {
	list := make([]checkpoint.StageShape, len(plan.Graph.Stages))
	for i, s := range plan.Graph.Stages {
		list[i] = checkpoint.StageShape{ID: s.ID, Sink: s.Kind == job.SinkStage}
	}
	for _, t := range plan.Tasks {
		list[t.Stage].Parallelism++
	}
	return list
}

// load reads one object, once.
func load(ctx context.Context, store protocol.Device, key protocol.ObjectKey) (protocol.Loaded, error) {
	got := make(chan protocol.Event, 1)
	store.Perform(protocol.Address{}, protocol.Load{Op: 1, Key: key}, func(ev protocol.Event) { got <- ev })
	select {
	case ev := <-got:
		return ev.(protocol.Loaded), nil
	case <-ctx.Done():
		return protocol.Loaded{}, fmt.Errorf("read %s: the bucket does not answer: %w; nothing was written", key, ctx.Err())
	}
}

// unreadable is the error for an object that did not come, or nil where the coordinator has to find out.
func unreadable(what string, out protocol.Outcome, orElse string) error {
	switch out {
	case protocol.Corrupt:
		return fmt.Errorf("%s is damaged: what was read is not what was written (the log says how). Restore it from a copy, or %s. Nothing was written", what, orElse)
	case protocol.Denied:
		return fmt.Errorf("%s cannot be read: access denied; allow this process to read and write the bucket. Nothing was written", what)
	}
	return nil
}

func foreign(f checkpoint.Facts) error {
	if d := checkpoint.Resolve(f); d.Plan == checkpoint.StopForeign {
		return errors.New(d.Reason + "; nothing was written")
	}
	return nil
}

// manifest reads a decided manifest, which must be the one HEAD names; nil if that is for the coordinator to find out.
func manifest(ctx context.Context, store protocol.Device, want checkpoint.Retained) (*checkpoint.Manifest, error) {
	what := fmt.Sprintf("checkpoint %d: %s", want.Checkpoint, want.Key)
	ld, err := load(ctx, store, want.Key)
	switch {
	case err != nil:
		return nil, err
	case ld.Outcome == protocol.NotFound:
		return nil, fmt.Errorf("%s is not in the bucket: somebody removed it. Restore it from a copy; nothing was written", what)
	case ld.Outcome != protocol.OK:
		return nil, unreadable(what, ld.Outcome, "restore HEAD and what it names as they were earlier, which produces again what came after")
	}
	m, err := checkpoint.DecodeManifest(ld.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; nothing was written", what, err)
	}
	if sum := protocol.Sum(sha256.Sum256(ld.Body)); sum != want.Sum {
		return nil, fmt.Errorf("%s: its SHA-256 is %s…, HEAD says %s…: it is another object. Restore it from a copy; nothing was written", what, sum, want.Sum)
	}
	return m, nil
}
