package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir"
	"weir/protocol"
	"weir/protocol/job"
	"weir/runtime/kafka"
	"weir/runtime/s3"
)

// often is how often an answer is lost: once in so many.
const often = 4

// dice decide which answers are lost.
type dice struct {
	mu   sync.Mutex
	r    *rand.Rand
	lost map[string]int // by what was asked
}

func newDice(seed uint64) *dice {
	return &dice{r: rand.New(rand.NewPCG(seed, 0)), lost: map[string]int{}}
}

// lose is true once in n.
func (d *dice) lose(what string, n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.r.IntN(n) > 0 {
		return false
	}
	d.lost[what]++
	return true
}

func (d *dice) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprint(d.lost)
}

// conn loses, now and then, the answer to a request that matters, and itself with it.
type conn struct {
	net.Conn
	dice *dice
	mu   sync.Mutex
	lost bool
}

func (d *dice) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, dice: d}, nil
}

// Write looks at requests: the client writes one at a time.
func (c *conn) Write(b []byte) (int, error) {
	if len(b) >= 6 {
		switch key := kmsg.Key(binary.BigEndian.Uint16(b[4:])); key {
		case kmsg.EndTxn, kmsg.InitProducerID, kmsg.Produce, kmsg.Fetch:
			c.mu.Lock()
			c.lost = c.lost || c.dice.lose(key.Name(), often)
			c.mu.Unlock()
		}
	}
	return c.Conn.Write(b)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// bucket is an S3 server in memory that loses answers, and lets writes land after their senders have given up.
type bucket struct {
	http.Handler
	dice *dice
	late sync.WaitGroup
}

func (b *bucket) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Header.Set("Content-Length", fmt.Sprint(r.ContentLength))
	if r.Method == http.MethodPut && b.dice.lose("late PUT", often) {
		b.late.Go(func() {
			time.Sleep(30 * time.Millisecond)
			b.ServeHTTP(httptest.NewRecorder(), r)
		})
		return nil, errors.New("context deadline exceeded")
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	if b.dice.lose(r.Method, often) {
		return nil, errors.New("connection reset by peer")
	}
	return w.Result(), nil
}

// lossy is a cluster and a bucket, reached by real devices over what loses answers.
type lossy struct {
	t       *testing.T
	dice    *dice
	cluster *kfake.Cluster
	bucket  *bucket
}

func newLossy(t *testing.T, seed uint64) *lossy {
	c, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(2, "in", "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := &lossy{t: t, dice: newDice(seed), cluster: c}
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	l.bucket = &bucket{Handler: gofakes3.New(backend).Server(), dice: l.dice}
	return l
}

// engine is an engine on real devices.
func (l *lossy) engine(factory func() *weir.Job) *Engine {
	l.t.Helper()
	g, err := weir.Graph(factory)
	if err != nil {
		l.t.Fatal(err)
	}
	cfg := quick()
	cfg.RestartLimit = 100
	plan, err := job.NewPlan(g, cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	clock, pool, log := NewClock(), &Pool{}, slog.New(slog.DiscardHandler)
	k, err := kafka.New(kafka.Options{Brokers: l.cluster.ListenAddrs(), Pool: pool, Now: clock.Now, Dialer: l.dice.dial, Logger: log, IOTimeout: time.Second, MaxWait: 20 * time.Millisecond})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(k.Close)
	b, err := s3.New(l.t.Context(), s3.Options{Endpoint: "http://bucket.test", Bucket: "bucket", AccessKey: "weir", SecretKey: "hush", PathStyle: true, Transport: l.bucket, Logger: log, RequestTimeout: time.Second})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { b.Close(); l.bucket.late.Wait() })
	_, _, ledgers := plan.Topics()
	for _, topic := range ledgers {
		if err := l.cluster.CreateTopic(topic.Topic, int32(topic.Partitions), nil); err != nil {
			l.t.Fatal(err)
		}
	}
	return New(Options{Plan: plan, Incarnation: 7, Store: b, Log: k, Clock: clock, Pool: pool, NewState: newState, Logger: log})
}

func (l *lossy) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(l.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(cl.Close)
	return cl
}

// feed writes words to both partitions, and behind them a transaction that is aborted.
func (l *lossy) feed(words ...string) {
	l.t.Helper()
	for _, commit := range []bool{true, false} {
		id := fmt.Sprint("feeder-", commit)
		ctx, cl := l.t.Context(), l.client(kgo.TransactionalID(id))
		records := make([]*kgo.Record, len(words))
		for i, w := range words {
			records[i] = &kgo.Record{Topic: "in", Partition: int32(i % 2), Value: []byte(w)}
		}
		if err := errors.Join(cl.BeginTransaction(), cl.ProduceSync(ctx, records...).FirstErr()); err != nil {
			l.t.Fatal(err)
		}
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = id, records[0].ProducerID, records[0].ProducerEpoch, commit
		if resp, err := req.RequestWith(ctx, cl); err != nil || resp.ErrorCode != 0 {
			l.t.Fatal(resp, err)
		}
	}
}

// out is the committed output, sorted.
func (l *lossy) out(want int) (all []string) {
	cl := l.client(kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond))
	for limit := time.Now().Add(10 * time.Second); len(all) < want && time.Now().Before(limit); {
		all = append(all, polled(l.t.Context(), cl)...)
	}
	all = append(all, polled(l.t.Context(), cl)...) // one too many, if there is one
	slices.Sort(all)
	return all
}

func polled(ctx context.Context, cl *kgo.Client) (all []string) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
		n, _ := weir.Int64{}.Decode(r.Value)
		all = append(all, fmt.Sprintf("%s=%d", r.Key, n))
	})
	return all
}

// slowly makes the input last for some checkpoints.
func slowly(s string) (string, error) {
	time.Sleep(8 * time.Millisecond)
	return s, nil
}

// TestJobOverLossyWires runs a job on the real adapters while answers of brokers and bucket are lost, and writes land
// late. Its input is bounded and ends in records that are aborted.
func TestJobOverLossyWires(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := newLossy(t, seed)
			var words, want []string
			for i := range 100 {
				w := string(rune('a' + i%5))
				words, want = append(words, w), append(want, fmt.Sprintf("%s=%d", w, i/5+1))
			}
			l.feed(words...)
			select {
			case end := <-run(t.Context(), l.engine(counts(weir.BoundedTopic[string], slowly))):
				if end.err != nil || end.verdict.Kind != protocol.Finished {
					t.Fatalf("%+v, lost: %v", end, l.dice)
				}
			case <-time.After(time.Minute):
				t.Fatalf("the job does not finish, lost: %v", l.dice)
			}
			slices.Sort(want)
			if got := l.out(len(want)); !slices.Equal(got, want) {
				t.Errorf("output %v, want %v, lost: %v", got, want, l.dice)
			}
			t.Logf("answers lost: %v", l.dice)
		})
	}
}
