package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/protocol"
	"weir/protocol/devicetest"
	"weir/runtime/s3"
)

// bucketHarness is a device on a part of a bucket of its own.
type bucketHarness struct {
	t     testing.TB
	d     *s3.Device
	began time.Time
}

func options(endpoint string) s3.Options {
	return s3.Options{Endpoint: endpoint, Bucket: BucketName, Prefix: "t" + rand.Text()[:8], AccessKey: AccessKey, SecretKey: SecretKey, PathStyle: true,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func openBucket(t testing.TB, o s3.Options) *bucketHarness {
	t.Helper()
	d, err := s3.New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return &bucketHarness{t, d, time.Now()}
}

func (h *bucketHarness) Now() protocol.Time            { return protocol.Time(time.Since(h.began)) }
func (h *bucketHarness) Sleep(d protocol.Duration)     { time.Sleep(time.Duration(d)) }
func (*bucketHarness) Prefix() string                  { return "suite/" }
func (*bucketHarness) Lacks(devicetest.Promise) string { return "" }
func (h *bucketHarness) Start(from protocol.Address, ef protocol.Effect) func() protocol.Event {
	got := make(chan protocol.Event, 1)
	h.d.Perform(from, ef, func(ev protocol.Event) { got <- ev })
	return func() protocol.Event {
		select {
		case ev := <-got:
			return ev
		case <-time.After(patience):
			return nil
		}
	}
}

func (h *bucketHarness) store(body string, match protocol.Version) protocol.Stored {
	return h.Start(protocol.Address{}, protocol.Store{Key: "HEAD", Object: devicetest.Bytes(body), IfMatch: match})().(protocol.Stored)
}

func (h *bucketHarness) load() protocol.Loaded {
	return h.Start(protocol.Address{}, protocol.Load{Key: "HEAD"})().(protocol.Loaded)
}

// TestBucketOnS3 runs the one suite of buckets, and the probe of a job's start, on a real server. Nothing is left out.
func TestBucketOnS3(t *testing.T) {
	b := sharedS3(t)
	devicetest.TestStore(t, func(t *testing.T) devicetest.Harness { return openBucket(t, options(b.Endpoint)) })
	t.Run("probe", func(t *testing.T) { probe(t, options(b.Endpoint)) })
}

// probe must find nothing wrong, and leave nothing behind, before a job would lose patience.
func probe(t *testing.T, o s3.Options) {
	began := time.Now()
	if err := openBucket(t, o).d.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("the probe took %v", time.Since(began).Round(time.Millisecond))
}

// TestBucketOverTLS: the SDK sends bodies in another form over https.
func TestBucketOverTLS(t *testing.T) {
	Need(t, "s3")
	cert, key, trusted := certificate(t)
	b := StartS3(t, S3Options{Cert: cert, Key: key})
	tlsOptions := func() s3.Options {
		o := options(b.Endpoint)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
		t.Cleanup(transport.CloseIdleConnections)
		o.Transport = transport
		return o
	}
	devicetest.TestStore(t, func(t *testing.T) devicetest.Harness { return openBucket(t, tlsOptions()) })
	t.Run("probe", func(t *testing.T) { probe(t, tlsOptions()) })
	t.Run("an unknown certificate", func(t *testing.T) {
		if ld := openBucket(t, options(b.Endpoint)).load(); ld.Outcome != protocol.Unknown {
			t.Errorf("load from a server that nobody vouches for: %v", ld.Outcome)
		}
	})
}

// certificate makes a certificate for this machine that vouches for itself.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weir"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	public, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	parsed, err := x509.ParseCertificate(public)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", secret), pool
}

// TestWrongKeys: what no retry will change is told apart, with words for the operator.
func TestWrongKeys(t *testing.T) {
	b := sharedS3(t)
	for name, change := range map[string]func(*s3.Options){
		"secret": func(o *s3.Options) { o.SecretKey = "guessed" }, "access key": func(o *s3.Options) { o.AccessKey = "nobody" }, "bucket": func(o *s3.Options) { o.Bucket = "elsewhere" },
	} {
		o := options(b.Endpoint)
		change(&o)
		h := openBucket(t, o)
		if st, ld := h.store("x", ""), h.load(); st.Outcome != protocol.Denied || ld.Outcome != protocol.Denied {
			t.Errorf("wrong %s: store %v, load %v", name, st.Outcome, ld.Outcome)
		}
	}
}

// TestKilledServer: what was answered OK is there after a SIGKILL of the server, and what was not is there or not.
func TestKilledServer(t *testing.T) {
	b := StartS3(t, S3Options{})
	o := options(b.Endpoint)
	o.RequestTimeout = 5 * time.Second
	h := openBucket(t, o)
	head := h.store("0", "")
	if head.Outcome != protocol.OK {
		t.Fatal(head.Outcome)
	}
	n := 0
	const kills = 5
	for range kills {
		stop := make(chan error, 1)
		time.AfterFunc(100*time.Millisecond, func() { stop <- b.Kill() })
		last := h.store(fmt.Sprint(n+1), head.Version)
		for ; last.Outcome == protocol.OK; last = h.store(fmt.Sprint(n+1), head.Version) {
			head, n = last, n+1
		}
		if last.Outcome != protocol.Unknown {
			t.Fatalf("store while the server dies: %v", last.Outcome)
		}
		if err := <-stop; err != nil {
			t.Fatal(err)
		}
		if err := b.Start(); err != nil {
			t.Fatal(err)
		}
		ld := h.load()
		switch string(ld.Body) {
		case fmt.Sprint(n):
		case fmt.Sprint(n + 1):
			n++
		default:
			t.Fatalf("after the kill HEAD is %q (%v), the last one answered OK was %d", ld.Body, ld.Outcome, n)
		}
		head.Version = ld.Version
	}
	t.Logf("%d replacements over %d kills", n, kills)
}

// TestPausedServer: a write that its sender has given up may land after the sender has looked and seen the old object;
// and a successor of the same predecessor, once it has landed, keeps it out for ever.
func TestPausedServer(t *testing.T) {
	b := StartS3(t, S3Options{})
	o := options(b.Endpoint)
	patient := openBucket(t, o)
	o.RequestTimeout = 300 * time.Millisecond
	hasty := openBucket(t, o)
	old := patient.store("old", "")
	if old.Outcome != protocol.OK {
		t.Fatal(old.Outcome)
	}
	if err := b.Pause(); err != nil {
		t.Fatal(err)
	}
	if st := hasty.store("mine", old.Version); st.Outcome != protocol.Unknown {
		t.Fatalf("store on a server that stands still: %v", st.Outcome)
	}
	if err := b.Resume(); err != nil {
		t.Fatal(err)
	}
	next := patient.store("next", old.Version)
	ld := patient.load()
	switch {
	case next.Outcome == protocol.OK && string(ld.Body) == "next": // the abandoned write was dropped with its connection, or lost
	case next.Outcome == protocol.Conflict && string(ld.Body) == "mine": // it landed
	default:
		t.Fatalf("successor %v, HEAD %q", next.Outcome, ld.Body)
	}
	t.Logf("the abandoned write against its successor: %v", next.Outcome)
}
