package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"weir/protocol"
	"weir/protocol/txn"
	"weir/runtime/access/accesstest"
	"weir/runtime/s3"
)

func TestAllIsWell(t *testing.T) {
	w := newWorld(t, kfake.BrokerConfigs(map[string]string{"min.insync.replicas": "2"}))
	w.o.Topics = []string{"in", "out"}
	w.decide(7, nil)
	r, text := w.examine()
	if r.ExitCode() != 0 || r.count(OK) != len(r.Findings) || len(r.Findings) < 10 {
		t.Error(text)
	}
	for _, want := range []string{`job "counts", epoch 2, attempt 3, newest decided checkpoint 7, sealed up to 7`, "of writers at once one wins", "transactions counts/*: 0 open, none is left behind",
		"topic in: 2 partitions, 3 replicas, 2 must be in sync, 3 are", fmt.Sprintf("%d checks: %d ok\n", len(r.Findings), len(r.Findings))} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestJSON(t *testing.T) {
	var r Report
	r.ok("a", "b", "fine & dandy")
	r.add(Breaks, "c", "d", "found", "do")
	var b strings.Builder
	if err := r.JSON(&b, 3); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema   int            `json:"schema_version"`
		Code     int            `json:"exit_code"`
		Counts   map[string]int `json:"counts"`
		Findings []Finding      `json:"findings"`
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil || got.Schema != 3 || got.Code != 1 || got.Counts["breaks"] != 1 || got.Counts["warning"] != 0 || got.Findings[0].Found != "fine & dandy" {
		t.Errorf("%v %+v", err, got)
	}
}

func TestExitCodes(t *testing.T) {
	for want, levels := range map[int][]Level{0: {OK, Warning}, 1: {Unasked, Breaks, Refuses}, 2: {OK, Refuses}} {
		var r Report
		for _, l := range levels {
			r.add(l, "", "", "", "")
		}
		if got := r.ExitCode(); got != want {
			t.Errorf("%v: %d, want %d", levels, got, want)
		}
	}
	r := Report{Findings: []Finding{{Level: Unasked}}}
	if r.ExitCode() != 2 {
		t.Error("what could not be asked is no success")
	}
}

func TestBrokerTooOld(t *testing.T) {
	newWorld(t, kfake.MaxVersions(kversion.V3_4_0())).finds(1, "breaks version broker 0: upgrade it", "warning transaction.version of the cluster: 0: weir works")
}

func TestTimeouts(t *testing.T) {
	limit := kfake.BrokerConfigs(map[string]string{"transaction.max.timeout.ms": "600000"})
	newWorld(t, limit).finds(2, "refuses transaction timeout 15m0s: allow 10m0s: they refuse every transaction of the job do: raise their transaction.max.timeout.ms")
	w := newWorld(t, limit)
	w.o.Config.TxnTimeout = 8 * protocol.Minute
	w.o.Config.Interval = 49 * protocol.Second
	w.o.Config.Timeout = 30 * protocol.Second
	w.finds(0, "warning transaction timeout 8m0s: less than 10 intervals of 49s")
	w.o.Config.TxnTimeout = protocol.Minute
	w.finds(2, "refuses transaction timeout 1m0s: half of it must cover interval")
}

// A user that may not ask for the limit tries it, if the job is known.
func TestRights(t *testing.T) {
	t.Setenv("WEIR_KAFKA_PASSWORD", "hush")
	grant := func(kind kmsg.ACLResourceType, name string, ops ...kmsg.ACLOperation) (list []kfake.ACL) {
		for _, op := range ops {
			list = append(list, kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypePrefixed, Operation: op, Allow: true})
		}
		return list
	}
	world := func(acls []kfake.ACL) *world {
		w := newWorld(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "me", "hush", acls...), kfake.BrokerConfigs(map[string]string{"transaction.max.timeout.ms": "600000"}))
		w.o.SASL = mechanism("me", "hush")
		w.o.Topics = []string{"in"}
		return w
	}
	txns := grant(kmsg.ACLResourceTypeTransactionalId, job+"/", kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe)
	w := world(txns)
	w.finds(2, "warning credentials "+strings.Join(w.o.Brokers, ",")+": travels in clear", "unasked transaction timeout 15m0s: name the job (-job)", "unasked topic in: grant the job's user DESCRIBE on it")
	w.o.Job = job
	w.finds(2, "refuses transaction timeout 15m0s: the brokers refuse it", "ok rights counts/*: may write transactions")
	w.o.Job = "other"
	w.finds(2, "refuses rights other/*: transactional ids that begin with \"other/\"")
	w.o.SASL = mechanism("me", "wrong")
	w.finds(2, "unasked brokers "+strings.Join(w.o.Brokers, ",")+": check the user, the password")
}

