package host

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/runtime/access/accesstest"
)

// A job runs, produces and stops by TLS and SASL to its broker, by TLS to its bucket; its user may do what it must, and no more.
func TestJobByTLS(t *testing.T) {
	t.Setenv("WEIR_KAFKA_PASSWORD", "hush-hush")
	t.Setenv("WEIR_S3_SECRET_KEY", "hush-hush")
	ca, b := accesstest.NewCA(t), &accesstest.Bucket{}
	acls := allow(kmsg.ACLResourceTypeTopic, "", kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe, kmsg.ACLOperationCreate)
	acls = append(acls, allow(kmsg.ACLResourceTypeTransactionalId, "counts/", kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe)...)
	_, addr := cluster(t, kfake.TLS(ca.Server()), kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("SCRAM-SHA-256", "weir", "hush-hush", acls...))
	flags := append(args(addr, "s3://"+accesstest.BucketName+"/job"), "-kafka-ca", ca.File, "-kafka-sasl", "scram-sha-256", "-kafka-user", "weir",
		"-s3-endpoint", b.Start(t, ca.Server()), "-s3-ca", ca.File, "-s3-access-key", accesstest.AccessKey)
	said := &strings.Builder{}
	cfg, err := Parse("counts", flags, said)
	if err != nil {
		t.Fatal(err)
	}
	p, err := open(counts, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := cfg.Kafka().Connect(kgo.DefaultProduceTopic("in"), kgo.DisableIdempotentWrite())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), kgo.StringRecord("word")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	code := make(chan int, 1)
	go func() {
		c, text := p.run(t.Context())
		t.Log(text)
		code <- c
	}()
	out, err := cfg.Kafka().Connect(kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if n := out.PollFetches(t.Context()).NumRecords(); n != 1 {
		t.Errorf("%d results", n)
	}
	p.engine.Stop()
	if c := <-code; c != exitDone {
		t.Errorf("exit code %d", c)
	}
	p.close()
	if strings.Contains(said.String(), "hush") || len(b.Keys()) == 0 {
		t.Errorf("%s %v", said, b.Keys())
	}
}

// Brokers that do not tell their limit, because the user may not ask, are tried.
func TestLimitNotTold(t *testing.T) {
	t.Setenv("WEIR_KAFKA_PASSWORD", "hush-hush")
	acls := allow(kmsg.ACLResourceTypeTopic, "", kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe)
	acls = append(acls, allow(kmsg.ACLResourceTypeTransactionalId, "counts/", kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe)...)
	_, addr := cluster(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "weir", "hush-hush", acls...),
		kfake.BrokerConfigs(map[string]string{"transaction.max.timeout.ms": "60000"}))
	said := &strings.Builder{}
	cfg, err := Parse("counts", append(args(addr, t.TempDir()), "-kafka-sasl", "plain", "-kafka-user", "weir"), said)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "the password for the brokers travels in clear") {
		t.Errorf("no warning of a password in clear: %s", said)
	}
	if told, err := checkLimit(t.Context(), cfg); told || err != nil {
		t.Fatalf("told: %t, %v", told, err)
	}
	if err := tryLimit(t.Context(), "counts", cfg); err == nil || !strings.Contains(err.Error(), "15m0s is above what the brokers allow: raise their transaction.max.timeout.ms") {
		t.Error(err)
	}
	if _, err := open(counts, cfg); err == nil || !strings.Contains(err.Error(), "above what the brokers allow") {
		t.Errorf("open: %v", err)
	}
	cfg.Job.TxnTimeout /= 15
	if err := tryLimit(t.Context(), "counts", cfg); err != nil {
		t.Error(err)
	}
}

// Transactions that outlive a few checkpoints only are warned of.
func TestShortTransactions(t *testing.T) {
	for timeout, warned := range map[string]bool{"290s": true, "300s": false} {
		said := &strings.Builder{}
		cfg, err := Parse("counts", []string{"-brokers", "h:1", "-bucket", "x", "-timeout", "20s", "-transaction-timeout", timeout}, said)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(said.String(), "less than 10 intervals") != warned || !cfg.Log.Enabled(t.Context(), slog.LevelInfo) {
			t.Errorf("%s: said %q", timeout, said)
		}
	}
}
