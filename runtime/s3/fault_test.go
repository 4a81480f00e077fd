package s3

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/protocol"
)

// world is a device, the bucket behind it, and what stands between.
func world(t *testing.T) (*harness, *rtbucket, *faults) {
	b := newRTBucket()
	f := &faults{next: b}
	return suite(t, open(t, options(f))), b, f
}

// TestReplyLost is the case the nonce in HEAD is for: our write is in, and we hear of it only by reading.
func TestReplyLost(t *testing.T) {
	for name, lose := range map[string]func(*http.Request, *http.Response) (*http.Response, error){
		"reset": func(*http.Request, *http.Response) (*http.Response, error) { return nil, errReset },
		"500": func(r *http.Request, _ *http.Response) (*http.Response, error) {
			return refuse(r, 500, "InternalError"), nil
		},
		"503": func(r *http.Request, _ *http.Response) (*http.Response, error) {
			return refuse(r, 503, "SlowDown"), nil
		},
		"409": func(r *http.Request, _ *http.Response) (*http.Response, error) {
			return refuse(r, 409, "ConditionalRequestConflict"), nil
		},
		"no ETag": func(r *http.Request, _ *http.Response) (*http.Response, error) { return answer(r, 200, nil, nil), nil },
		"404": func(r *http.Request, _ *http.Response) (*http.Response, error) {
			return refuse(r, 404, "NoSuchKey"), nil
		},
		"page": func(r *http.Request, _ *http.Response) (*http.Response, error) {
			return answer(r, 502, nil, []byte("<html>bad gateway")), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, b, f := world(t)
			old := wantStore(h, "old", "", protocol.OK)
			f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("the write was not applied: %v %v", resp, err)
				}
				return lose(r, resp)
			})
			puts := b.puts.Load()
			wantStore(h, "mine, nonce 77", old, protocol.Unknown)
			if n := b.puts.Load() - puts; n != 1 {
				t.Errorf("the PUT was sent %d times", n)
			}
			f.set(nil)
			v := wantLoad(h, protocol.OK, "mine, nonce 77")
			wantStore(h, "mine, nonce 77", old, protocol.Conflict)
			wantStore(h, "next", v, protocol.OK)
		})
	}
}

// TestLateWrite has a PUT land after its sender gave up: an abandoned intent loses to a successor of the same
// predecessor, and an intent that nobody replaced can land at any time.
func TestLateWrite(t *testing.T) {
	h, _, f := world(t)
	old := wantStore(h, "old", "", protocol.OK)
	var land []func() *http.Response
	f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		land = append(land, func() *http.Response {
			late := r.Clone(t.Context())
			late.Body = io.NopCloser(bytes.NewReader(body))
			resp, _ := next.RoundTrip(late)
			return resp
		})
		return nil, errors.New("context deadline exceeded")
	})
	wantStore(h, "first", old, protocol.Unknown)
	wantStore(h, "second", old, protocol.Unknown)
	f.set(nil)
	wantLoad(h, protocol.OK, "old")
	if resp := land[1](); resp.StatusCode != 200 {
		t.Fatalf("late write: %d", resp.StatusCode)
	}
	wantLoad(h, protocol.OK, "second")
	if resp := land[0](); resp.StatusCode != 412 {
		t.Fatalf("a stale write was taken: %d", resp.StatusCode)
	}
	wantLoad(h, protocol.OK, "second")
}