func TestTopics(t *testing.T) {
	w := newWorld(t, kfake.BrokerConfigs(map[string]string{"min.insync.replicas": "2"}))
	for name, config := range map[string]map[string]string{"weak": {"min.insync.replicas": "1"}, "unclean": {"unclean.leader.election.enable": "true"}, txn.LedgerTopic(job, "s"): {"cleanup.policy": "delete"}} {
		if err := w.cluster.CreateTopic(name, 1, config); err != nil {
			t.Fatal(err)
		}
	}
	w.o.Topics = []string{"in", "weak", "unclean", "absent"}
	w.decide(7, nil, protocol.Position{Topic: "in", TopicID: w.cluster.TopicInfo("in").TopicID}, protocol.Position{Topic: "out", TopicID: protocol.TopicID{1}})
	w.finds(1, "ok topic in: must be in sync", "warning topic weak: set min.insync.replicas to 2", "breaks topic unclean: set it to false", "refuses topic absent: create it",
		"breaks topic counts.s.ledger: set it to compact", "breaks topic out: it was deleted and created again")
	newWorld(t, kfake.NumBrokers(1)).finds(0)
}

func TestLedgerGone(t *testing.T) {
	w := newWorld(t)
	w.decide(7, nil)
	w.remove(txn.LedgerTopic(job, "s"))
	w.finds(1, "breaks topic counts.s.ledger: the ledger is gone")
}

