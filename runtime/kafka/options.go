package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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
	// Client is added to the options of every client: TLS, SASL, client id.
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

func (o *Options) fill() error {
	if len(o.Brokers) == 0 {
		return errors.New("kafka: no broker address given; name at least one as host:port")
	}
	if o.Pool == nil {
		return errors.New("kafka: Options.Pool is nil: batches come from somewhere")
	}
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
	return nil
}

// client makes a client with what all clients share; more comes last and wins.
func (o *Options) client(more ...kgo.Opt) (*kgo.Client, error) {
	seeds := slices.Clone(o.Brokers) // a client asks the first one first: one that stands still would hold up every new client
	rand.Shuffle(len(seeds), func(i, j int) { seeds[i], seeds[j] = seeds[j], seeds[i] })
	opts := []kgo.Opt{
		kgo.SeedBrokers(seeds...),
		kgo.WithLogger(clientLog{o.Logger}),
		kgo.DisableClientMetrics(),
		kgo.DialTimeout(min(o.IOTimeout, 10*time.Second)),
		kgo.RetryTimeout(o.IOTimeout),
		kgo.RequestTimeoutOverhead(max(100*time.Millisecond, min(o.IOTimeout, 10*time.Second))),
		kgo.MetadataMinAge(100 * time.Millisecond), // the default of 5 s makes a moved leader cost 10 s
	}
	if o.Dialer != nil {
		opts = append(opts, kgo.Dialer(o.Dialer))
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
