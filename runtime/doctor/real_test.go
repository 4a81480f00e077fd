package doctor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"weir/protocol"
	"weir/protocol/txn"
	"weir/runtime/access"
	"weir/runtime/access/accesstest"
	"weir/runtime/conformance"
	"weir/runtime/s3"
)

const password = "hush-hush"

// realm is a real broker with listeners for plain TCP, TLS, and TLS with SASL, whose users may do nothing that they
// were not granted, but for those who come in plain TCP.
type realm struct {
	*testing.T
	ca                 *accesstest.CA
	plain, secure, sas string // addresses
	adm                *kadm.Client
	exe                string // of the job
}

func startRealm(t *testing.T) *realm {
	t.Helper()
	conformance.Need(t, "kafka")
	r := &realm{T: t, ca: accesstest.NewCA(t)}
	port := freePort(t, 2, 4, 100)
	for i, to := range []*string{&r.plain, &r.secure, &r.sas} {
		*to = fmt.Sprintf("127.0.0.1:%d", port+2*i)
	}
	cert, key := r.ca.Pair()
	store := filepath.Join(t.TempDir(), "keystore.pem")
	if err := os.WriteFile(store, append(key, cert...), 0o600); err != nil {
		t.Fatal(err)
	}
	listeners := fmt.Sprintf("PLAINTEXT://%s,SSL://%s,SASL_SSL://%s", r.plain, r.secure, r.sas)
	set := []string{
		fmt.Sprintf("listeners=%s,CONTROLLER://127.0.0.1:%d", listeners, port+100),
		"advertised.listeners =" + listeners, // with a space, which the script does not look for
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + store, "ssl.truststore.type=PEM", "ssl.truststore.location=" + r.ca.File,
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		`listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_weir="` + password + `"\u003b`,
		`listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required\u003b`,
		`listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required\u003b`,
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS",
	}
	env := append(os.Environ(), "KAFKA_RUN="+t.TempDir(), fmt.Sprintf("KAFKA_PORT=%d", port), "KAFKA_SET="+strings.Join(set, ";"), fmt.Sprintf("OWNER=%d", os.Getpid()))
	script := func(verb string) {
		cmd := exec.Command("../conformance/kafka.sh", verb)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	t.Cleanup(func() { script("stop") })
	script("start")
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.plain))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	r.adm = kadm.NewClient(cl)
	r.users()
	r.exe = filepath.Join(t.TempDir(), "accesslog")
	if out, err := exec.Command("go", "build", "-o", r.exe, "weir/cmd/accesslog").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

// freePort is a port that is free, and so are those above it by these distances. It lies below the ports that systems give
// to clients.
func freePort(t *testing.T, distances ...int) int {
	t.Helper()
	for port := 20000 + os.Getpid()%8000; port < 30000; port += 7 {
		if !slices.ContainsFunc(append(distances, 0), func(d int) bool {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+d))
			if err == nil {
				l.Close()
			}
			return err != nil
		}) {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// users makes weir, who may what a job needs, and poor, who may not write transactions.
func (r *realm) users() {
	r.Helper()
	ctx := r.Context()
	if _, err := r.adm.CreateTopics(ctx, 3, 1, nil, "access", "access-stats"); err != nil {
		r.Fatal(err)
	}
	for _, m := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		var upserts []kadm.UpsertSCRAM
		for _, user := range []string{"weir", "poor"} {
			upserts = append(upserts, kadm.UpsertSCRAM{User: user, Mechanism: m, Iterations: 4096, Password: password})
		}
		if done, err := r.adm.AlterUserSCRAMs(ctx, nil, upserts); err != nil || !done.Ok() {
			r.Fatal(err, done)
		}
	}
	acls := []*kadm.ACLBuilder{
		kadm.NewACLs().Allow("User:weir", "User:poor").AllowHosts().Topics("access").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpRead, kadm.OpWrite, kadm.OpDescribe, kadm.OpCreate, kadm.OpDescribeConfigs),
		kadm.NewACLs().Allow("User:weir").AllowHosts().TransactionalIDs("accesslog/").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpWrite, kadm.OpDescribe),
	}
	for _, a := range acls {
		if done, err := r.adm.CreateACLs(ctx, a); err != nil || done[0].Err != nil {
			r.Fatal(err, done)
		}
	}
}