func TestBuckets(t *testing.T) {
	ca := accesstest.NewCA(t)
	for name, c := range map[string]struct {
		bucket *accesstest.Bucket
		change func(*s3.Options)
		code   int
		want   []string
	}{
		"fit":           {&accesstest.Bucket{}, nil, 0, []string{"ok conditional writes", "ok clock", "ok checkpoints"}},
		"missing":       {&accesstest.Bucket{Missing: true}, nil, 2, []string{"unasked conditional writes: the bucket does not exist"}},
		"read-only":     {&accesstest.Bucket{ReadOnly: true}, nil, 2, []string{"unasked conditional writes: s3:PutObject"}},
		"careless":      {&accesstest.Bucket{Careless: true}, nil, 1, []string{"breaks conditional writes: it ignores If-None-Match"}},
		"many winners":  {&accesstest.Bucket{CheckThen: true}, nil, 1, []string{"breaks conditional writes: several coordinators could win"}},
		"clock":         {&accesstest.Bucket{Ahead: time.Minute}, nil, 0, []string{"warning clock: is 1m0s off", "ok conditional writes"}},
		"clock refused": {&accesstest.Bucket{Ahead: -time.Hour}, nil, 2, []string{"refuses clock: is -1h0m0s off", "unasked conditional writes: clock"}},
		"wrong key":     {&accesstest.Bucket{}, func(o *s3.Options) { o.AccessKey = "me" }, 2, []string{"unasked conditional writes: does not know the access key"}},
		"unreachable":   {&accesstest.Bucket{}, func(o *s3.Options) { o.Endpoint = "http://127.0.0.1:1" }, 2, []string{"unasked conditional writes: reachable"}},
		"half a key":    {&accesstest.Bucket{}, func(o *s3.Options) { o.SecretKey = "" }, 2, []string{"unasked bucket: together"}},
		"silent":        {&accesstest.Bucket{}, func(o *s3.Options) { o.Endpoint = "http://" + accesstest.Silent(t) }, 2, []string{"unasked conditional writes: silent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.o.Brokers, w.o.Bucket = nil, "s3://weir/p"
			w.o.S3 = s3.Options{Endpoint: c.bucket.Start(t, ca.Server()), Bucket: accesstest.BucketName, Prefix: "p", AccessKey: accesstest.AccessKey, SecretKey: "hush", PathStyle: true, TLS: trust(t, ca)}
			if c.change != nil {
				c.change(&w.o.S3)
			}
			var want []string
			for _, text := range c.want {
				head, words, _ := strings.Cut(text, ": ")
				want = append(want, head+" s3://weir/p: "+words)
			}
			w.finds(c.code, want...)
			if left := c.bucket.Keys(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestCheckpoints(t *testing.T) {
	w := newWorld(t)
	w.o.Brokers = nil
	w.finds(0, "ok checkpoints "+w.o.Bucket+": no job has used the bucket yet")
	w.decide(7, nil)
	w.o.Job = "other"
	w.finds(2, `refuses checkpoints `+w.o.Bucket+`: HEAD belongs to job "counts", not to "other"`)
	w.o.Job = ""
	manifest := filepath.Join(w.o.Bucket, "manifest")
	if err := os.Rename(manifest, manifest+"-away"); err != nil {
		t.Fatal(err)
	}
	w.finds(1, "breaks checkpoints "+w.o.Bucket+": checkpoint 7: manifest/7-2-3 is not in the bucket: somebody removed it")
	w.put("manifest/7-2-3", []byte("another"))
	w.finds(1, "breaks checkpoints "+w.o.Bucket+": manifest/7-2-3 is another object than HEAD names")
	w = newWorld(t)
	w.o.Brokers = nil
	w.put("HEAD", []byte("hello"))
	w.finds(1, "breaks checkpoints "+w.o.Bucket+": not a HEAD of weir")
}

func TestStrangers(t *testing.T) {
	for want, addr := range map[string]string{"answers nothing": accesstest.Silent(t), "is not a Kafka broker": accesstest.Echo(t), "HTTP/1.1": accesstest.Web(t), "connection refused": "127.0.0.1:1"} {
		w := newWorld(t)
		w.o.Brokers, w.o.Bucket = []string{addr}, ""
		w.finds(2, "unasked brokers "+addr+": "+want)
	}
}

// several is a world with transactions of an ended attempt, one of them decided, of the current one, of another job and
// of somebody else.
func several(t *testing.T) (w *world, prepared, left, running, foreign protocol.TransactionalID) {
	w = newWorld(t)
	slot := func(attempt protocol.Attempt, slot int) txn.SlotName {
		return txn.SlotName{Job: job, Sink: "s", Epoch: 2, Attempt: attempt, Slot: slot}
	}
	c := w.open(slot(2, 0))
	prepared, left, running = c.ID, w.open(slot(2, 1)).ID, w.open(slot(3, 0)).ID
	foreign = w.open(txn.SlotName{Job: "other", Sink: "s", Epoch: 1, Attempt: 1}).ID
	stranger, err := kgo.NewClient(kgo.SeedBrokers(w.o.Brokers...), kgo.TransactionalID("not-ours"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stranger.Close)
	if err := stranger.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := stranger.ProduceSync(t.Context(), &kgo.Record{Topic: "in"}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.decide(6, []protocol.Committable{c})
	return w, prepared, left, running, foreign
}

// Transactions of the current attempt, of ended ones, decided and foreign ones are told apart.
func TestTransactions(t *testing.T) {
	w, prepared, left, running, _ := several(t)
	w.finds(0, "warning transaction "+string(left)+": readers of out/1 stand still behind it do: start the job: it fences it; or weir txn abort "+string(left))
	w.o.Config.Interval = protocol.Millisecond
	w.finds(0, "warning transaction "+string(prepared)+": start the job: it commits it", "warning transaction "+string(running)+": look whether the job still takes checkpoints")
	got := w.openIDs()
	for _, want := range []string{string(prepared) + " decided by checkpoint 7 and not sealed", string(left) + " of attempt 2.2, which has ended", string(running) + " of attempt 2.3, which is the job's current one"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "other/") || strings.Contains(got, "not-ours") {
		t.Error(got)
	}
	w.o.Bucket = ""
	if all := w.openIDs(); !strings.Contains(all, "other/") || strings.Contains(all, "not-ours") {
		t.Error(all)
	}
}

// Abort ends what nobody will commit, and what is decided, or may be, only by force.
func TestAbort(t *testing.T) {
	w, prepared, left, running, foreign := several(t)
	abort := func(force bool, ids ...protocol.TransactionalID) (string, error) {
		var b strings.Builder
		var list []string
		for _, id := range ids {
			list = append(list, string(id))
		}
		err := Abort(t.Context(), w.o, list, force, &b)
		return b.String(), err
	}
	before := w.openIDs()
	for id, want := range map[protocol.TransactionalID]string{prepared: "checkpoint 7 has decided it", running: "current attempt", foreign: "name that job's bucket"} {
		if _, err := abort(false, left, id); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("abort of %s: %v", id, err)
		}
	}
	if _, err := abort(true, left, "not-ours"); err == nil || !strings.Contains(err.Error(), "is no transactional id of weir") {
		t.Error(err)
	}
	if now := w.openIDs(); now != before {
		t.Errorf("a refused abort has done something:\n%s", now)
	}
	said, err := abort(false, left)
	if err != nil || !strings.Contains(said, "out/1") || !strings.HasSuffix(said, string(left)+": aborted\n") {
		t.Errorf("%v: %s", err, said)
	}
	if now := w.openIDs(); strings.Contains(now, string(left)) || !strings.Contains(now, string(prepared)) {
		t.Error(now)
	}
	if _, err := abort(false, left); err == nil || !strings.Contains(err.Error(), "is not open") {
		t.Error(err)
	}
	if _, err := abort(true, prepared); err != nil {
		t.Error(err)
	}
	if now := w.openIDs(); strings.Contains(now, string(prepared)) {
		t.Error(now)
	}
}

// What was decided and then aborted by the broker is lost, and the doctor says so.
func TestLost(t *testing.T) {
	w := newWorld(t)
	c := w.open(txn.SlotName{Job: job, Sink: "s", Epoch: 2, Attempt: 3})
	w.decide(6, []protocol.Committable{c})
	w.finds(0)
	w.cluster.ControlKey(int16(kmsg.DescribeTransactions), func(r kmsg.Request) (kmsg.Response, error, bool) { // as Kafka 4.3.0 does after the timeout
		w.cluster.KeepControl()
		resp := r.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		t := kmsg.NewDescribeTransactionsResponseTransactionState()
		t.TransactionalID, t.State, t.ProducerID, t.ProducerEpoch, t.StartTimestamp = string(c.ID), "CompleteAbort", c.Producer.ID, c.Producer.Epoch+1, -1
		resp.TransactionStates = append(resp.TransactionStates, t)
		return resp, nil, true
	})
	w.finds(1, "breaks transaction "+string(c.ID)+": it was decided by checkpoint 7 and is aborted: its 1 records are lost")
}

// producers makes the broker answer that these, and no others, have written to every partition.
func (w *world) producers(list ...kmsg.DescribeProducersResponseTopicPartitionActiveProducer) {
	w.cluster.ControlKey(int16(kmsg.DescribeProducers), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		resp := r.ResponseKind().(*kmsg.DescribeProducersResponse)
		for _, t := range r.(*kmsg.DescribeProducersRequest).Topics {
			to := kmsg.NewDescribeProducersResponseTopic()
			to.Topic = t.Topic
			for _, p := range t.Partitions {
				tp := kmsg.NewDescribeProducersResponseTopicPartition()
				tp.Partition, tp.ActiveProducers = p, list
				to.Partitions = append(to.Partitions, tp)
			}
			resp.Topics = append(resp.Topics, to)
		}
		return resp, nil, true
	})
}

// Somebody ended a decided transaction in one of its partitions by hand. (The broker of these tests does not tell; a real one does.)
func TestMarkedByHand(t *testing.T) {
	w := newWorld(t)
	w.o.Topics = []string{"out"}
	c := w.open(txn.SlotName{Job: job, Sink: "s", Epoch: 2, Attempt: 3})
	w.decide(6, []protocol.Committable{c})
	w.finds(0)
	w.producers()
	w.finds(1, "breaks partition out/1: somebody wrote a marker by hand")
}

// A transaction that no coordinator knows of is told once it is older than an interval.
func TestHanging(t *testing.T) {
	for age, want := range map[time.Duration][]string{
		0:                {"ok transactions of all jobs: 0 open"},
		31 * time.Second: {"warning partition out/0: no coordinator knows of it: it hangs", "warning partition out/1: kafka-transactions.sh abort --topic out --partition 1 --start-offset 5"},
	} {
		w := newWorld(t)
		w.o.Topics = []string{"out"}
		p := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		p.ProducerID, p.CurrentTxnStartOffset, p.LastTimestamp = 999, 5, time.Now().Add(-age).UnixMilli()
		w.producers(p)
		w.finds(0, want...)
	}
}
