package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"weir/protocol"
)

// served is a bucket behind a socket, and the connections to it.
type served struct {
	*rtbucket
	url   string
	wires wires
}

// serve hands what comes over the network to a bucket and notes each request.
func serve(t *testing.T) *served {
	s := &served{rtbucket: newRTBucket()}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := s.RoundTrip(r)
		if err != nil {
			return // the body was cut off
		}
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	s.url = srv.URL
	return s
}

// device is a device that reaches the bucket over wires.
func (s *served) device(t *testing.T, timeout time.Duration) *harness {
	tr := NewTransport(nil)
	tr.DialContext = s.wires.dial
	o := options(tr)
	o.Endpoint, o.RequestTimeout = s.url, timeout
	return suite(t, open(t, o))
}

// wires are connections that can lose answers and keep requests back.
type wires struct {
	mu   sync.Mutex
	lose bool // requests go out, the connection is gone before the answer
	hold bool // requests are kept until let
	held []heldRequest
}

type heldRequest struct {
	to   net.Conn
	data []byte
}

func (ws *wires) set(flag *bool, on bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	*flag = on
}

func (ws *wires) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c, ws: ws}, nil
}

// let sends what was kept back, on connections that were given up long ago, and returns how the server answered.
func (ws *wires) let() (answers []string) {
	ws.mu.Lock()
	held := ws.held
	ws.hold, ws.held = false, nil
	ws.mu.Unlock()
	for _, h := range held {
		h.to.SetDeadline(time.Now().Add(5 * time.Second))
		h.to.Write(h.data)
		answer := make([]byte, 12)
		io.ReadFull(h.to, answer)
		answers = append(answers, strings.TrimPrefix(string(answer), "HTTP/1.1 "))
		h.to.Close()
	}
	return answers
}

type wire struct {
	net.Conn
	ws         *wires
	lost, kept bool // guarded by ws.mu
}

