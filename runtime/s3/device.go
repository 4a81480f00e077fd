package s3

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"weir/protocol"
)

// Device performs Store, Load and Delete on a bucket. Its methods may be called from any goroutine.
type Device struct {
	opt    Options // with every default filled in
	client *s3.Client
	log    *slog.Logger
	slots  chan struct{} // holds one token per running effect

	ctx    context.Context // ends at Close
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup
}

var _ protocol.Device = (*Device)(nil)

// New makes a device; it does not ask the bucket anything (Probe does). ctx is for the search for credentials only.
func New(ctx context.Context, o Options) (*Device, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("s3: open bucket %q: %w", o.Bucket, err)
	}
	o.Prefix = strings.Trim(o.Prefix, "/")
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = DefaultTimeout
	}
	if o.Transport == nil {
		o.Transport = NewTransport(o.TLS)
	}
	client, err := o.client(ctx)
	if err != nil {
		return nil, fmt.Errorf("s3: open bucket %q: %w", o.Bucket, err)
	}
	d := &Device{opt: o, client: client, log: o.Logger, slots: make(chan struct{}, Workers)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// Perform begins a Store, Load or Delete and returns at once; done is called once, from another goroutine.
func (d *Device) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	if !d.enter() {
		go done(unknown(ef))
		return
	}
	go func() {
		defer d.busy.Done()
		d.slots <- struct{}{}
		ev := d.perform(ef)
		<-d.slots
		done(ev)
	}()
}

func (d *Device) perform(ef protocol.Effect) protocol.Event {
	switch ef := ef.(type) {
	case protocol.Store:
		return d.store(ef)
	case protocol.Load:
		return d.load(ef)
	case protocol.Delete:
		return d.delete(ef)
	}
	return unknown(ef)
}

// unknown answers an effect that was not even begun.
func unknown(ef protocol.Effect) protocol.Event {
	switch ef := ef.(type) {
	case protocol.Store:
		return protocol.Stored{Op: ef.Op, Outcome: protocol.Unknown}
	case protocol.Load:
		return protocol.Loaded{Op: ef.Op, Outcome: protocol.Unknown}
	case protocol.Delete:
		return protocol.Deleted{Op: ef.Op, Outcome: protocol.Unknown}
	}
	panic(fmt.Sprintf("s3: %T is not an effect on a bucket", ef))
}

func (d *Device) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.busy.Add(1)
	}
	return !d.closed
}

// Close ends the requests that are under way, with Unknown, and waits for them. What is asked later is answered Unknown.
func (d *Device) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.busy.Wait()
	if t, ok := d.opt.Transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
	return nil
}

func (d *Device) store(ef protocol.Store) protocol.Stored {
	body := ef.Object.Encode(nil)
	sum := protocol.Sum(sha256.Sum256(body))
	etag, err := d.put(d.ctx, ef.Key, ef.IfMatch, body, sum)
	return protocol.Stored{Op: ef.Op, Outcome: d.judge("store", ef.Key, putOutcome(err), err), Version: etag, Size: int64(len(body)), Sum: sum}
}

func (d *Device) delete(ef protocol.Delete) protocol.Deleted {
	err := d.remove(d.ctx, ef.Key)
	out := outcomeOf(err)
	if out == protocol.NotFound {
		out = protocol.OK
	}
	return protocol.Deleted{Op: ef.Op, Outcome: d.judge("delete", ef.Key, out, err)}
}

// pauses are between the tries of a read.
var pauses = [...]time.Duration{20 * time.Millisecond, 200 * time.Millisecond}

// load tries again what may be otherwise next time, a sum that does not fit included: a server may pair the body of
// one version with the sums of another while the object is being replaced.
func (d *Device) load(ef protocol.Load) protocol.Loaded {
	last := time.Now().Add(d.opt.RequestTimeout)
	for i := 0; ; i++ {
		body, etag, err := d.get(d.ctx, ef.Key)
		out := outcomeOf(err)
		if again := out == protocol.Unknown || out == protocol.Corrupt; !again || i == len(pauses) || time.Now().After(last) || !sleep(d.ctx, pauses[i]) {
			return protocol.Loaded{Op: ef.Op, Outcome: d.judge("load", ef.Key, out, err), Version: etag, Body: body}
		}
		d.log.Debug("s3: load tried again", "key", string(ef.Key), "outcome", out.String(), "cause", err)
	}
}

// sleep reports whether ctx lived through it.
func sleep(ctx context.Context, t time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(t):
		return true
	}
}

// judge logs what is not OK and hands the outcome on.
func (d *Device) judge(op string, key protocol.ObjectKey, out protocol.Outcome, err error) protocol.Outcome {
	if out == protocol.OK {
		return out
	}
	level := slog.LevelWarn
	if out == protocol.Conflict || out == protocol.NotFound || d.ctx.Err() != nil {
		level = slog.LevelDebug
	}
	d.log.Log(context.Background(), level, "s3: "+op+" failed", "key", string(key), "bucket", d.opt.Bucket,
		"outcome", out.String(), "cause", err, "hint", hint(err))
	return out
}
