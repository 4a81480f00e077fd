package s3

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Workers is how many effects one device performs at a time; more wait their turn.
const Workers = 32

// DefaultTimeout is longer than a server was seen to keep a key locked for a stalled writer (30 s), and shorter than
// the protocol waits by default (35 s).
const DefaultTimeout = 32 * time.Second

// Secret prints as *** whatever prints it.
type Secret string

// String is ***, or nothing for no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText is String, for encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String, for logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Options say where the bucket is and how to talk to it. Bucket is required.
type Options struct {
	Endpoint string // URL, without user and password; empty: AWS's own for the region
	Region   string // empty: us-east-1 if there is an Endpoint, else what AWS's configuration says
	Bucket   string
	Prefix   string // of every key, without slashes at its ends; empty: none

	// AccessKey, SecretKey and SessionToken; all empty: AWS's usual chain of environment, files and instance roles.
	AccessKey    string
	SecretKey    Secret
	SessionToken Secret

	PathStyle bool        // http://host/bucket/key in place of http://bucket.host/key; most servers but AWS need it
	TLS       *tls.Config // for https; nil: the system's CAs. Without a Transport only
	// Transport carries the requests; nil: one of this device's own. It must not repeat a PUT by itself.
	Transport http.RoundTripper
	Logger    *slog.Logger // nil: slog.Default()
	// RequestTimeout bounds one request; bodies have a second more per MiB. Zero: DefaultTimeout.
	RequestTimeout time.Duration
}

// String names the bucket and hides the secrets.
func (o Options) String() string {
	return fmt.Sprintf("s3://%s/%s endpoint=%q region=%q path-style=%t access-key=%q secret-key=%s session-token=%s timeout=%v",
		o.Bucket, o.Prefix, o.safeEndpoint(), o.Region, o.PathStyle, o.AccessKey, o.SecretKey, o.SessionToken, o.RequestTimeout)
}

// GoString is String, for %#v.
func (o Options) GoString() string { return "s3.Options{" + o.String() + "}" }

// LogValue is what String says, as attributes.
func (o Options) LogValue() slog.Value {
	return slog.GroupValue(slog.String("bucket", o.Bucket), slog.String("prefix", o.Prefix), slog.String("endpoint", o.safeEndpoint()),
		slog.String("region", o.Region), slog.Bool("path_style", o.PathStyle), slog.String("access_key", o.AccessKey),
		slog.Any("secret_key", o.SecretKey), slog.Any("session_token", o.SessionToken), slog.Duration("timeout", o.RequestTimeout))
}

// safeEndpoint is the endpoint without what somebody may have put before its @.
func (o Options) safeEndpoint() string {
	if at := strings.LastIndexByte(o.Endpoint, '@'); at >= 0 {
		return "***" + o.Endpoint[at:]
	}
	return o.Endpoint
}

func (o Options) validate() error {
	if o.Bucket == "" {
		return errors.New("no bucket is named")
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return errors.New("access key and secret key must be given together, or neither")
	}
	if o.RequestTimeout < 0 {
		return fmt.Errorf("request timeout %v is below zero", o.RequestTimeout)
	}
	return o.validateEndpoint()
}

func (o Options) validateEndpoint() error {
	if o.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return fmt.Errorf("endpoint %q must be http://host:port or https://host:port, without user and password", o.safeEndpoint())
	}
	return nil
}

// client makes the SDK's client. It never repeats a request: what may be repeated is decided in this package.
func (o Options) client(ctx context.Context) (*s3.Client, error) {
	cfg, err := o.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	cfg.HTTPClient = &http.Client{Transport: oneWrite{o.Transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.UsePathStyle = o.PathStyle
		so.Retryer = aws.NopRetryer{}
		so.RetryMaxAttempts = 1
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
		so.DisableLogOutputChecksumValidationSkipped = true
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
	}), nil
}

func (o Options) awsConfig(ctx context.Context) (aws.Config, error) {
	region := o.Region
	if region == "" && o.Endpoint != "" {
		region = "us-east-1"
	}
	if o.AccessKey != "" && region != "" {
		return aws.Config{Region: region, Credentials: o.static()}, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return cfg, err
	}
	if o.AccessKey != "" {
		cfg.Credentials = o.static()
	}
	if region != "" {
		cfg.Region = region
	}
	if cfg.Region == "" {
		return cfg, errors.New("no region is given: name one, or an endpoint")
	}
	return cfg, nil
}

func (o Options) static() aws.CredentialsProvider {
	return aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(o.AccessKey, string(o.SecretKey), string(o.SessionToken)))
}

// small is the size of a body that is sent in one write with its head. Over TLS a write is one record, of 16 KiB at most.
const small = 32 << 10

// oneWrite hands small bodies to net/http in a form that it does not send apart from the head: a server may keep a
// key locked from the first byte of a conditional PUT to the last.
type oneWrite struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (o oneWrite) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.ContentLength <= 0 || r.ContentLength > small {
		return o.next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	r = r.WithContext(r.Context())
	r.Body, r.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	return o.next.RoundTrip(r)
}

// NewTransport is what a device without a Transport makes. It speaks HTTP/1.1 only, as every S3 server does, and does not compress.
func NewTransport(secure *tls.Config) *http.Transport {
	if secure == nil {
		secure = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	secure = secure.Clone()
	secure.DynamicRecordSizingDisabled = true
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       10 * time.Second,
		MaxIdleConns:          Workers,
		MaxIdleConnsPerHost:   Workers,
		WriteBufferSize:       small + 8<<10,
		TLSClientConfig:       secure,
		DisableCompression:    true,
		Protocols:             protocols,
	}
}
