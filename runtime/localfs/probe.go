package localfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"weir/protocol"
)

type probeBody string

func (b probeBody) Encode(dst []byte) []byte { return append(dst, b...) }

// Probe finds out, in a few milliseconds, whether the folder keeps its promises: creating twice, replacing a stale and
// a present version, reading back, removing. It leaves nothing behind.
func (d *Device) Probe(ctx context.Context) error {
	if !d.work.enter() {
		return errors.New("localfs: probe: the device is closed")
	}
	defer d.work.busy.Done()
	key := protocol.ObjectKey("probe-" + rand.Text())
	defer d.remove(key)
	put := func(body string, match protocol.Version) protocol.Stored {
		return d.store(protocol.Store{Key: key, Object: probeBody(body), IfMatch: match})
	}
	first := put("one", "")
	second := put("two", first.Version)
	for _, c := range []struct {
		what      string
		got, want protocol.Outcome
	}{
		{"creating an object", first.Outcome, protocol.OK},
		{"replacing it", second.Outcome, protocol.OK},
		{"creating it again", put("three", "").Outcome, protocol.Conflict},
		{"replacing a version that is no more", put("four", first.Version).Outcome, protocol.Conflict},
		{"reading it", d.readBack(key, second.Version, "two"), protocol.OK},
		{"removing it", d.delete(protocol.Delete{Key: key}).Outcome, protocol.OK},
		{"reading what is gone", d.load(protocol.Load{Key: key}).Outcome, protocol.NotFound},
	} {
		if c.got != c.want {
			return fmt.Errorf("localfs: probe of %q: %s: %s, expected %s; the folder cannot be used (the log has the cause)", d.dir, c.what, c.got, c.want)
		}
	}
	return ctx.Err()
}

func (d *Device) readBack(key protocol.ObjectKey, v protocol.Version, body string) protocol.Outcome {
	ld := d.load(protocol.Load{Key: key})
	if ld.Outcome == protocol.OK && (ld.Version != v || !bytes.Equal(ld.Body, []byte(body))) {
		return protocol.Corrupt
	}
	return ld.Outcome
}
