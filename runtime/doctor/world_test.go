package doctor

import (
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/protocol"
	"weir/protocol/checkpoint"
	"weir/protocol/txn"
	"weir/runtime/access"
	"weir/runtime/engine"
	"weir/runtime/kafka"
	"weir/runtime/localfs"
)

const job = "counts"

// body is an object of the bucket.
type body []byte

func (b body) Encode(dst []byte) []byte { return append(dst, b...) }

// world is a broker, a folder and the transactions of one test.
type world struct {
	*testing.T
	cluster *kfake.Cluster // nil: the brokers are real
	topic   string         // of the job's output
	o       Options
}

func newWorld(t *testing.T, opts ...kfake.Opt) *world {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.SeedTopics(2, "in", "out")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &world{T: t, cluster: c, topic: "out", o: Options{
		Options: access.Options{Brokers: c.ListenAddrs(), Bucket: t.TempDir()}, Config: protocol.Defaults(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}}
}

// open opens a transaction of one record.
func (w *world) open(n txn.SlotName) protocol.Committable {
	w.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.o.Brokers...), kgo.TransactionalID(string(n.ID())), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(time.Minute))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(cl.Close)
	if err := cl.BeginTransaction(); err != nil {
		w.Fatal(err)
	}
	if err := cl.ProduceSync(w.Context(), &kgo.Record{Topic: w.topic, Partition: 1, Value: []byte("x")}).FirstErr(); err != nil {
		w.Fatal(err)
	}
	got, err := kadm.NewClient(cl).DescribeTransactions(w.Context(), string(n.ID()))
	if err != nil || got[string(n.ID())].Err != nil {
		w.Fatal(err, got)
	}
	t := got[string(n.ID())]
	return protocol.Committable{ID: n.ID(), Producer: protocol.Producer{ID: t.ProducerID, Epoch: t.ProducerEpoch}, Version: 5, Sink: n.Sink, Count: 1,
		Scope: protocol.Scope{Job: n.Job, Epoch: n.Epoch, Attempt: n.Attempt}}
}

// put writes an object.
func (w *world) put(key protocol.ObjectKey, o []byte) {
	w.Helper()
	d, err := localfs.Open(w.o.Bucket)
	if err != nil {
		w.Fatal(err)
	}
	defer d.Close()
	got := make(chan protocol.Event, 1)
	d.Perform(protocol.Address{}, protocol.Store{Op: 1, Key: key, Object: body(o)}, func(ev protocol.Event) { got <- ev })
	if st := (<-got).(protocol.Stored); st.Outcome != protocol.OK {
		w.Fatalf("%+v", st)
	}
}

// decide makes checkpoint 7 of epoch 2, attempt 3 the newest decided one, with these transactions and source positions.
func (w *world) decide(sealed protocol.CheckpointID, list []protocol.Committable, positions ...protocol.Position) {
	w.Helper()
	for i := range list {
		list[i].Checkpoint = 7
	}
	m := &checkpoint.Manifest{Job: job, Checkpoint: 7, Epoch: 2, Attempt: 3, KeyGroups: 1, Stages: []checkpoint.StageShape{{ID: "s", Parallelism: 1, Sink: true}},
		Snapshots: []protocol.Snapshot{{Task: 1, Committables: list, Positions: positions}}}
	raw := m.Encode(nil)
	w.put(m.Key(), raw)
	h := &checkpoint.Head{Job: job, Seq: 9, Epoch: 2, Attempt: 3, Next: 8, Sealed: sealed,
		Retained: []checkpoint.Retained{{Checkpoint: 7, Key: m.Key(), Sum: sha256.Sum256(raw)}},
		Pools:    []checkpoint.Pool{{Epoch: 2, Attempt: 3, Sink: "s", Parallelism: 1, Size: 4}}}
	w.put(checkpoint.HeadKey, h.Encode(nil))
	if w.cluster != nil && w.cluster.TopicInfo(txn.LedgerTopic(job, "s")) == nil {
		if err := w.cluster.CreateTopic(txn.LedgerTopic(job, "s"), 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			w.Fatal(err)
		}
	}
}

// examine examines, and reads the report as a user does.
func (w *world) examine() (*Report, string) {
	w.Helper()
	begin := time.Now()
	r := Examine(w.Context(), w.o)
	if took := time.Since(begin); took > 15*time.Second {
		w.Errorf("it took %v", took)
	}
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		w.Fatal(err)
	}
	return r, b.String()
}

// finds demands findings: each is "level check object: words".
func (w *world) finds(code int, want ...string) {
	w.Helper()
	r, text := w.examine()
	if r.ExitCode() != code {
		w.Errorf("exit code %d, want %d", r.ExitCode(), code)
	}
	for _, f := range r.Findings {
		if f.Level != OK && f.Do == "" {
			w.Errorf("nothing to do about %+v", f)
		}
	}
	for _, want := range want {
		head, words, _ := strings.Cut(want, ": ")
		level, what, _ := strings.Cut(head, " ")
		found := false
		for _, f := range r.Findings {
			found = found || string(f.Level) == level && f.Check+" "+f.Object == what && strings.Contains(f.Found+" do: "+f.Do, words)
		}
		if !found {
			w.Errorf("no %q in\n%s", want, text)
		}
	}
	w.Log("\n" + text)
}

// abort ends a transaction in the name of its writer.
func (w *world) abort(c protocol.Committable) {
	w.Helper()
	d, err := kafka.New(kafka.Options{Brokers: w.o.Brokers, Pool: new(engine.Pool), Logger: w.o.Logger})
	if err != nil {
		w.Fatal(err)
	}
	defer d.Close()
	got := make(chan protocol.Event, 1)
	d.Perform(protocol.Address{}, protocol.EndTxn{Op: 1, ID: c.ID, Producer: c.Producer, Version: c.Version}, func(ev protocol.Event) { got <- ev })
	if ended := (<-got).(protocol.Ended); ended.Outcome != protocol.OK {
		w.Fatalf("%+v", ended)
	}
}

// mark writes an abort marker that the coordinator does not know of, as kafka-transactions.sh does.
func (w *world) mark(c protocol.Committable) {
	w.Helper()
	cl, err := w.o.Kafka().Connect()
	if err != nil {
		w.Fatal(err)
	}
	defer cl.Close()
	set := kadm.TopicsSet{}
	set.Add(w.topic, 1)
	done, err := kadm.NewClient(cl).WriteTxnMarkers(w.Context(), kadm.TxnMarkers{ProducerID: c.Producer.ID, ProducerEpoch: c.Producer.Epoch, Topics: set})
	if err != nil {
		w.Fatal(err)
	}
	for _, d := range done {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				if p.Err != nil {
					w.Fatal(p.Err)
				}
			}
		}
	}
}

func (w *world) remove(topic string) {
	w.Helper()
	cl, err := w.o.Kafka().Connect()
	if err != nil {
		w.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).DeleteTopic(w.Context(), topic); err != nil {
		w.Fatal(err)
	}
}

func ids(list []Txn) string {
	var all []string
	for _, t := range list {
		all = append(all, t.ID+" "+t.What)
	}
	return strings.Join(all, "\n")
}

func (w *world) openIDs() string {
	w.Helper()
	list, err := List(context.WithoutCancel(w.Context()), w.o)
	if err != nil {
		w.Fatal(err)
	}
	return ids(list)
}