func TestPutOutcomes(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   protocol.Outcome
		hint   string
	}{
		{412, "PreconditionFailed", protocol.Conflict, ""},
		{409, "ConditionalRequestConflict", protocol.Unknown, ""},
		{404, "NoSuchKey", protocol.Unknown, ""},
		{404, "NoSuchBucket", protocol.Denied, "does not exist"},
		{403, "AccessDenied", protocol.Denied, "s3:PutObject"},
		{403, "SignatureDoesNotMatch", protocol.Denied, "secret key"},
		{403, "InvalidAccessKeyId", protocol.Denied, "access key"},
		{403, "RequestTimeTooSkewed", protocol.Unknown, "clock"},
		{400, "ExpiredToken", protocol.Unknown, "expired"},
		{400, "BadDigest", protocol.Unknown, ""},
		{400, "RequestTimeout", protocol.Unknown, ""},
		{401, "Unauthorized", protocol.Denied, "access key"},
		{301, "PermanentRedirect", protocol.Denied, "region"},
		{307, "TemporaryRedirect", protocol.Unknown, ""},
		{429, "TooManyRequests", protocol.Unknown, ""},
		{500, "InternalError", protocol.Unknown, ""},
		{501, "NotImplemented", protocol.Denied, "conditional"},
		{503, "SlowDown", protocol.Unknown, ""},
	} {
		t.Run(c.code, func(t *testing.T) {
			log := &logBuffer{}
			f := &faults{next: newRTBucket()}
			o := options(f)
			o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			h := suite(t, open(t, o))
			n := 0
			f.set(func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
				n++
				return refuse(r, c.status, c.code), nil
			})
			wantStore(h, "x", `"v"`, c.want)
			if n != 1 {
				t.Errorf("sent %d times", n)
			}
			for _, part := range []string{"store", "HEAD", c.want.String(), c.code, c.hint} {
				if !strings.Contains(log.String(), part) {
					t.Errorf("the log does not say %q: %s", part, log)
				}
			}
			if strings.Contains(log.String(), "hush") || strings.Contains(log.String(), "very-quiet") {
				t.Errorf("a secret is in the log: %s", log)
			}
		})
	}
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// cut ends a body early, as a reset does.
type cut struct {
	io.Reader
	err error
}

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		err = c.err
	}
	return n, err
}
func (cut) Close() error { return nil }

func cutBody(resp *http.Response, n int64, err error) *http.Response {
	resp.Body = cut{io.LimitReader(resp.Body, n), err}
	return resp
}

// readFault spoils the answer to a GET; tries is how often the device then asks.
type readFault struct {
	name  string
	fault func(*http.Response, *http.Request) (*http.Response, error)
	want  protocol.Outcome
	tries int32
}

func readFaults() []readFault {
	flip := func(resp *http.Response, _ *http.Request) (*http.Response, error) {
		b, _ := io.ReadAll(resp.Body)
		b[0] ^= 1
		resp.Body = io.NopCloser(bytes.NewReader(b))
		return resp, nil
	}
	return []readFault{
		{"body cut off by a reset", func(resp *http.Response, _ *http.Request) (*http.Response, error) {
			return cutBody(resp, 3, errReset), nil
		}, protocol.Unknown, 3},
		{"body cut off in silence", func(resp *http.Response, _ *http.Request) (*http.Response, error) {
			return cutBody(resp, 3, io.EOF), nil
		}, protocol.Unknown, 3},
		{"reset before the answer", func(*http.Response, *http.Request) (*http.Response, error) { return nil, errReset }, protocol.Unknown, 3},
		{"500", func(_ *http.Response, r *http.Request) (*http.Response, error) {
			return refuse(r, 500, "InternalError"), nil
		}, protocol.Unknown, 3},
		{"a bit flipped, found by the CRC", flip, protocol.Corrupt, 3},
		{"a bit flipped, found by the SHA-256", func(resp *http.Response, r *http.Request) (*http.Response, error) {
			resp.Header.Del("X-Amz-Checksum-Crc32c")
			return flip(resp, r)
		}, protocol.Corrupt, 3},
		{"half an object with its own CRC", func(resp *http.Response, r *http.Request) (*http.Response, error) {
			h := resp.Header.Clone()
			h.Del("X-Amz-Checksum-Crc32c")
			return answer(r, 200, h, []byte("the")), nil
		}, protocol.Corrupt, 3},
		{"no ETag", func(resp *http.Response, _ *http.Request) (*http.Response, error) {
			resp.Header.Del("Etag")
			return resp, nil
		}, protocol.Unknown, 3},
		{"404 of a key", func(_ *http.Response, r *http.Request) (*http.Response, error) {
			return refuse(r, 404, "NoSuchKey"), nil
		}, protocol.NotFound, 1},
		{"404 of a bucket", func(_ *http.Response, r *http.Request) (*http.Response, error) {
			return refuse(r, 404, "NoSuchBucket"), nil
		}, protocol.Denied, 1},
		{"404 of a proxy", func(_ *http.Response, r *http.Request) (*http.Response, error) {
			return answer(r, 404, nil, []byte("404 page not found")), nil
		}, protocol.Unknown, 3},
		{"403", func(_ *http.Response, r *http.Request) (*http.Response, error) {
			return refuse(r, 403, "AccessDenied"), nil
		}, protocol.Denied, 1},
	}
}

