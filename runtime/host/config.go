package host

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"weir/protocol"
	"weir/runtime/access"
)

// Config is what a job's process is told by its flags.
type Config struct {
	access.Options
	Job protocol.Config
	Log *slog.Logger
	// Record is a file for a recording of every event and effect; empty: none.
	Record string
	// Local is a folder for copies of state on this machine; empty: none are kept.
	Local string
}

// settings are the flags as they are typed.
type settings struct {
	access                                           access.Flags
	level, record, local                             string
	interval, timeout, heartbeat, nodeTimeout, delay time.Duration
	txn, io                                          time.Duration
	cfg                                              protocol.Config
}

// Parse reads a job's flags. The error is flag.ErrHelp when help was asked for, and written to stderr. What Config.Log
// gets goes there too.
func Parse(name string, args []string, stderr io.Writer) (Config, error) {
	var s settings
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // an error is told once, by the caller
	s.define(fs)
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(stderr)
		fs.Usage()
		return Config{}, err
	case err != nil:
		return Config{}, fmt.Errorf("%w; see -help", err)
	case fs.NArg() > 0:
		return Config{}, fmt.Errorf("argument %q is not a flag; see -help", fs.Arg(0))
	}
	return s.config(stderr)
}

func (s *settings) define(fs *flag.FlagSet) {
	d := protocol.Defaults()
	s.cfg = d
	s.access.Define(fs)
	fs.StringVar(&s.record, "record", "", "file for a recording of every event and effect, up to 256 MiB; costs speed")
	fs.StringVar(&s.local, "local", "", "folder on a disk of this machine for copies of the state, so that a restart reads what is intact there instead of the bucket; it may be lost at any time")
	fs.StringVar(&s.level, "log", "info", "debug, info, warn or error")
	fs.DurationVar(&s.interval, "interval", std(d.Interval), "between checkpoints")
	fs.DurationVar(&s.timeout, "timeout", std(d.Timeout), "of one checkpoint")
	fs.DurationVar(&s.heartbeat, "heartbeat", std(d.Heartbeat), "between pings, and before a message is repeated")
	fs.DurationVar(&s.nodeTimeout, "node-timeout", std(d.NodeTimeout), "after which a silent worker is taken for dead")
	fs.DurationVar(&s.delay, "restart-delay", std(d.RestartDelay), "before the job restarts after a failure")
	fs.DurationVar(&s.txn, "transaction-timeout", std(d.TxnTimeout), "of Kafka transactions; the broker's transaction.max.timeout.ms must allow it")
	fs.DurationVar(&s.io, "io-timeout", std(d.IOTimeout), "after which a request's outcome counts as unknown")
	fs.IntVar(&s.cfg.RestartLimit, "restart-limit", d.RestartLimit, "restarts without a sealed checkpoint between them; then the job stops")
	fs.IntVar(&s.cfg.Tolerable, "tolerable", d.Tolerable, "checkpoints in a row that may fail before the job restarts")
	fs.IntVar(&s.cfg.Parallelism, "parallelism", d.Parallelism, "tasks of every stage")
	fs.IntVar(&s.cfg.KeyGroups, "key-groups", d.KeyGroups, "units of rescaling; fixed for the life of a job")
	fs.IntVar(&s.cfg.Retained, "retained", d.Retained, "checkpoints kept")
}

func std(d protocol.Duration) time.Duration { return time.Duration(d) }

// config checks and converts.
func (s *settings) config(stderr io.Writer) (Config, error) {
	s.cfg.Interval, s.cfg.Timeout = protocol.Duration(s.interval), protocol.Duration(s.timeout)
	s.cfg.Heartbeat, s.cfg.NodeTimeout = protocol.Duration(s.heartbeat), protocol.Duration(s.nodeTimeout)
	s.cfg.RestartDelay, s.cfg.TxnTimeout, s.cfg.IOTimeout = protocol.Duration(s.delay), protocol.Duration(s.txn), protocol.Duration(s.io)
	if err := s.cfg.Validate(); err != nil {
		return Config{}, err
	}
	at, err := s.access.Options()
	if err != nil {
		return Config{}, err
	}
	s.cfg.Local = s.local != ""
	c := Config{Options: at, Job: s.cfg, Record: s.record, Local: s.local}
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.level)); err != nil {
		return Config{}, fmt.Errorf("-log %q: it must be debug, info, warn or error", s.level)
	}
	c.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	switch {
	case len(c.Brokers) == 0:
		return Config{}, errors.New("-brokers is missing: name at least one as host:port")
	case c.Bucket == "":
		return Config{}, errors.New("-bucket is missing: s3://bucket/prefix, or a folder as file:///path or as a plain path")
	}
	if c.Exposed() {
		c.Log.Warn("the password for the brokers travels in clear", "sasl", c.SASL.Name(), "do", "speak TLS: -kafka-tls or -kafka-ca")
	}
	c.warnShort()
	return c, nil
}

// warnShort says that a transaction lives for a few checkpoints only.
func (c Config) warnShort() {
	if c.Job.TxnTimeout < protocol.TxnIntervals*c.Job.Interval {
		c.Log.Warn(fmt.Sprintf("transactions live for less than %d intervals: an outage of that length loses output", protocol.TxnIntervals),
			"transaction_timeout", std(c.Job.TxnTimeout), "interval", std(c.Job.Interval),
			"do", "raise -transaction-timeout, and the brokers' transaction.max.timeout.ms (2147483647 is accepted)")
	}
}
