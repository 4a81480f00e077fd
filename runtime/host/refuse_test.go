package host

import (
	"crypto/tls"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"weir/runtime/access/accesstest"
)

// cluster is a broker with both topics; its address, and the topics that are there in the end.
func cluster(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, string) {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(3, "in", "out"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, c.ListenAddrs()[0]
}

// allow lets a user do this to whatever begins with name; an empty name is for all.
func allow(kind kmsg.ACLResourceType, name string, ops ...kmsg.ACLOperation) (list []kfake.ACL) {
	for _, op := range ops {
		list = append(list, kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypePrefixed, Operation: op, Allow: true})
	}
	return list
}

// refused demands that a start is refused with these words, in time, and that nothing is written.
func refused(t *testing.T, c *kfake.Cluster, dir string, args []string, words ...string) {
	t.Helper()
	begin, said := time.Now(), &strings.Builder{}
	if code := Run(counts, "counts", args, said); code != exitRefused {
		t.Errorf("exit code %d, want %d", code, exitRefused)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, w := range words {
		if !strings.Contains(said.String(), w) {
			t.Errorf("said %q, want %q in it", said, w)
		}
	}
	if strings.Contains(said.String(), "hush") {
		t.Errorf("a secret is told: %s", said)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("wrote %v", files)
	}
	if c != nil && (c.TopicInfo("counts.out.ledger") != nil || len(c.PartitionInfos("in")) != 3) {
		t.Error("topics were made")
	}
	t.Log(said.String())
}

// What stands where a broker should, and is none.
func TestRefusedStrangers(t *testing.T) {
	for name, c := range map[string]struct {
		addr func(testing.TB) string
		want string
	}{
		"silent":   {accesstest.Silent, "accepts connections and answers nothing"},
		"an echo":  {accesstest.Echo, "what answers is not a Kafka broker"},
		"web":      {accesstest.Web, `it began with "HTTP/1.1"`},
		"hangs up": {accesstest.Closing, "closes the connection at the first request"},
		"nobody":   {func(testing.TB) string { return "127.0.0.1:1" }, "connection refused; check that the address is right and the broker up"},
		"no name":  {func(testing.TB) string { return "no-such-host.invalid:9092" }, "check that the address is right"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			refused(t, nil, dir, args(c.addr(t), dir), "kafka: no broker of", c.want)
		})
	}
}

func TestRefusedByBroker(t *testing.T) {
	ca, other := accesstest.NewCA(t), accesstest.NewCA(t)
	secure, sasl := kfake.TLS(ca.Server()), []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "weir", "right")}
	t.Setenv("WEIR_KAFKA_PASSWORD", "hush-hush")
	login := []string{"-kafka-sasl", "scram-sha-512", "-kafka-user", "weir"}
	every := []kmsg.ACLOperation{kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe, kmsg.ACLOperationCreate}
	user := func(acls ...kfake.ACL) []kfake.Opt {
		return []kfake.Opt{kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("SCRAM-SHA-512", "weir", "hush-hush", acls...)}
	}
	topics := allow(kmsg.ACLResourceTypeTopic, "", every...)
	for name, c := range map[string]struct {
		opts []kfake.Opt
		args []string
		want string
	}{
		"too old":           {[]kfake.Opt{kfake.MaxVersions(kversion.V3_4_0())}, nil, "is too old: brokers below 3.6 do not verify transactions; upgrade it"},
		"wrong CA":          {[]kfake.Opt{secure}, []string{"-kafka-ca", other.File}, "give the CA that signed the broker's certificate (-kafka-ca)"},
		"CA not given":      {[]kfake.Opt{secure}, []string{"-kafka-tls"}, "(-kafka-ca)"},
		"TLS not asked for": {[]kfake.Opt{secure}, nil, "it wants TLS (-kafka-tls)"},
		"TLS to plain":      {nil, []string{"-kafka-ca", ca.File}, "if this listener does not speak TLS, name another, or leave TLS out"},
		"other name":        {[]kfake.Opt{kfake.TLS(ca.Server("elsewhere"))}, []string{"-kafka-ca", ca.File}, "name the broker as its certificate does"},
		"wrong password":    {sasl, login, "check the user, the password and the mechanism"},
		"other mechanism":   {sasl, []string{"-kafka-sasl", "scram-sha-256", "-kafka-user", "weir"}, "-kafka-sasl"},
		"no SASL":           {sasl, nil, "it wants SASL (-kafka-sasl, -kafka-user)"},
		"no transactions":   {user(topics...), login, `grant the job's user WRITE and DESCRIBE on transactional ids that begin with "counts/"`},
		"topic not written": {user(slices.Concat(allow(kmsg.ACLResourceTypeTopic, "", kmsg.ACLOperationRead), allow(kmsg.ACLResourceTypeTopic, "weir", every...), allow(kmsg.ACLResourceTypeTransactionalId, "counts/", every...))...), login, `grant the job's user WRITE on topic "out"`},
		"long transactions": {[]kfake.Opt{kfake.BrokerConfigs(map[string]string{"transaction.max.timeout.ms": "60000"})}, nil, "-transaction-timeout 15m0s is above the 1m0s that the brokers allow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cl, addr := cluster(t, c.opts...)
			refused(t, cl, dir, append(args(addr, dir), c.args...), "kafka: ", c.want)
		})
	}
}

func TestRefusedByBucket(t *testing.T) {
	t.Setenv("WEIR_S3_SECRET_KEY", "hush-hush")
	ca, other := accesstest.NewCA(t), accesstest.NewCA(t)
	for name, c := range map[string]struct {
		bucket *accesstest.Bucket
		secure *tls.Config
		args   []string
		want   string
	}{
		"missing":        {bucket: &accesstest.Bucket{Missing: true}, want: "the bucket does not exist: make it, or correct its name, endpoint or region"},
		"wrong key":      {args: []string{"-s3-access-key", "somebody"}, want: "the server does not know the access key"},
		"read-only":      {bucket: &accesstest.Bucket{ReadOnly: true}, want: "the access key needs s3:GetObject, s3:PutObject and s3:DeleteObject"},
		"careless":       {bucket: &accesstest.Bucket{Careless: true}, want: "the bucket cannot be used: it ignores If-None-Match"},
		"many winners":   {bucket: &accesstest.Bucket{CheckThen: true}, want: "several coordinators could win"},
		"clock":          {bucket: &accesstest.Bucket{Ahead: time.Hour}, want: "set this machine's clock right"},
		"wrong CA":       {secure: ca.Server(), args: []string{"-s3-ca", other.File}, want: "give the CA that signed the server's certificate (-s3-ca)"},
		"not reachable":  {args: []string{"-s3-endpoint", "http://127.0.0.1:1"}, want: "check that the endpoint is right and reachable"},
		"silent":         {args: []string{"-s3-endpoint", "http://" + accesstest.Silent(t)}, want: "the server was silent"},
		"plain, not TLS": {secure: ca.Server(), args: []string{"-s3-endpoint", "http"}, want: "endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.bucket == nil {
				c.bucket = &accesstest.Bucket{}
			}
			cl, addr := cluster(t)
			flags := args(addr, "s3://"+accesstest.BucketName+"/job")
			flags = append(flags, "-s3-access-key", accesstest.AccessKey, "-s3-endpoint", c.bucket.Start(t, c.secure))
			refused(t, cl, t.TempDir(), append(flags, c.args...), "s3: ", c.want)
			if keys := c.bucket.Keys(); len(keys) > 0 {
				t.Errorf("left behind: %v", keys)
			}
		})
	}
}
