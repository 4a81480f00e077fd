package access

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"

	"weir/runtime/s3"
)

// Options say where brokers and bucket are, and how to get in. Neither is required here.
type Options struct {
	Brokers []string
	TLS     *tls.Config    // to the brokers; nil: plain TCP
	SASL    sasl.Mechanism // to the brokers; nil: none
	// Bucket is a folder's path, or s3://bucket/prefix: then S3 says the same in parts.
	Bucket string
	S3     s3.Options
}

// Flags are the flags as they are typed.
type Flags struct {
	brokers, bucket                    string
	tls                                bool
	ca, cert, key                      string
	sasl, user, passwordFile           string
	endpoint, region, s3CA             string
	accessKey, secretFile, sessionFile string
	given                              []string // secrets that were typed as flags
}

// Define adds the flags to a set. What a flag does not say, its environment variable does.
func (f *Flags) Define(fs *flag.FlagSet) {
	text := func(to *string, name, env, usage string) {
		*to = os.Getenv(env)
		fs.StringVar(to, name, *to, usage+" (or "+env+")")
	}
	text(&f.brokers, "brokers", "WEIR_BROKERS", "Kafka bootstrap addresses, host:port separated by commas")
	f.tls = os.Getenv("WEIR_KAFKA_TLS") == "true"
	fs.BoolVar(&f.tls, "kafka-tls", f.tls, "speak TLS to the brokers (or WEIR_KAFKA_TLS=true)")
	text(&f.ca, "kafka-ca", "WEIR_KAFKA_CA", "PEM file of the CA that signed the brokers' certificates; implies TLS")
	text(&f.cert, "kafka-cert", "WEIR_KAFKA_CERT", "PEM file of this client's certificate; implies TLS")
	text(&f.key, "kafka-key", "WEIR_KAFKA_KEY", "PEM file of its private key")
	text(&f.sasl, "kafka-sasl", "WEIR_KAFKA_SASL", "plain, scram-sha-256 or scram-sha-512; the password comes from WEIR_KAFKA_PASSWORD or a file")
	text(&f.user, "kafka-user", "WEIR_KAFKA_USER", "user for SASL")
	text(&f.passwordFile, "kafka-password-file", "WEIR_KAFKA_PASSWORD_FILE", "file that holds the password for SASL")
	text(&f.bucket, "bucket", "WEIR_BUCKET", "where checkpoints live: s3://bucket/prefix, or a folder as file:///path")
	text(&f.endpoint, "s3-endpoint", "WEIR_S3_ENDPOINT", "URL of an S3 server that is not AWS's")
	text(&f.region, "s3-region", "WEIR_S3_REGION", "region of the bucket")
	text(&f.s3CA, "s3-ca", "WEIR_S3_CA", "PEM file of the CA that signed the S3 server's certificate")
	text(&f.accessKey, "s3-access-key", "WEIR_S3_ACCESS_KEY", "access key; the secret key comes from WEIR_S3_SECRET_KEY or a file")
	text(&f.secretFile, "s3-secret-key-file", "WEIR_S3_SECRET_KEY_FILE", "file that holds the secret key")
	text(&f.sessionFile, "s3-session-token-file", "WEIR_S3_SESSION_TOKEN_FILE", "file that holds a session token")
	for _, s := range []struct{ name, instead string }{
		{"kafka-password", "WEIR_KAFKA_PASSWORD, or -kafka-password-file"},
		{"s3-secret-key", "WEIR_S3_SECRET_KEY, or -s3-secret-key-file"},
		{"s3-session-token", "WEIR_S3_SESSION_TOKEN, or -s3-session-token-file"},
	} {
		fs.Func(s.name, "refused: a secret in a flag can be read by every user of this machine; use "+s.instead, func(string) error {
			f.given = append(f.given, fmt.Sprintf("-%s is refused, because every user of this machine can read a process's flags; use %s", s.name, s.instead))
			return nil // an error of package flag would repeat the secret
		})
	}
}

// Options checks what was typed, reads the files and the secrets.
func (f *Flags) Options() (Options, error) {
	if len(f.given) > 0 {
		return Options{}, errors.New(strings.Join(f.given, "; "))
	}
	o := Options{Bucket: f.bucket}
	for b := range strings.SplitSeq(f.brokers, ",") {
		if b = strings.TrimSpace(b); b == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(b); err != nil {
			return Options{}, fmt.Errorf("-brokers: %q is not host:port", b)
		}
		o.Brokers = append(o.Brokers, b)
	}
	var err error
	if o.TLS, err = f.kafkaTLS(); err != nil {
		return Options{}, err
	}
	if o.SASL, err = f.mechanism(); err != nil {
		return Options{}, err
	}
	return o, f.locate(&o)
}

// locate takes the bucket's URL apart. What has no scheme is a path as it stands, whatever bytes are in it.
func (f *Flags) locate(o *Options) error {
	if !strings.Contains(o.Bucket, "://") {
		return nil
	}
	u, err := url.Parse(o.Bucket)
	switch {
	case err != nil:
		return fmt.Errorf("-bucket %q: %w", o.Bucket, err)
	case u.User != nil:
		return errors.New("-bucket: a user or a password has no place in it: the access key is -s3-access-key, the secret key WEIR_S3_SECRET_KEY")
	case u.Scheme == "file" && u.Host == "" && u.Path != "" && u.RawQuery == "" && u.Fragment == "":
		o.Bucket = u.Path
		return nil
	case u.Scheme == "s3" && u.Host != "":
		o.S3.Bucket, o.S3.Prefix = u.Host, strings.Trim(u.Path, "/")
		return f.server(&o.S3)
	}
	return fmt.Errorf("-bucket %q: it must be s3://bucket/prefix, or a folder as file:///path or as a plain path", o.Bucket)
}

// server fills in where the bucket's server is, and who asks.
func (f *Flags) server(o *s3.Options) (err error) {
	o.Endpoint, o.Region, o.PathStyle, o.AccessKey = f.endpoint, f.region, f.endpoint != "", f.accessKey
	if f.s3CA != "" {
		if strings.HasPrefix(f.endpoint, "http:") {
			return fmt.Errorf("-s3-ca %s: the endpoint %q does not speak TLS; make it https", f.s3CA, f.endpoint)
		}
		if o.TLS, err = clientTLS("-s3-ca", f.s3CA); err != nil {
			return err
		}
	}
	if o.SecretKey, err = secret("WEIR_S3_SECRET_KEY", "-s3-secret-key-file", f.secretFile); err != nil {
		return err
	}
	o.SessionToken, err = secret("WEIR_S3_SESSION_TOKEN", "-s3-session-token-file", f.sessionFile)
	return err
}