// job is the production job with these flags, in a process of its own.
func (r *realm) job(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd, said := exec.Command(r.exe, append([]string{"-interval", "200ms", "-timeout", "5s"}, args...)...), new(bytes.Buffer)
	cmd.Stderr = said
	cmd.Env = append(os.Environ(), "WEIR_KAFKA_PASSWORD="+password, "WEIR_S3_SECRET_KEY="+conformance.SecretKey)
	return cmd, said
}

// refused demands that the job refuses to start, with these words, in time.
func (r *realm) refused(want string, args ...string) {
	r.Helper()
	cmd, said := r.job(args...)
	begin := time.Now()
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 2 {
		r.Errorf("%v: exit code %d, %v", args, code, err)
	}
	if took := time.Since(begin); took > 15*time.Second {
		r.Errorf("%v: it took %v", args, took)
	}
	if !strings.Contains(said.String(), want) || strings.Contains(said.String(), password) || strings.Contains(said.String(), conformance.SecretKey) {
		r.Errorf("%v: said %q, want %q", args, said, want)
	}
	r.Logf("%v\n%s", args, said)
}

// TestRealKafka: what a real broker answers to wrong listeners, authorities, users, passwords and rights.
func TestRealKafka(t *testing.T) {
	r := startRealm(t)
	bucket := filepath.Join(t.TempDir(), "bucket")
	other := accesstest.NewCA(t)
	login := func(user, mechanism string, more ...string) []string {
		return append([]string{"-bucket", bucket, "-brokers", r.sas, "-kafka-ca", r.ca.File, "-kafka-user", user, "-kafka-sasl", mechanism}, more...)
	}
	r.refused("answers by TLS: speak TLS to it (-kafka-tls", "-bucket", bucket, "-brokers", r.secure)
	r.refused("give the CA that signed the broker's certificate (-kafka-ca)", "-bucket", bucket, "-brokers", r.secure, "-kafka-ca", other.File)
	r.refused("give the CA that signed the broker's certificate (-kafka-ca)", "-bucket", bucket, "-brokers", r.secure, "-kafka-tls")
	r.refused("if this listener does not speak TLS", "-bucket", bucket, "-brokers", r.plain, "-kafka-tls")
	r.refused("it wants SASL (-kafka-sasl, -kafka-user)", "-bucket", bucket, "-brokers", r.sas, "-kafka-ca", r.ca.File)
	r.refused("check the user, the password and the mechanism", login("nobody", "scram-sha-512")...)
	r.refused("check the user, the password and the mechanism", login("nobody", "plain")...)
	r.refused("choose another (-kafka-sasl), or another port", "-bucket", bucket, "-brokers", r.secure, "-kafka-ca", r.ca.File, "-kafka-user", "weir", "-kafka-sasl", "plain")
	r.refused(`grant the job's user WRITE and DESCRIBE on transactional ids that begin with "accesslog/"`, login("poor", "scram-sha-256")...)
	r.refused("-transaction-timeout 20m0s is above what the brokers allow: raise their transaction.max.timeout.ms", login("weir", "plain", "-transaction-timeout", "20m")...)
	if list, err := r.adm.ListTopics(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("topics were made: %v, %v", list.Names(), err)
	}
	r.lives()
}

