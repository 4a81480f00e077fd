package conformance

import (
	"fmt"
	"path/filepath"
	"testing"
)

// The bucket and the keys of every server that is started here.
const (
	BucketName = "weir"
	AccessKey  = "weir"
	SecretKey  = "weir-secret"
)

// S3Options choose a server. The zero value is the one that S3_SERVER names, or the script's, over http.
type S3Options struct {
	Server    string // versitygw or minio
	Cert, Key string // PEM files; both empty: http
}

// S3 is a real S3 server on this machine, with an empty bucket.
type S3 struct {
	Endpoint string

	dir string
	env []string
}

// OpenS3 starts a server with its data and log in dir, and returns when it serves. It ends with this process at the
// latest.
func OpenS3(dir string, o S3Options) (*S3, error) {
	s := &S3{dir: dir, env: []string{
		owner(), "S3_RUN=" + dir, fmt.Sprintf("S3_PORT=%d", freePort()), "S3_BUCKET=" + BucketName, "S3_ACCESS_KEY=" + AccessKey, "S3_SECRET_KEY=" + SecretKey,
	}}
	if o.Server != "" {
		s.env = append(s.env, "S3_SERVER="+o.Server)
	}
	if o.Cert != "" {
		s.env = append(s.env, "S3_CERT="+o.Cert, "S3_KEY="+o.Key)
	}
	var err error
	if s.Endpoint, err = runScript("s3.sh", s.env, "start"); err != nil {
		s.Stop() // what was started before it failed
		return nil, err
	}
	return s, nil
}

// StartS3 starts a server for one test, which is skipped unless s3 is asked for.
func StartS3(t testing.TB, o S3Options) *S3 {
	t.Helper()
	Need(t, "s3")
	s, err := OpenS3(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Log())
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Stop ends the server; its data stay.
func (s *S3) Stop() error { return s.do("stop") }

// Kill ends the server by SIGKILL.
func (s *S3) Kill() error { return s.do("kill") }

// Start starts a stopped or killed server again on its data, and returns when it serves.
func (s *S3) Start() error { return s.do("start") }

// Pause makes the server stand still.
func (s *S3) Pause() error { return s.do("pause") }

// Resume lets it go on.
func (s *S3) Resume() error { return s.do("resume") }

func (s *S3) do(verb string) error {
	_, err := runScript("s3.sh", s.env, verb)
	return err
}

// Log is the end of the server's log.
func (s *S3) Log() string { return tail(filepath.Join(s.dir, "log")) }