func (w *wire) Write(b []byte) (int, error) {
	w.ws.mu.Lock()
	put := bytes.HasPrefix(b, []byte("PUT "))
	w.lost = w.lost || put && w.ws.lose
	keep := w.kept || put && w.ws.hold
	if keep {
		w.kept = true
		w.ws.held = append(w.ws.held, heldRequest{w.Conn, bytes.Clone(b)})
	}
	w.ws.mu.Unlock()
	if keep {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.ws.mu.Lock()
	defer w.ws.mu.Unlock()
	if w.lost {
		return 0, io.EOF
	}
	return n, err
}

// Close leaves a connection open that has a request which was kept back: what is on the wire outlives its sender.
func (w *wire) Close() error {
	w.ws.mu.Lock()
	defer w.ws.mu.Unlock()
	if w.kept {
		return w.SetReadDeadline(time.Now())
	}
	return w.Conn.Close()
}

// TestAnswerLostOnTheWire: a connection that was used before ends after the server has taken a PUT. HTTP clients repeat
// requests on such a connection, if they may; this one must not, and reads back what it wrote.
func TestAnswerLostOnTheWire(t *testing.T) {
	s := serve(t)
	h := s.device(t, 5*time.Second)
	v := wantStore(h, "old, nonce 1", "", protocol.OK)
	s.wires.set(&s.wires.lose, true)
	wantStore(h, "mine, nonce 2", v, protocol.Unknown)
	s.wires.set(&s.wires.lose, false)
	if n := s.puts.Load(); n != 2 {
		t.Errorf("%d PUTs arrived, want 2", n)
	}
	v = wantLoad(h, protocol.OK, "mine, nonce 2")
	wantStore(h, "next, nonce 3", v, protocol.OK)
}

// TestRequestLateOnTheWire: a PUT stays on the wire until its sender has given up and looked. Then it lands, or loses to
// the successor that was written on the same predecessor.
func TestRequestLateOnTheWire(t *testing.T) {
	for _, succeeded := range []bool{false, true} {
		s := serve(t)
		patient, hasty := s.device(t, 5*time.Second), s.device(t, 100*time.Millisecond)
		v := wantStore(patient, "old, nonce 1", "", protocol.OK)
		s.wires.set(&s.wires.hold, true)
		wantStore(hasty, "late, nonce 2", v, protocol.Unknown)
		hasty.d.Close()
		s.wires.set(&s.wires.hold, false)
		wantLoad(patient, protocol.OK, "old, nonce 1")
		want, there := "200", "late, nonce 2"
		if succeeded {
			wantStore(patient, "successor, nonce 3", v, protocol.OK)
			want, there = "412", "successor, nonce 3"
		}
		if got := s.wires.let(); len(got) != 1 || got[0] != want {
			t.Errorf("the late PUT was answered %v, want %s", got, want)
		}
		wantLoad(patient, protocol.OK, there)
	}
}

// TestEnvironmentSwitchesNothingOff: what AWS's usual variables say of checksums and retries does not hold here.
func TestEnvironmentSwitchesNothingOff(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required", "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
		"AWS_MAX_ATTEMPTS": "5", "AWS_RETRY_MODE": "adaptive", "AWS_ACCESS_KEY_ID": "weir", "AWS_SECRET_ACCESS_KEY": "hush-hush",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	b := newRTBucket() // takes no PUT without both sums
	f := &faults{next: b}
	o := options(f)
	o.AccessKey, o.SecretKey, o.SessionToken = "", "", "" // so that the environment is read
	d := open(t, o)
	if so := d.client.Options(); so.RequestChecksumCalculation != aws.RequestChecksumCalculationWhenSupported || so.ResponseChecksumValidation != aws.ResponseChecksumValidationWhenSupported {
		t.Errorf("the SDK's sums are switched off: %v, %v", so.RequestChecksumCalculation, so.ResponseChecksumValidation)
	}
	h := suite(t, d)
	wantStore(h, "the body", "", protocol.OK)
	f.set(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if r.Method == http.MethodPut {
			return nil, errReset
		}
		spoilt, _ := io.ReadAll(resp.Body)
		spoilt[0] ^= 1
		resp.Header.Del("X-Amz-Meta-" + sumName) // the CRC32C alone must do
		resp.Body = io.NopCloser(bytes.NewReader(spoilt))
		return resp, err
	})
	wantLoad(h, protocol.Corrupt, "")
	puts := b.puts.Load()
	if st := ask[protocol.Stored](h, protocol.Store{Key: "new", Object: text("x")}); st.Outcome != protocol.Unknown || b.puts.Load() != puts+1 {
		t.Errorf("%+v after %d PUTs", st, b.puts.Load()-puts)
	}
}

// TestLargeObjectIsOnePut: no size of object is written in parts, which have sums of their own to be named; the one PUT
// names the CRC32C and the SHA-256 of it all.
func TestLargeObjectIsOnePut(t *testing.T) {
	b := newRTBucket()
	var requests []*http.Request
	f := &faults{next: b, fault: func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		requests = append(requests, r)
		return next.RoundTrip(r)
	}}
	h := suite(t, open(t, options(f)))
	body := strings.Repeat("0123456789abcdef", 24<<16) // 24 MiB: an uploader of the SDK's would take five parts
	wantStore(h, body, "", protocol.OK)
	if len(requests) != 1 || requests[0].Method != http.MethodPut || requests[0].URL.RawQuery != "x-id=PutObject" {
		t.Fatalf("%d requests, the first %s %s", len(requests), requests[0].Method, requests[0].URL)
	}
	sum := sha256.Sum256([]byte(body))
	crc := binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli)))
	if got := requests[0].Header; got.Get("X-Amz-Checksum-Crc32c") != base64.StdEncoding.EncodeToString(crc) || got.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		t.Errorf("headers: %v", got)
	}
}
