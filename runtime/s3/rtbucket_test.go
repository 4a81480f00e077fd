package s3

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"weir/protocol"
	"weir/sim/bucket"
)

// rtbucket is the simulator's bucket behind a RoundTripper: what the conditions of a PUT decide is decided there, so that
// the real adapter and the virtual device are held to one world. HTTP, checksums and metadata are added here, and flaws of
// servers that were seen; with a flaw in its conditions the virtual bucket is not asked.
type rtbucket struct {
	virtual *bucket.Bucket

	ignoreIfNoneMatch, ignoreIfMatch bool
	checkThenAct                     bool // conditions are checked, and only then the writer takes its turn
	acceptWrongSums                  bool
	wholeSumOnRange                  bool // a ranged answer has the whole object's checksum

	mu      sync.Mutex
	objects map[string]rtobject
	writing atomic.Int32
	puts    atomic.Int32
	gets    atomic.Int32
	deletes atomic.Int32
}

type rtobject struct {
	body []byte
	etag string
	meta http.Header
}

func newRTBucket() *rtbucket {
	return &rtbucket{virtual: bucket.New(), objects: map[string]rtobject{}}
}

func (b *rtbucket) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return b.serve(r, body), nil
}

func (b *rtbucket) serve(r *http.Request, body []byte) *http.Response {
	switch r.Method {
	case http.MethodPut:
		b.puts.Add(1)
		return b.put(r, body)
	case http.MethodGet:
		b.gets.Add(1)
		return b.get(r)
	case http.MethodDelete:
		b.deletes.Add(1)
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.objects, r.URL.Path)
		b.virtual.Delete(protocol.ObjectKey(r.URL.Path))
		return answer(r, 204, nil, nil)
	}
	return refuse(r, 405, "MethodNotAllowed")
}

func (b *rtbucket) put(r *http.Request, body []byte) *http.Response {
	if code := wrongSum(r, body); code != "" && !b.acceptWrongSums {
		return refuse(r, 400, code)
	}
	b.writing.Add(1)
	defer b.writing.Add(-1)
	b.mu.Lock()
	defer b.mu.Unlock()
	status, code := b.condition(r)
	if b.checkThenAct {
		b.mu.Unlock()
		for range 100 {
			runtime.Gosched()
		}
		b.mu.Lock()
	}
	if status != 0 {
		return refuse(r, status, code)
	}
	o := rtobject{body: body, etag: fmt.Sprintf(`"%x"`, md5.Sum(body)), meta: http.Header{}}
	if !b.ignoreIfNoneMatch && !b.ignoreIfMatch && !b.checkThenAct {
		v, out := b.virtual.Store(protocol.ObjectKey(r.URL.Path), body, protocol.Version(strings.Trim(r.Header.Get("If-Match"), `"`)))
		if out != protocol.OK {
			return refuse(r, 412, "PreconditionFailed")
		}
		o.etag = `"` + string(v) + `"`
	}
	for k, v := range r.Header {
		if strings.HasPrefix(k, "X-Amz-Meta-") || k == "X-Amz-Checksum-Crc32c" {
			o.meta[k] = v
		}
	}
	b.objects[r.URL.Path] = o
	return answer(r, 200, http.Header{"Etag": {o.etag}}, nil)
}

func (b *rtbucket) condition(r *http.Request) (int, string) {
	now, there := b.objects[r.URL.Path]
	if r.Header.Get("If-None-Match") == "*" && there && !b.ignoreIfNoneMatch {
		return 412, "PreconditionFailed"
	}
	match := r.Header.Get("If-Match")
	switch {
	case match == "" || b.ignoreIfMatch:
		return 0, ""
	case !there:
		return 404, "NoSuchKey"
	case match != now.etag:
		return 412, "PreconditionFailed"
	}
	return 0, ""
}

func wrongSum(r *http.Request, body []byte) string {
	sum := sha256.Sum256(body)
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) {
		return "XAmzContentSHA256Mismatch"
	}
	crc := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	if r.Header.Get("X-Amz-Checksum-Crc32c") != base64.StdEncoding.EncodeToString(crc) {
		return "XAmzContentChecksumMismatch"
	}
	return ""
}

func (b *rtbucket) get(r *http.Request) *http.Response {
	b.mu.Lock()
	o, ok := b.objects[r.URL.Path]
	b.mu.Unlock()
	if !ok {
		return refuse(r, 404, "NoSuchKey")
	}
	h := o.meta.Clone()
	h.Set("Etag", o.etag)
	var from, to int
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 {
		if !b.wholeSumOnRange {
			h.Del("X-Amz-Checksum-Crc32c")
		}
		return answer(r, 206, h, o.body[from:min(to+1, len(o.body))])
	}
	return answer(r, 200, h, o.body)
}

func answer(r *http.Request, status int, h http.Header, body []byte) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

func refuse(r *http.Request, status int, code string) *http.Response {
	return answer(r, status, http.Header{"Content-Type": {"application/xml"}},
		[]byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>no</Message></Error>`))
}

// faults lets a test stand between the device and the bucket: fault may answer by itself or call next, at any time.
type faults struct {
	next  http.RoundTripper
	mu    sync.Mutex
	fault func(r *http.Request, next http.RoundTripper) (*http.Response, error)
}

func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	if fault == nil {
		return f.next.RoundTrip(r)
	}
	return fault(r, f.next)
}

func (f *faults) set(fault func(r *http.Request, next http.RoundTripper) (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

var errReset = errors.New("read tcp 10.0.0.1:9000: connection reset by peer")