// TestReads counts the tries: a read is repeated where the next may be better, and only there.
func TestReads(t *testing.T) {
	for _, c := range readFaults() {
		t.Run(c.name, func(t *testing.T) {
			h, b, f := world(t)
			v := wantStore(h, "the body", "", protocol.OK)
			fault := func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				resp, _ := next.RoundTrip(r)
				return c.fault(resp, r)
			}
			f.set(fault)
			wantLoad(h, c.want, "")
			if n := b.gets.Load(); n != c.tries {
				t.Errorf("%d tries, want %d", n, c.tries)
			}
			if c.tries == 1 {
				return
			}
			once := sync.Once{}
			f.set(func(r *http.Request, next http.RoundTripper) (resp *http.Response, err error) {
				once.Do(func() { resp, err = fault(r, next) })
				if resp == nil && err == nil {
					return next.RoundTrip(r)
				}
				return resp, err
			})
			if got := wantLoad(h, protocol.OK, "the body"); got != v {
				t.Errorf("version %q, want %q", got, v)
			}
		})
	}
}

func TestDeletes(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   protocol.Outcome
	}{{204, "", protocol.OK}, {404, "NoSuchKey", protocol.OK}, {404, "NoSuchBucket", protocol.Denied}, {403, "AccessDenied", protocol.Denied}, {500, "InternalError", protocol.Unknown}, {0, "", protocol.Unknown}} {
		h, _, f := world(t)
		n := 0
		f.set(func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			n++
			switch c.status {
			case 0:
				return nil, errReset
			case 204:
				return answer(r, 204, nil, nil), nil
			}
			return refuse(r, c.status, c.code), nil
		})
		wantDelete(h, c.want)
		if n != 1 {
			t.Errorf("%d %s: sent %d times", c.status, c.code, n)
		}
	}
}

// silent never answers, until the request is given up.
func silent(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestTimeouts(t *testing.T) {
	f := &faults{next: newRTBucket(), fault: silent}
	o := options(f)
	o.RequestTimeout = 20 * time.Millisecond
	h := suite(t, open(t, o))
	wantStore(h, "x", "", protocol.Unknown)
	wantLoad(h, protocol.Unknown, "")
	wantDelete(h, protocol.Unknown)
}

func TestPerformNeverBlocksAndCloseEndsAll(t *testing.T) {
	h, _, f := world(t)
	f.set(silent)
	var waits []func() protocol.Event
	begin := time.Now()
	for range 3 * Workers {
		waits = append(waits, h.Start(protocol.Address{}, protocol.Store{Key: "HEAD", Object: text("x")}))
	}
	if took := time.Since(begin); took > 200*time.Millisecond {
		t.Errorf("Perform blocked: %v", took)
	}
	h.d.Close()
	waits = append(waits, h.Start(protocol.Address{}, protocol.Store{Key: "HEAD", Object: text("x")}))
	for _, wait := range waits {
		if ev, ok := wait().(protocol.Stored); !ok || ev.Outcome != protocol.Unknown {
			t.Fatalf("after Close: %+v", ev)
		}
	}
}

func TestKeysThatAPathWouldChange(t *testing.T) {
	h, b, _ := world(t)
	for _, key := range []protocol.ObjectKey{"", "/a", "a/", "a//b", ".", "..", "a/../b", protocol.ObjectKey(strings.Repeat("k", 1100))} {
		if st := ask[protocol.Stored](h, protocol.Store{Key: key, Object: text("x")}); st.Outcome != protocol.Denied {
			t.Errorf("store %q: %s", key, st.Outcome)
		}
	}
	if b.puts.Load() != 0 {
		t.Error("a refused key was sent")
	}
	odd := protocol.ObjectKey("a b+c%2F/ü?x=1&y#z")
	if st := ask[protocol.Stored](h, protocol.Store{Key: odd, Object: text("x")}); st.Outcome != protocol.OK {
		t.Errorf("store %q: %s", odd, st.Outcome)
	}
	if _, ok := b.objects["/bucket/job/"+string(odd)]; !ok {
		t.Errorf("%q is not under its name: %v", odd, b.objects)
	}
}
