package doctor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"weir/protocol"
	"weir/protocol/checkpoint"
	"weir/runtime/access"
	"weir/runtime/localfs"
	"weir/runtime/s3"
)

// state is what a job's bucket says of it.
type state struct {
	head     *checkpoint.Head
	manifest *checkpoint.Manifest // the newest decided one; nil: there is none
}

// decided lists what was decided and is not known to be sealed.
func (s *state) decided() (list []protocol.Committable) {
	if s == nil || s.manifest == nil {
		return nil
	}
	for _, c := range s.manifest.Committables() {
		if c.Checkpoint > s.head.Sealed {
			list = append(list, c)
		}
	}
	return list
}

// store is a bucket's device.
type store interface {
	protocol.Device
	Probe(ctx context.Context) error
	Close() error
}

var errNoFolder = errors.New("there is no such folder yet")

// open opens the bucket; a folder is not made.
func open(ctx context.Context, o access.Options, log *slog.Logger) (store, error) {
	if o.S3.Bucket != "" {
		o.S3.Logger = log
		d, err := s3.New(ctx, o.S3)
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	if _, err := os.Stat(o.Bucket); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", o.Bucket, errNoFolder)
	}
	d, err := localfs.OpenWith(o.Bucket, localfs.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// load reads one object, once.
func load(ctx context.Context, d protocol.Device, key protocol.ObjectKey) (protocol.Loaded, error) {
	got := make(chan protocol.Event, 1)
	d.Perform(protocol.Address{}, protocol.Load{Op: 1, Key: key}, func(ev protocol.Event) { got <- ev })
	select {
	case ev := <-got:
		return ev.(protocol.Loaded), nil
	case <-ctx.Done():
		return protocol.Loaded{}, fmt.Errorf("read %s: the bucket does not answer: %w", key, ctx.Err())
	}
}

var (
	errNoJob   = errors.New("no job has used the bucket yet: it has no HEAD")
	errDamaged = errors.New("damaged")
	errGone    = errors.New("is not in the bucket: somebody removed it")
)

// read reads HEAD and the newest manifest that it names.
func read(ctx context.Context, d protocol.Device) (*state, error) {
	ld, err := load(ctx, d, checkpoint.HeadKey)
	switch {
	case err != nil:
		return nil, err
	case ld.Outcome == protocol.NotFound:
		return nil, errNoJob
	case ld.Outcome != protocol.OK:
		return nil, unread("HEAD", ld.Outcome)
	}
	s := &state{}
	if s.head, err = checkpoint.DecodeHead(ld.Body); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	newest, ok := s.head.Newest()
	if !ok {
		return s, nil
	}
	s.manifest, err = readManifest(ctx, d, newest)
	return s, err
}

func readManifest(ctx context.Context, d protocol.Device, want checkpoint.Retained) (*checkpoint.Manifest, error) {
	ld, err := load(ctx, d, want.Key)
	switch {
	case err != nil:
		return nil, err
	case ld.Outcome == protocol.NotFound:
		return nil, fmt.Errorf("checkpoint %d: %s %w", want.Checkpoint, want.Key, errGone)
	case ld.Outcome != protocol.OK:
		return nil, unread(string(want.Key), ld.Outcome)
	case protocol.Sum(sha256.Sum256(ld.Body)) != want.Sum:
		return nil, fmt.Errorf("%w: %s is another object than HEAD names", errDamaged, want.Key)
	}
	m, err := checkpoint.DecodeManifest(ld.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return m, nil
}

func unread(key string, out protocol.Outcome) error {
	if out == protocol.Corrupt {
		return fmt.Errorf("%w: %s: what was read is not what was written", errDamaged, key)
	}
	return fmt.Errorf("%s cannot be read: %s", key, out)
}
