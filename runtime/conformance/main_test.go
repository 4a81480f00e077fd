package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) {
	if os.Getenv(asDevice) != "" {
		os.Exit(serveDevice(os.Args[1:]))
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// shared is one cluster and one S3 server for all tests that are content with a part of them. The cluster takes a while
// to start: it is begun as soon as a test says that it will want it.
var shared services

type services struct {
	mu    sync.Mutex
	dir   string
	kafka func() (*Kafka, error)
	s3    func() (*S3, error)
	stops []func() error
}

// ioTimeout is what devices here give an effect.
const ioTimeout = 20 * time.Second

// look is the time between looks of the shared cluster for transactions past their timeout: a tenth of the default.
const look = time.Second

func (s *services) folder(name string) (string, error) {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "weir-conformance-")
		if err != nil {
			return "", err
		}
		s.dir = dir
	}
	dir := filepath.Join(s.dir, name)
	return dir, os.MkdirAll(dir, 0o755)
}

func (s *services) beginKafka() func() (*Kafka, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kafka == nil {
		dir, err := s.folder("kafka")
		var k *Kafka
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err == nil {
				set := fmt.Sprintf("transaction.abort.timed.out.transaction.cleanup.interval.ms=%d", look.Milliseconds())
				k, err = OpenKafka(dir, KafkaOptions{Set: []string{set}})
			}
		}()
		s.kafka = func() (*Kafka, error) { <-done; return k, err }
		s.stops = append(s.stops, func() error {
			if <-done; k == nil {
				return nil
			}
			return k.Stop()
		})
	}
	return s.kafka
}

func (s *services) beginS3() func() (*S3, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s3 == nil {
		s.s3 = sync.OnceValues(func() (*S3, error) {
			dir, err := s.folder("s3")
			if err != nil {
				return nil, err
			}
			b, err := OpenS3(dir, S3Options{})
			if err == nil {
				s.stops = append(s.stops, b.Stop)
			}
			return b, err
		})
	}
	return s.s3
}

func (s *services) stop() (err error) {
	for _, stop := range s.stops {
		if e := stop(); e != nil {
			err = e
		}
	}
	if s.dir != "" && err == nil {
		err = os.RemoveAll(s.dir)
	}
	return err
}

// sharedKafka is the cluster that most tests share; names keep them apart.
func sharedKafka(t testing.TB) *Kafka {
	t.Helper()
	Need(t, "kafka")
	k, err := shared.beginKafka()()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(k.Logs())
		}
	})
	return k
}

func sharedS3(t testing.TB) *S3 {
	t.Helper()
	Need(t, "s3")
	if asked("kafka") {
		shared.beginKafka() // meanwhile
	}
	b, err := shared.beginS3()()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// client is a plain client, of no part of ours.
func client(t testing.TB, addrs []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// soon is a context for what must happen before long, on a slow machine too.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually asks until the answer is yes.
func eventually(t testing.TB, what string, ask func() bool) {
	t.Helper()
	if !comes(ask) {
		t.Fatalf("in %v it did not come about: %s", patience, what)
	}
}

// patience is for what takes milliseconds on a machine that is not busy.
const patience = 90 * time.Second

func comes(ask func() bool) bool {
	for deadline := time.Now().Add(patience); !ask(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
