package host

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir"
)

// counts is a job that counts words: topic in → topic out.
func counts() *weir.Job {
	j := weir.New("counts")
	words := weir.From(j, "words", weir.Topic("in", weir.String{}))
	byWord := weir.KeyBy(words, func(w string) string { return w }, weir.String{}, weir.String{})
	weir.To(weir.Aggregate(byWord, "count", weir.Count[string]()), "out", weir.KeyedTopic("out", weir.String{}, weir.Int64{}))
	return j
}

func broker(t *testing.T, topics ...string) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

func feed(t *testing.T, addr string, n, keys int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic("in"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i := range n {
		cl.Produce(context.Background(), kgo.StringRecord("w"+strconv.Itoa(i%keys)), nil)
	}
	if err := cl.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// readAll reads committed output until n records have come.
func readAll(t *testing.T, addr string, n int) map[string][]int64 {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, seen := map[string][]int64{}, 0
	for seen < n && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			n, _ := weir.Int64{}.Decode(r.Value)
			got[string(r.Key)] = append(got[string(r.Key)], n)
			seen++
		})
	}
	if seen != n {
		t.Fatalf("%d records of output, want %d", seen, n)
	}
	return got
}

func args(addr, dir string) []string {
	return []string{"-brokers", addr, "-bucket", dir, "-interval", "100ms", "-timeout", "5s", "-heartbeat", "50ms", "-node-timeout", "2s", "-restart-delay", "50ms", "-io-timeout", "3s", "-log", "warn"}
}

func start(t *testing.T, addr, dir string) (*process, chan int) {
	t.Helper()
	cfg, err := Parse("counts", args(addr, dir), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := open(counts, cfg)
	if err != nil {
		t.Fatal(err)
	}
	code := make(chan int, 1)
	go func() {
		c, text := p.run(t.Context())
		t.Log(text)
		code <- c
	}()
	return p, code
}

func TestStopAndGoOnIsExactlyOnce(t *testing.T) {
	addr, dir := broker(t, "in", "out"), t.TempDir()
	const lives, each, keys = 3, 1000, 7
	for life := range lives {
		feed(t, addr, each, keys)
		p, code := start(t, addr, dir)
		readAll(t, addr, (life+1)*each)
		p.engine.Stop()
		if c := <-code; c != exitDone {
			t.Fatalf("exit code %d", c)
		}
		p.close()
	}
	for key, values := range readAll(t, addr, lives*each) {
		for i, v := range values {
			if v != int64(i+1) {
				t.Fatalf("%s: value %d is %d", key, i, v)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	addr, dir := broker(t, "in"), t.TempDir()
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"no brokers", "-brokers is missing", []string{"-bucket", dir}},
		{"no bucket", "-bucket is missing", []string{"-brokers", addr}},
		{"stray argument", "is not a flag", []string{"-brokers", addr, "-bucket", dir, "run"}},
		{"short transaction timeout", "transaction timeout", []string{"-brokers", addr, "-bucket", dir, "-transaction-timeout", "10s"}},
		{"topic missing", `topic "out" does not exist`, args(addr, dir)},
		{"unreachable broker", "no broker of", args("127.0.0.1:1", dir)},
		{"bucket is a file", "host_test.go", args(broker(t, "in", "out"), "host_test.go")},
		{"odd bucket", "s3://bucket/prefix", []string{"-brokers", addr, "-bucket", "ftp://x"}},
		{"unknown flag", "-odd; see -help", []string{"-odd"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			if code := Run(counts, "counts", c.args, io.Writer(&b)); code != exitRefused {
				t.Errorf("exit code %d, want %d", code, exitRefused)
			}
			if !strings.Contains(b.String(), c.want) {
				t.Errorf("said %q, want %q in it", b.String(), c.want)
			}
			if files, _ := os.ReadDir(dir); len(files) > 0 {
				t.Errorf("wrote %v", files)
			}
		})
	}
}
