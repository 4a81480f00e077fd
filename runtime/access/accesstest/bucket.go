package accesstest

import (
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The one bucket of a [Bucket]'s server, and the only access key that it knows. It does not check signatures.
const (
	BucketName = "weir"
	AccessKey  = "weir"
)

// Bucket is an S3 server with what weir needs of one, and with flaws that were seen or that operators make.
type Bucket struct {
	Missing   bool          // there is no bucket
	ReadOnly  bool          // every write is denied
	Careless  bool          // conditions are ignored
	CheckThen bool          // conditions are checked, and then others are let in: adobe S3Mock and s3proxy
	Ahead     time.Duration // of the server's clock
	mu        sync.Mutex
	objects   map[string]object
	writes    int
}

type object struct {
	body []byte
	head http.Header
}

// Start serves until the test ends, by TLS if there is a configuration for it. It returns the endpoint.
func (b *Bucket) Start(t testing.TB, secure *tls.Config) string {
	b.objects = map[string]object{}
	s := httptest.NewUnstartedServer(b)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it
	if s.TLS = secure; secure != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL
}

// Keys lists what is there.
func (b *Bucket) Keys() (keys []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k := range b.objects {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Writes is how many PUTs were carried out.
func (b *Bucket) Writes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writes
}

// ServeHTTP implements http.Handler.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Date", time.Now().Add(b.Ahead).UTC().Format(http.TimeFormat))
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case !strings.Contains(r.Header.Get("Authorization"), "Credential="+AccessKey+"/"):
		refuse(w, 403, "InvalidAccessKeyId")
	case name != BucketName || b.Missing:
		refuse(w, 404, "NoSuchBucket")
	case b.Ahead.Abs() > 15*time.Minute:
		refuse(w, 403, "RequestTimeTooSkewed")
	case r.Method == http.MethodGet:
		b.get(w, r, key)
	case b.ReadOnly:
		refuse(w, 403, "AccessDenied")
	case r.Method == http.MethodPut:
		b.put(w, r, key, body)
	case r.Method == http.MethodDelete:
		b.mu.Lock()
		delete(b.objects, key)
		b.mu.Unlock()
		w.WriteHeader(204)
	default:
		refuse(w, 405, "MethodNotAllowed")
	}
}

func (b *Bucket) get(w http.ResponseWriter, r *http.Request, key string) {
	b.mu.Lock()
	o, ok := b.objects[key]
	b.mu.Unlock()
	if !ok {
		refuse(w, 404, "NoSuchKey")
		return
	}
	for k, v := range o.head {
		w.Header()[k] = v
	}
	var from, to int
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 {
		w.Header().Del("X-Amz-Checksum-Crc32c")
		w.WriteHeader(206)
		w.Write(o.body[from:min(to+1, len(o.body))])
		return
	}
	w.Write(o.body)
}

func (b *Bucket) put(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	crc := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	if r.Header.Get("X-Amz-Checksum-Crc32c") != base64.StdEncoding.EncodeToString(crc) {
		refuse(w, 400, "BadDigest")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	status, code := b.condition(r, key)
	if b.CheckThen {
		b.mu.Unlock()
		for range 100 {
			runtime.Gosched()
		}
		time.Sleep(time.Millisecond)
		b.mu.Lock()
	}
	if status != 0 {
		refuse(w, status, code)
		return
	}
	o := object{body: body, head: http.Header{"Etag": {fmt.Sprintf(`"%x"`, md5.Sum(body))}}}
	for k, v := range r.Header {
		if strings.HasPrefix(k, "X-Amz-Meta-") || k == "X-Amz-Checksum-Crc32c" {
			o.head[k] = v
		}
	}
	b.objects[key] = o
	b.writes++
	w.Header().Set("Etag", o.head.Get("Etag"))
}

func (b *Bucket) condition(r *http.Request, key string) (int, string) {
	now, there := b.objects[key]
	match := r.Header.Get("If-Match")
	switch {
	case b.Careless:
	case r.Header.Get("If-None-Match") == "*" && there, match != "" && there && match != now.head.Get("Etag"):
		return 412, "PreconditionFailed"
	case match != "" && !there:
		return 404, "NoSuchKey"
	}
	return 0, ""
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
}
