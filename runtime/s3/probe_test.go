package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name string
		flaw func(*rtbucket)
		want string // empty: fit
	}{
		{"fit", func(*rtbucket) {}, ""},
		{"ignores If-None-Match", func(b *rtbucket) { b.ignoreIfNoneMatch = true }, "created twice"},
		{"ignores If-Match", func(b *rtbucket) { b.ignoreIfMatch = true }, "no more was replaced"},
		{"ignores both", func(b *rtbucket) { b.ignoreIfMatch, b.ignoreIfNoneMatch = true, true }, "created twice"},
		{"checks, then acts", func(b *rtbucket) { b.checkThenAct = true }, "of 16 writers were told that they had replaced"},
		{"accepts wrong sums", func(b *rtbucket) { b.acceptWrongSums = true }, "accepts a body whose CRC32C is wrong"},
		{"whole sum on a range", func(b *rtbucket) { b.wholeSumOnRange = true }, "bytes 3-6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newRTBucket()
			c.flaw(b)
			begin := time.Now()
			err := open(t, options(b)).Probe(context.Background())
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			if len(b.objects) != 0 {
				t.Errorf("%d objects are left behind", len(b.objects))
			}
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"bucket"`) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestProbeCannotAsk(t *testing.T) {
	for _, c := range []struct {
		fault func(*http.Request, http.RoundTripper) (*http.Response, error)
		want  string
	}{
		{func(r *http.Request, _ http.RoundTripper) (*http.Response, error) { return nil, errReset }, "reachable"},
		{func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return refuse(r, 403, "AccessDenied"), nil
		}, "s3:PutObject"},
		{func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return refuse(r, 404, "NoSuchBucket"), nil
		}, "does not exist"},
		{func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return refuse(r, 501, "NotImplemented"), nil
		}, "conditional"},
		{failNth(2), "neither success nor 412"},
		{failNth(30), "race"},
	} {
		f := &faults{next: newRTBucket(), fault: c.fault}
		err := open(t, options(f)).Probe(context.Background())
		if c.want == "race" { // one of 16 writers hears nothing: no reason to refuse the bucket
			if err != nil {
				t.Errorf("one reply of a race was lost: %v", err)
			}
			continue
		}
		if err == nil || errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := open(t, options(newRTBucket())).Probe(ctx); err == nil || errors.Is(err, ErrUnfit) {
		t.Errorf("a probe without time: %v", err)
	}
}

// failNth loses the n-th request.
func failNth(n int32) func(*http.Request, http.RoundTripper) (*http.Response, error) {
	var count = make(chan int32, 1)
	count <- 0
	return func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		i := <-count + 1
		count <- i
		if i == n {
			return nil, errReset
		}
		return next.RoundTrip(r)
	}
}

func TestProbeTellsOfWhatItLeaves(t *testing.T) {
	log := &logBuffer{}
	b := newRTBucket()
	o := options(&faults{next: b, fault: func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if r.Method == http.MethodDelete {
			return refuse(r, 403, "AccessDenied"), nil
		}
		return next.RoundTrip(r)
	}})
	o.Logger = log.logger()
	if err := open(t, o).Probe(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "left behind") || !strings.Contains(log.String(), "s3:DeleteObject") {
		t.Errorf("the log is silent: %s", log)
	}
}