// lives: a job runs by TLS and SCRAM on Kafka and by TLS on S3, is killed, and the doctor and txn tell what it left.
func (r *realm) lives() {
	r.Helper()
	cert, key := r.ca.Files()
	s := conformance.StartS3(r.T, conformance.S3Options{Cert: cert, Key: key})
	at := []string{"-bucket", "s3://" + conformance.BucketName + "/job", "-s3-endpoint", s.Endpoint, "-s3-access-key", conformance.AccessKey}
	flags := append(at, "-brokers", r.sas, "-kafka-ca", r.ca.File, "-s3-ca", r.ca.File, "-kafka-user", "weir", "-kafka-sasl", "scram-sha-512", "-transaction-timeout", "60s")
	r.buckets(s, flags)

	feeder, err := kgo.NewClient(kgo.SeedBrokers(r.plain), kgo.DefaultProduceTopic("access"))
	if err != nil {
		r.Fatal(err)
	}
	defer feeder.Close()
	out, err := kgo.NewClient(kgo.SeedBrokers(r.plain), kgo.ConsumeTopics("access-stats"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		r.Fatal(err)
	}
	defer out.Close()
	job, said := r.job(flags...)
	if err := job.Start(); err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	line := `1.2.3.4 - - [25/Nov/2026:06:00:00 +0000] "GET /index.html HTTP/1.1" 200 17 "-" "-"`
	if err := feeder.ProduceSync(ctx, kgo.StringRecord(line)).FirstErr(); err != nil {
		r.Fatal(err)
	}
	if n := out.PollFetches(ctx).NumRecords(); n == 0 {
		job.Process.Kill()
		job.Wait()
		r.Fatalf("no output; the job said:\n%s", said)
	}
	o := r.options(s)
	left := r.killWithOpen(ctx, job, feeder, line, o)
	version := []string{"Kafka 4.", "ok       transaction.version of the cluster: 2"}
	if strings.HasPrefix(os.Getenv("KAFKA_VERSION"), "3.") {
		version = []string{"Kafka 3.", "warning  transaction.version of the cluster: "}
	}
	r.finds(o, 0, append(version, "within 1s of this machine's", "ok       rights accesslog/*", left.ID+": open for")...)
	r.ends(ctx, o, left)
	r.byHand()
}

// byHand: what is decided is aborted, or ended by a marker, behind the coordinator's back.
func (r *realm) byHand() {
	r.Helper()
	w := &world{T: r.T, topic: "access-stats", o: Options{Options: access.Options{Brokers: []string{r.plain}, Bucket: r.TempDir()}, Config: shortConfig(), Logger: slog.New(slog.DiscardHandler)}}
	w.o.Topics = []string{w.topic}
	slot := txn.SlotName{Job: job, Sink: "s", Epoch: 2, Attempt: 3}
	aborted := w.open(slot)
	slot.Slot++
	marked := w.open(slot)
	if strings.HasPrefix(os.Getenv("KAFKA_VERSION"), "3.") {
		aborted.Version = 4 // of EndTxn: it has no other
	}
	if _, err := r.adm.CreateTopic(r.Context(), 1, 1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}, txn.LedgerTopic(job, "s")); err != nil {
		r.Fatal(err)
	}
	w.decide(6, []protocol.Committable{aborted, marked})
	w.finds(0, "warning transaction "+string(aborted.ID)+": start the job: it commits it")
	w.abort(aborted)
	w.mark(marked)
	w.finds(1, "breaks transaction "+string(aborted.ID)+": it was decided by checkpoint 7 and is aborted", "breaks partition access-stats/1: somebody wrote a marker by hand")
}

