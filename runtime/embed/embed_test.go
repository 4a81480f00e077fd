package embed

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// asBroker makes the test's binary a broker: the directory is its only argument.
const asBroker = "WEIR_EMBED_TEST_BROKER"

func TestMain(m *testing.M) {
	if os.Getenv(asBroker) == "" {
		os.Exit(m.Run())
	}
	err := Serve(context.Background(), Options{Dir: os.Args[1], Topics: map[string]int32{"out": 1}, Control: os.Stdin, Events: os.Stdout})
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}

func start(t *testing.T, dir string) *Broker {
	t.Helper()
	t.Setenv(asBroker, "1")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Start(t.Context(), exe, dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// txn is a transaction of one record that only a raw request will end.
type txn struct {
	id    string
	pid   int64
	epoch int16
}

func prepare(t *testing.T, addr, id, value string) txn {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID(id))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: "out", Value: []byte(value)}
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return txn{id, r.ProducerID, r.ProducerEpoch}
}

func client(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RequestRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func commit(ctx context.Context, cl *kgo.Client, x txn) error {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = x.id, x.pid, x.epoch, true
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	return err
}

// visible is the stable offset of the output: nothing of a transaction that is open lies below it.
func visible(t *testing.T, cl *kgo.Client) int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, 1
	rt := kmsg.NewListOffsetsRequestTopic()
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Timestamp = -1
	rt.Topic, rt.Partitions = "out", append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics[0].Partitions[0].Offset
}

// TestStoppedBrokerKeepsWhatItAnswered: committed stays committed, prepared stays prepared.
func TestStoppedBrokerKeepsWhatItAnswered(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	done := prepare(t, b.Addr, "done", "1")
	if err := commit(t.Context(), client(t, b.Addr), done); err != nil {
		t.Fatal(err)
	}
	open := prepare(t, b.Addr, "open", "2")
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	b = start(t, dir)
	cl := client(t, b.Addr)
	if v := visible(t, cl); v != 2 {
		t.Fatalf("stable offset %d, want 2", v)
	}
	if err := errors.Join(commit(t.Context(), cl, done), commit(t.Context(), cl, open)); err != nil {
		t.Fatalf("commit after the restart: %v", err)
	}
	if v := visible(t, cl); v != 4 {
		t.Fatalf("stable offset %d, want 4", v)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
}

// TestKilledBroker: committed stays committed; what was open is aborted, unlike on Kafka; only the log tells which.
func TestKilledBroker(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	done, open := prepare(t, b.Addr, "done", "1"), prepare(t, b.Addr, "open", "2")
	if err := commit(t.Context(), client(t, b.Addr), done); err != nil {
		t.Fatal(err)
	}
	if err := b.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(); err == nil {
		t.Fatal("a killed broker stopped without an error")
	}
	b = start(t, dir)
	cl := client(t, b.Addr)
	for _, x := range []txn{done, open} {
		if err := commit(t.Context(), cl, x); !errors.Is(err, kerr.InvalidTxnState) {
			t.Fatalf("commit of %q after a kill: %v; what doc.go says of kills is out of date", x.id, err)
		}
	}
	if got := read(t, b.Addr, visible(t, cl)); !slices.Equal(got, []string{"1"}) {
		t.Fatalf("visible: %v", got)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
}

// read is what a read_committed consumer sees below an offset.
func read(t *testing.T, addr string, end int64) (values []string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"out": {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for at := int64(0); at < end-1; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		fs := cl.PollFetches(ctx)
		cancel()
		if fs.NumRecords() == 0 {
			return values
		}
		fs.EachRecord(func(r *kgo.Record) {
			if at = r.Offset; !r.Attrs.IsControl() {
				values = append(values, string(r.Value))
			}
		})
	}
	return values
}

// TestHold: a held EndTxn has not happened; released it happens though its sender is gone; dropped it never does.
func TestHold(t *testing.T) {
	b := start(t, t.TempDir())
	other := client(t, b.Addr)
	for i, c := range []struct {
		end     func() error
		visible int64
	}{{b.Drop, 0}, {b.Release, 2}} {
		x := prepare(t, b.Addr, "x", "1")
		if err := b.Hold(); err != nil {
			t.Fatal(err)
		}
		sender := client(t, b.Addr)
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		go func() { answer <- commit(ctx, sender, x) }()
		if id, err := b.Held(t.Context()); err != nil || id != "x" {
			t.Fatal(id, err)
		}
		before := visible(t, other)
		cancel() // the sender dies
		sender.Close()
		if err := <-answer; err == nil {
			t.Fatal("a held request was answered")
		}
		if err := c.end(); err != nil {
			t.Fatal(err)
		}
		after := visible(t, other)
		for deadline := time.Now().Add(2 * time.Second); c.visible > 0 && after == before && time.Now().Before(deadline); {
			after = visible(t, other)
		}
		if after-before != c.visible {
			t.Fatalf("case %d: %d offsets became stable, want %d", i, after-before, c.visible)
		}
		if i == 0 { // dropped: the transaction is still there to be committed
			if err := commit(t.Context(), other, x); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.Hold(); err == nil {
		t.Fatal("a stopped broker took a command")
	}
}

func TestServeRefuses(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:9092", "nonsense", "[::]:1"} {
		if err := Serve(t.Context(), Options{Listen: listen}); err == nil || !strings.Contains(err.Error(), "listen address") {
			t.Errorf("%q: %v", listen, err)
		}
	}
	if _, err := Start(t.Context(), "/nowhere/broker"); err == nil {
		t.Error("started from nowhere")
	}
	if b, err := Start(t.Context(), "/bin/true"); !errors.Is(err, errGone) {
		t.Error(b, err)
	}
}

// TestServeEndsWithItsControl: a broker does not outlive who began it.
func TestServeEndsWithItsControl(t *testing.T) {
	err := Serve(t.Context(), Options{Topics: map[string]int32{"a": 1, "b": 2}, Control: strings.NewReader("hold\nnonsense\n")})
	if err != nil {
		t.Fatal(err)
	}
}
