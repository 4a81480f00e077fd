package conformance

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	"weir/protocol"
	"weir/protocol/checkpoint"
)

// gate stands between a job and its S3 server. It can hold the job at a decision: the HEAD that decides a checkpoint has
// reached the server, or will never, and the job is not told.
type gate struct {
	t    testing.TB
	to   *S3
	addr string

	mu      sync.Mutex
	decided protocol.CheckpointID // newest that the server has
	count   int                   // of decisions
	sealed  protocol.CheckpointID // newest that HEAD says so
	seals   int                   // how often that has grown
	hold    hold
	held    chan protocol.CheckpointID
}

type hold int

const (
	passAll        hold = iota
	afterDecision       // the server has it, the answer is held back
	beforeDecision      // the request is held back
)

func startGate(t testing.TB, to *S3) *gate {
	g := &gate{t: t, to: to, held: make(chan protocol.CheckpointID, 1)}
	s := httptest.NewServer(g)
	t.Cleanup(s.CloseClientConnections)
	g.addr = s.URL
	return g
}

// arm makes the gate hold the next decision; its checkpoint comes down the channel. What was held stays unanswered.
func (g *gate) arm(h hold) <-chan protocol.CheckpointID {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = h
	return g.held
}

// newest is the newest checkpoint that was decided.
func (g *gate) newest() protocol.CheckpointID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.decided
}

// ServeHTTP passes a request on, signature and all: the server is asked under the gate's name, which is what was signed.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	n := g.decides(r, body)
	if n > 0 && g.take(beforeDecision, n) {
		<-r.Context().Done()
		return
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", strings.TrimPrefix(g.to.Endpoint, "http://")
	out.RequestURI, out.Body = "", io.NopCloser(bytes.NewReader(body))
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	if n > 0 && resp.StatusCode == http.StatusOK {
		g.mu.Lock()
		g.decided = n
		g.count++
		g.mu.Unlock()
		if g.take(afterDecision, n) {
			<-r.Context().Done()
			return
		}
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

// decides returns the checkpoint that a request would decide, or zero.
func (g *gate) decides(r *http.Request, body []byte) protocol.CheckpointID {
	if r.Method != http.MethodPut || path.Base(r.URL.Path) != string(checkpoint.HeadKey) {
		return 0
	}
	head, err := checkpoint.DecodeHead(body)
	if err != nil {
		g.t.Errorf("HEAD cannot be read: %v", err)
		return 0
	}
	newest, _ := head.Newest()
	g.mu.Lock()
	defer g.mu.Unlock()
	if head.Sealed > g.sealed {
		g.sealed = head.Sealed
		g.seals++
	}
	if newest.Checkpoint <= g.decided {
		return 0
	}
	return newest.Checkpoint
}

// take reports whether n is the decision to hold, here.
func (g *gate) take(where hold, n protocol.CheckpointID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hold != where {
		return false
	}
	g.hold = passAll
	g.held <- n
	return true
}
