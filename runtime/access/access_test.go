package access

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/runtime/access/accesstest"
)

func parse(args ...string) (Options, error) {
	var f Flags
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	f.Define(fs)
	if err := fs.Parse(args); err != nil {
		return Options{}, err
	}
	return f.Options()
}

func TestBucketPlaces(t *testing.T) {
	for bucket, want := range map[string]string{
		"checkpoints": "checkpoints", "/a/b#c?d%41": "/a/b#c?d%41", "file:///a/b": "/a/b",
		"file://a/b": "", "file:///": "/", "ftp://a": "", "file:///a?b": "", "s3://": "", "s3://key:hush@b/p": "",
	} {
		o, err := parse("-bucket", bucket)
		if (err == nil) != (want != "") || err == nil && o.Bucket != want {
			t.Errorf("%s: %q, %v; want %q", bucket, o.Bucket, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Error(err)
		}
	}
	o, err := parse("-bucket", "s3://b/p/q/", "-s3-endpoint", "http://h:1", "-s3-region", "here")
	if err != nil || o.S3.Bucket != "b" || o.S3.Prefix != "p/q" || !o.S3.PathStyle || o.S3.Region != "here" {
		t.Error(o.S3, err)
	}
}

func TestWhatCannotBe(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := accesstest.NewCA(t)
	cert, key := ca.Files()
	_, otherKey := ca.Files()
	t.Setenv("WEIR_KAFKA_PASSWORD", "hush")
	for _, c := range []struct{ args, want string }{
		{"-brokers localhost", `"localhost" is not host:port`},
		{"-kafka-password hush", "-kafka-password is refused"},
		{"-s3-secret-key hush", "-s3-secret-key is refused"},
		{"-s3-session-token hush", "WEIR_S3_SESSION_TOKEN"},
		{"-kafka-sasl plain", "needs -kafka-user"},
		{"-kafka-user me", "-kafka-sasl is not"},
		{"-kafka-sasl gssapi -kafka-user me", "it must be plain, scram-sha-256 or scram-sha-512"},
		{"-kafka-sasl plain -kafka-user me -kafka-password-file " + empty, "WEIR_KAFKA_PASSWORD is set too"},
		{"-bucket s3://b -s3-secret-key-file " + empty, "the file is empty"},
		{"-bucket s3://b -s3-secret-key-file " + dir + "/no", "no such file"},
		{"-kafka-ca " + dir + "/no", "no such file"},
		{"-kafka-ca " + empty, "no PEM certificate"},
		{"-kafka-cert " + cert, "go together"},
		{"-kafka-key " + key, "-kafka-cert is not"},
		{"-kafka-cert " + cert + " -kafka-key " + otherKey, "private key does not match"},
		{"-bucket s3://b -s3-endpoint http://h -s3-ca " + ca.File, "does not speak TLS"},
		{"-bucket s3://b -s3-ca " + empty, "no PEM certificate"},
	} {
		_, err := parse(strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v; want %q, and no secret", c.args, err, c.want)
		}
	}
}

// Whatever is printed of the options, no secret is in it.
func TestSecretsStayHidden(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("hush-hush\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WEIR_KAFKA_PASSWORD", "very-quiet")
	for _, mechanism := range []string{"plain", "scram-sha-256", "SCRAM-SHA-512"} {
		o, err := parse("-brokers", "a:1, b:2", "-kafka-sasl", mechanism, "-kafka-user", "me", "-bucket", "s3://b", "-s3-access-key", "key", "-s3-secret-key-file", file, "-s3-session-token-file", file)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Brokers) != 2 || o.S3.SecretKey != "hush-hush" || o.S3.SessionToken != "hush-hush" || !strings.EqualFold(o.SASL.Name(), mechanism) || o.Exposed() != (mechanism == "plain") {
			t.Errorf("%+v", o)
		}
		if s := fmt.Sprintf("%v %+v %#v %+v", o, o, o, o.Kafka()); strings.Contains(s, "hush") || strings.Contains(s, "quiet") {
			t.Errorf("a secret is printed: %s", s)
		}
	}
}

func TestEnvironment(t *testing.T) {
	ca := accesstest.NewCA(t)
	for k, v := range map[string]string{"WEIR_BROKERS": "h:9092", "WEIR_KAFKA_CA": ca.File, "WEIR_BUCKET": "s3://b", "WEIR_S3_ENDPOINT": "https://h:9000", "WEIR_S3_CA": ca.File, "WEIR_S3_ACCESS_KEY": "key", "WEIR_S3_SECRET_KEY": "hush"} {
		t.Setenv(k, v)
	}
	o, err := parse()
	if err != nil || o.Brokers[0] != "h:9092" || o.TLS == nil || o.TLS.RootCAs == nil || o.S3.TLS == nil || o.S3.AccessKey != "key" || o.S3.SecretKey != "hush" {
		t.Errorf("%+v, %v", o, err)
	}
	t.Setenv("WEIR_KAFKA_CA", "")
	t.Setenv("WEIR_KAFKA_TLS", "true")
	if o, err = parse(); err != nil || o.TLS == nil || o.TLS.RootCAs != nil {
		t.Errorf("%+v, %v", o, err)
	}
}
