package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"weir/protocol"
	"weir/runtime/s3"
)

// bucket asks the bucket, and returns what it says of its job; nil: nothing.
func (e *exam) bucket(ctx context.Context, r *Report) *state {
	o, at := e.Options.Options, e.Bucket
	var watch *clock
	if o.S3.Bucket != "" {
		watch = &clock{next: s3.NewTransport(o.S3.TLS)}
		o.S3.Transport, o.S3.RequestTimeout = watch, questionTimeout
	}
	d, err := open(ctx, o, e.Logger)
	switch {
	case errors.Is(err, errNoFolder):
		r.ok("bucket", at, "%v; a job makes it at its first start", errNoFolder)
		return nil
	case err != nil:
		r.add(Unasked, "bucket", at, err.Error(), "correct the flags, or what they name")
		return nil
	}
	defer d.Close()
	probed := d.Probe(ctx)
	if watch != nil {
		watch.judge(r, at)
	}
	switch {
	case errors.Is(probed, s3.ErrUnfit):
		r.add(Breaks, "conditional writes", at, probed.Error(), "use a bucket on a server that keeps S3's promises")
	case probed != nil:
		r.add(Unasked, "conditional writes", at, probed.Error(), "a job needs to create, replace under a condition, read and remove objects there")
		return nil
	default:
		r.ok("conditional writes", at, "of writers at once one wins, stale and wrong writes are refused, what is read is what was written")
	}
	return e.checkpoints(ctx, d, at, r)
}

// checkpoints reads HEAD and the newest checkpoint.
func (e *exam) checkpoints(ctx context.Context, d protocol.Device, at string, r *Report) *state {
	s, err := read(ctx, d)
	switch {
	case errors.Is(err, errNoJob):
		r.ok("checkpoints", at, "%v", err)
		return nil
	case errors.Is(err, errDamaged), errors.Is(err, errGone):
		r.add(Breaks, "checkpoints", at, err.Error(), "restore the object from a copy; without it a job starts from the beginning only, and doubles its output")
		return nil
	case err != nil:
		r.add(Unasked, "checkpoints", at, err.Error(), "let this access key read the bucket")
		return nil
	}
	h := s.head
	if e.Job != "" && e.Job != h.Job {
		r.add(Refuses, "checkpoints", at, fmt.Sprintf("HEAD belongs to job %q, not to %q", h.Job, e.Job), "name this job's bucket or prefix: two jobs must not share one")
		return nil
	}
	newest, _ := h.Newest()
	r.ok("checkpoints", at, "job %q, epoch %d, attempt %d, newest decided checkpoint %d, sealed up to %d", h.Job, h.Epoch, h.Attempt, newest.Checkpoint, h.Sealed)
	return s
}

// clock looks at what passes for the server's time.
type clock struct {
	next http.RoundTripper

	mu   sync.Mutex
	trip time.Duration // the shortest so far; zero: none
	skew time.Duration // of the server against this machine, at that trip
}

// RoundTrip implements http.RoundTripper.
func (c *clock) RoundTrip(r *http.Request) (*http.Response, error) {
	begin := time.Now()
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	trip := time.Since(begin)
	date, bad := http.ParseTime(resp.Header.Get("Date"))
	c.mu.Lock()
	defer c.mu.Unlock()
	if bad == nil && (c.trip == 0 || trip < c.trip) {
		c.trip, c.skew = trip, date.Add(time.Second/2).Sub(begin.Add(trip/2)) // a Date has whole seconds
	}
	return resp, err
}

const (
	skewWarned  = 30 * time.Second
	skewRefused = 15 * time.Minute // by S3
)

func (c *clock) judge(r *Report, at string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	skew := c.skew.Round(time.Second)
	const do = "set both clocks by NTP"
	switch {
	case c.trip == 0: // nothing came back; the probe says so
	case skew.Abs() >= skewRefused:
		r.add(Refuses, "clock", at, fmt.Sprintf("the server's is %v off this machine's; S3 refuses requests that are more than %v off", skew, skewRefused), do)
	case skew.Abs() >= skewWarned:
		r.add(Warning, "clock", at, fmt.Sprintf("the server's is %v off this machine's; at %v S3 refuses every request", skew, skewRefused), do)
	default:
		r.ok("clock", at, "within %v of this machine's", max(skew.Abs(), time.Second))
	}
}