// buckets are refused by a real server.
func (r *realm) buckets(s *conformance.S3, flags []string) {
	r.Helper()
	other := accesstest.NewCA(r.T)
	more := func(m ...string) []string { return append(append([]string(nil), flags...), m...) }
	r.refused("the bucket does not exist", more("-bucket", "s3://no-such-bucket/job")...)
	r.refused("the server does not know the access key", more("-s3-access-key", "nobody")...)
	r.refused("give the CA that signed the server's certificate (-s3-ca)", more("-s3-ca", other.File)...)
	r.refused("s3: ", more("-s3-endpoint", strings.Replace(s.Endpoint, "https", "http", 1), "-s3-ca", "")...)
	wrong := filepath.Join(r.TempDir(), "secret")
	if err := os.WriteFile(wrong, []byte("another"), 0o600); err != nil {
		r.Fatal(err)
	}
	cmd, said := r.job(more("-s3-secret-key-file", wrong)...)
	cmd.Env = append(cmd.Env, "WEIR_S3_SECRET_KEY=")
	if cmd.Run(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(said.String(), "the secret key is wrong") {
		r.Errorf("%d: %s", cmd.ProcessState.ExitCode(), said)
	}
}

func (r *realm) options(s *conformance.S3) Options {
	return Options{
		Options: access.Options{Brokers: []string{r.sas}, TLS: trust(r.T, r.ca), SASL: scram.Auth{User: "weir", Pass: password}.AsSha256Mechanism(), Bucket: "s3://weir/job",
			S3: s3.Options{Bucket: conformance.BucketName, Prefix: "job", Endpoint: s.Endpoint, AccessKey: conformance.AccessKey, SecretKey: conformance.SecretKey, PathStyle: true, TLS: trust(r.T, r.ca)}},
		Topics: []string{"access", "access-stats"}, Config: shortConfig(), Logger: slog.New(slog.DiscardHandler),
	}
}

func shortConfig() protocol.Config {
	c := protocol.Defaults()
	c.Interval, c.Timeout, c.TxnTimeout = protocol.Millisecond, 5*protocol.Second, protocol.Minute
	return c
}

// killWithOpen kills the job while a transaction is open, and returns that one.
func (r *realm) killWithOpen(ctx context.Context, job *exec.Cmd, feeder *kgo.Client, line string, o Options) Txn {
	r.Helper()
	for ctx.Err() == nil {
		if err := feeder.ProduceSync(ctx, kgo.StringRecord(line)).FirstErr(); err != nil {
			r.Fatal(err)
		}
		list, err := openTxns(ctx, r.adm, "accesslog", nil)
		if err != nil {
			r.Fatal(err)
		}
		if len(list) == 0 {
			continue
		}
		job.Process.Kill()
		job.Wait()
		if list, err = List(ctx, o); err != nil {
			r.Fatal(err)
		}
		if len(list) > 0 && list[0].State == "Ongoing" {
			return list[0]
		}
		r.Fatal("the transaction ended when the job was killed: ", list)
	}
	r.Fatal("no transaction was seen open")
	return Txn{}
}

// finds examines, in time, and demands words of the text.
func (r *realm) finds(o Options, code int, want ...string) {
	r.Helper()
	begin := time.Now()
	report := Examine(r.Context(), o)
	var b strings.Builder
	if err := report.Text(&b); err != nil {
		r.Fatal(err)
	}
	r.Logf("in %v\n%s", time.Since(begin), &b)
	if report.ExitCode() != code || time.Since(begin) > 15*time.Second {
		r.Errorf("exit code %d, want %d, after %v", report.ExitCode(), code, time.Since(begin))
	}
	for _, w := range want {
		if !strings.Contains(b.String(), w) {
			r.Errorf("no %q", w)
		}
	}
}

// ends: the transaction that is left is not aborted unless by force; then it is aborted for its coordinator and for readers.
func (r *realm) ends(ctx context.Context, o Options, left Txn) {
	r.Helper()
	var b strings.Builder
	if err := Abort(ctx, o, []string{left.ID}, false, &b); err == nil || !strings.Contains(err.Error(), "nothing was aborted") {
		r.Errorf("%v: %s", err, &b)
	}
	if err := Abort(ctx, o, []string{left.ID}, true, &b); err != nil {
		r.Errorf("%v: %s", err, &b)
	}
	r.Log(b.String())
	if list, err := List(ctx, o); err != nil || strings.Contains(ids(list), left.ID+" ") {
		r.Errorf("%v, %s", err, ids(list))
	}
	if left.standing == decided {
		r.finds(o, 1, "it was decided by checkpoint")
	}
	if got, err := r.adm.DescribeTransactions(ctx, left.ID); err != nil || got[left.ID].State == "Ongoing" {
		r.Errorf("%v %+v", err, got)
	}
}
