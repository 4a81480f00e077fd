package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"weir/protocol"
)

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestSecretsAreNotPrinted(t *testing.T) {
	o := options(nil)
	o.Transport, o.Logger = nil, nil
	o.Endpoint = "https://user:hush-hush@host"
	log := &logBuffer{}
	log.logger().Info("open", "options", o, "pointer", &o, "secret", o.SecretKey)
	slog.New(slog.NewJSONHandler(log, nil)).Info("open", "options", o, "pointer", &o, "secret", o.SecretKey)
	js, err := json.Marshal(struct{ A, B Secret }{o.SecretKey, o.SessionToken})
	if err != nil {
		t.Fatal(err)
	}
	_, bad := New(context.Background(), o)
	for _, s := range []string{fmt.Sprint(o), fmt.Sprintf("%v %+v %#v %s", o, o, o, o), fmt.Sprintf("%v %+v %#v %q %x", o.SecretKey, &o, o.SecretKey, o.SecretKey, o.SecretKey), log.String(), string(js), bad.Error()} {
		if strings.Contains(s, "hush") || strings.Contains(s, "very-quiet") || strings.Contains(s, hex.EncodeToString([]byte("hush"))) {
			t.Errorf("a secret is printed: %s", s)
		}
		if !strings.Contains(s, "***") {
			t.Errorf("nothing says that a secret was hidden: %s", s)
		}
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"bucket":          func(o *Options) { o.Bucket = "" },
		"together":        func(o *Options) { o.SecretKey = "" },
		"below zero":      func(o *Options) { o.RequestTimeout = -1 },
		"http://host":     func(o *Options) { o.Endpoint = "localhost:9000" },
		"without user":    func(o *Options) { o.Endpoint = "http://me:secret@host" },
		"https://host":    func(o *Options) { o.Endpoint = "ftp://host" },
		"must be http://": func(o *Options) { o.Endpoint = "http://" },
	} {
		o := options(newRTBucket())
		change(&o)
		if d, err := New(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %v", want, d, err)
		}
	}
}

func TestAddressing(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(*Options) {}, "http://s3.test:9000/bucket/job/HEAD"},
		{func(o *Options) { o.PathStyle = false }, "http://bucket.s3.test:9000/job/HEAD"},
		{func(o *Options) { o.Prefix = "/a/b/" }, "http://s3.test:9000/bucket/a/b/HEAD"},
		{func(o *Options) { o.Prefix = "" }, "http://s3.test:9000/bucket/HEAD"},
		{func(o *Options) { o.Endpoint, o.Region = "", "eu-central-1" }, "https://s3.eu-central-1.amazonaws.com/bucket/job/HEAD"},
	} {
		var got string
		o := options(&faults{fault: func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			got = r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
			return nil, errReset
		}})
		c.change(&o)
		wantStore(suite(t, open(t, o)), "x", "", protocol.Unknown)
		if got != c.want {
			t.Errorf("asked %s, want %s", got, c.want)
		}
	}
}

// countingConn counts the writes of a connection.
type countingConn struct {
	net.Conn
	mu     *sync.Mutex
	writes *[]int
}

func (c countingConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	*c.writes = append(*c.writes, len(b))
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// TestHEADIsOneWrite looks at the wire: a HEAD of 12 KiB leaves in one write, signed by its SHA-256, with its CRC32C, not chunked.
func TestHEADIsOneWrite(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("tls=", secure), func(t *testing.T) {
			bucket := newRTBucket()
			var seen http.Header
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = r.Header.Clone()
				resp, _ := bucket.RoundTrip(r)
				for k, v := range resp.Header {
					w.Header()[k] = v
				}
				w.WriteHeader(resp.StatusCode)
				io.Copy(w, resp.Body)
			}))
			if secure {
				srv.StartTLS()
			} else {
				srv.Start()
			}
			defer srv.Close()
			var mu sync.Mutex
			var writes []int
			tr := NewTransport(nil)
			dial := tr.DialContext
			tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := dial(ctx, network, addr)
				return countingConn{c, &mu, &writes}, err
			}
			if secure {
				tr.TLSClientConfig.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			}
			o := options(tr)
			o.Endpoint = srv.URL
			h := suite(t, open(t, o))
			v := wantStore(h, "warm up", "", protocol.OK)
			writes = nil
			body := strings.Repeat("h", 12<<10)
			wantStore(h, body, v, protocol.OK)
			if len(writes) != 1 || writes[0] < len(body) {
				t.Errorf("sent in writes of %v bytes", writes)
			}
			sum := sha256.Sum256([]byte(body))
			if got := seen.Get("X-Amz-Content-Sha256"); got != hex.EncodeToString(sum[:]) {
				t.Errorf("the payload is signed as %q", got)
			}
			if seen.Get("X-Amz-Checksum-Crc32c") == "" || seen.Get("Content-Encoding") != "" || seen.Get("X-Amz-Trailer") != "" || seen.Get("Expect") != "" {
				t.Errorf("headers: %v", seen)
			}
			wantLoad(h, protocol.OK, body)
		})
	}
}
