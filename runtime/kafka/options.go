package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"weir/protocol"
	"weir/protocol/batch"
)

// Options says where the brokers are and how long to wait for them.
type Options struct {
	// Brokers are the bootstrap addresses, host:port. Required.
	Brokers []string
	// Pool gives the batches that Fetched hands out and takes those that Produce is done with. Required.
	Pool batch.Pool
	// Now is the driver's clock, to which Flush.Deadline refers. Nil: Flush has IOTimeout.
	Now func() protocol.Time
	// Dialer opens connections. Nil: plain TCP.
	Dialer func(ctx context.Context, network, host string) (net.Conn, error)
	// TLS is how the brokers are spoken to; nil: not by TLS. An empty ServerName is filled in from each address.
	TLS *tls.Config
	// SASL is how the client proves who it is; nil: not at all.
	SASL sasl.Mechanism
	// Client is added to the options of every client: a client id.
	Client []kgo.Opt
	// Logger gets what the outcomes cannot carry: operation, object, cause. Nil: slog.Default.
	Logger *slog.Logger
	// IOTimeout is after which an effect's outcome counts as Unknown. Zero: 35 s, above a coordinator's fail-over of 14 s.
	IOTimeout time.Duration
	// MaxWait is how long a Fetch waits for records at the end of a partition. Zero: 400 ms.
	MaxWait time.Duration
	// FetchBytes is how much one request reads from a partition. Zero: 1 MiB.
	FetchBytes int32
}

var errNoBrokers = errors.New("kafka: no broker address given; name at least one as host:port")

func (o *Options) fill() error {
	if len(o.Brokers) == 0 {
		return errNoBrokers
	}
	if o.Pool == nil {
		return errors.New("kafka: Options.Pool is nil: batches come from somewhere")
	}
	o.defaults()
	return nil
}

func (o *Options) defaults() {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.IOTimeout <= 0 {
		o.IOTimeout = 35 * time.Second
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 400 * time.Millisecond
	}
	if o.FetchBytes <= 0 {
		o.FetchBytes = 1 << 20
	}
}

// Connect makes a plain client, for questions that no effect asks. It needs no Pool.
func (o Options) Connect(more ...kgo.Opt) (*kgo.Client, error) {
	if len(o.Brokers) == 0 {
		return nil, errNoBrokers
	}
	o.defaults()
	return o.client(more...)
}

// dialTimeout bounds the opening of a connection, TLS included.
func (o *Options) dialTimeout() time.Duration { return min(o.IOTimeout, 10*time.Second) }

var errHandshake = errors.New("TLS handshake")

// dial opens a connection, by TLS if the options say so.
func (o *Options) dial(ctx context.Context, network, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.dialTimeout())
	defer cancel()
	plain := o.Dialer
	if plain == nil {
		plain = new(net.Dialer).DialContext
	}
	c, err := plain(ctx, network, host)
	if err != nil || o.TLS == nil {
		return c, err
	}
	config := o.TLS.Clone()
	if config.ServerName == "" {
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			name = host
		}
		config.ServerName = name
	}
	secure := tls.Client(c, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return secure, nil
}

// client makes a client with what all clients share; more comes last and wins.
func (o *Options) client(more ...kgo.Opt) (*kgo.Client, error) {
	seeds := slices.Clone(o.Brokers) // a client asks the first one first: one that stands still would hold up every new client
	rand.Shuffle(len(seeds), func(i, j int) { seeds[i], seeds[j] = seeds[j], seeds[i] })
	opts := []kgo.Opt{
		kgo.SeedBrokers(seeds...),
		kgo.WithLogger(clientLog{o.Logger}),
		kgo.DisableClientMetrics(),
		kgo.DialTimeout(o.dialTimeout()),
		kgo.RetryTimeout(o.IOTimeout),
		kgo.RequestTimeoutOverhead(max(100*time.Millisecond, min(o.IOTimeout, 10*time.Second))),
		kgo.MetadataMinAge(100 * time.Millisecond), // the default of 5 s makes a moved leader cost 10 s
	}
	switch {
	case o.TLS != nil:
		opts = append(opts, kgo.Dialer(o.dial))
	case o.Dialer != nil:
		opts = append(opts, kgo.Dialer(o.Dialer))
	}
	if o.SASL != nil {
		opts = append(opts, kgo.SASL(o.SASL))
	}
	opts = append(append(opts, o.Client...), more...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafka: client for %v: %w", o.Brokers, err)
	}
	return cl, nil
}

// clientLog brings the client's own log to slog, one level lower: what matters to a job is logged by effect.
type clientLog struct{ log *slog.Logger }

// Level asks for what the logger shows.
func (c clientLog) Level() kgo.LogLevel {
	if c.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelWarn
	}
	return kgo.LogLevelError
}

// Log writes one line of the client's.
func (c clientLog) Log(level kgo.LogLevel, msg string, kv ...any) {
	to := slog.LevelDebug
	if level == kgo.LogLevelError {
		to = slog.LevelWarn
	}
	c.log.Log(context.Background(), to, "kafka client: "+msg, kv...)
}
