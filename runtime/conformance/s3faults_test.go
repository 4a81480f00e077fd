package conformance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/protocol"
	"weir/protocol/devicetest"
)

// through gives a transport whose connections are what wrap makes of them.
func through(t *testing.T, wrap func(net.Conn) net.Conn) *http.Transport {
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// cutConn ends, as its process would, when so many bytes were sent.
type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(b []byte) (int, error) {
	if len(b) <= c.left {
		c.left -= len(b)
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:c.left])
	c.left = 0
	c.Close()
	return n, net.ErrClosed
}

// TestCutRequest: a writer that dies in the middle of its body leaves what was there before, whole.
func TestCutRequest(t *testing.T) {
	b := sharedS3(t)
	t.Parallel()
	o := options(b.Endpoint)
	whole := openBucket(t, o)
	old := whole.store("old", "")
	big := strings.Repeat("half of this is no object. ", 1<<15)
	for _, c := range []struct {
		name  string
		match protocol.Version
		sent  int
	}{{"replace, no byte of it", old.Version, 2000}, {"replace, half of it", old.Version, len(big) / 2}, {"replace, all but the end", old.Version, len(big)}, {"nothing at all", old.Version, 0}} {
		cut := o
		cut.Transport = through(t, func(conn net.Conn) net.Conn { return &cutConn{conn, c.sent} })
		if st := openBucket(t, cut).store(big, c.match); st.Outcome != protocol.Unknown {
			t.Errorf("%s: %v", c.name, st.Outcome)
		}
		if ld := whole.load(); ld.Outcome != protocol.OK || string(ld.Body) != "old" || ld.Version != old.Version {
			t.Errorf("%s: then %v, %d bytes, version %q", c.name, ld.Outcome, len(ld.Body), ld.Version)
		}
	}
	if st := whole.store("next", old.Version); st.Outcome != protocol.OK {
		t.Errorf("replace after all that: %v", st.Outcome)
	}
}

// stallConn stops after so many bytes until it is let go.
type stallConn struct {
	net.Conn
	left    int
	stalled chan<- struct{}
	gate    <-chan struct{}
}

func (c *stallConn) Write(b []byte) (int, error) {
	if len(b) <= c.left {
		c.left -= len(b)
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:c.left])
	if err != nil {
		return n, err
	}
	close(c.stalled)
	<-c.gate
	c.left = 1 << 30
	m, err := c.Write(b[n:])
	return n + m, err
}

// TestStalledWriter: a half-sent replacement may hold up the next writer, for 30 s on one server. It does not keep it out
// for ever, and if it goes on at last, it does not replace what came in between.
func TestStalledWriter(t *testing.T) {
	b := sharedS3(t)
	t.Parallel()
	o := options(b.Endpoint)
	o.RequestTimeout = patience
	successor := openBucket(t, o)
	old := successor.store("old", "")
	stalled, gate := make(chan struct{}), make(chan struct{})
	slow := o
	slow.Transport = through(t, func(conn net.Conn) net.Conn { return &stallConn{conn, 1 << 20, stalled, gate} })
	zombie := openBucket(t, slow).Start(protocol.Address{}, protocol.Store{Key: "HEAD", Object: devicetest.Bytes(strings.Repeat("zombie ", 1<<20)), IfMatch: old.Version})
	<-stalled
	began := time.Now()
	eventually(t, "the successor writes", func() bool { return successor.store("next", old.Version).Outcome == protocol.OK })
	t.Logf("the successor of a stalled writer waited %v", time.Since(began).Round(10*time.Millisecond))
	close(gate)
	if st := zombie().(protocol.Stored); st.Outcome != protocol.Conflict && st.Outcome != protocol.Unknown {
		t.Errorf("the zombie's write: %v", st.Outcome)
	}
	if ld := successor.load(); string(ld.Body) != "next" {
		t.Errorf("HEAD is %.20q", ld.Body)
	}
}

// recorder remembers what was asked.
type recorder struct {
	next http.RoundTripper
	mu   sync.Mutex
	seen []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.seen = append(r.seen, fmt.Sprint(req.Method, " ", req.Header.Get("If-Match") != "" || req.Header.Get("If-None-Match") != "", " ", req.Header.Get("X-Amz-Copy-Source") != ""))
	r.mu.Unlock()
	return r.next.RoundTrip(req)
}

// TestOnlyPutIsConditional: a condition on DELETE or copy is ignored or racy on real servers, so none may be sent; and
// every PUT has one.
func TestOnlyPutIsConditional(t *testing.T) {
	b := sharedS3(t)
	o := options(b.Endpoint)
	r := &recorder{next: http.DefaultTransport}
	o.Transport = r
	h := openBucket(t, o)
	st := h.store("one", "")
	h.store("two", st.Version)
	h.load()
	h.Start(protocol.Address{}, protocol.Delete{Key: "HEAD"})()
	want := "PUT true false, PUT true false, GET false false, DELETE false false"
	if got := strings.Join(r.seen, ", "); got != want {
		t.Errorf("asked: %s\nwant   %s", got, want)
	}
}

// TestInjectedAnswers: 409, 500 and 503 come from no server on demand. Here they come after a real one has applied the
// write, and are Unknown; what is there afterwards tells.
func TestInjectedAnswers(t *testing.T) {
	b := sharedS3(t)
	t.Parallel()
	for _, status := range []int{409, 500, 503} {
		var on atomic.Bool
		o := options(b.Endpoint)
		o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err == nil && on.Load() && req.Method == http.MethodPut {
				resp.Body.Close()
				resp.StatusCode, resp.Body, resp.ContentLength = status, http.NoBody, 0
			}
			return resp, err
		})
		h := openBucket(t, o)
		old := h.store("old", "")
		on.Store(true)
		if st := h.store("mine", old.Version); st.Outcome != protocol.Unknown {
			t.Errorf("%d after the write: %v", status, st.Outcome)
		}
		if ld := h.load(); string(ld.Body) != "mine" {
			t.Errorf("%d: HEAD is %q", status, ld.Body)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
