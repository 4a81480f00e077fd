package protocol

import "fmt"

// Config is what an operator may tune. Every field is required; Defaults gives the usual values.
type Config struct {
	Interval    Duration // between triggers of checkpoints
	Timeout     Duration // of one checkpoint, trigger to all acks
	Heartbeat   Duration // between pings of a worker
	NodeTimeout Duration // without a pong: the worker is taken for dead

	RestartDelay Duration // before the region restarts
	RestartLimit int      // restarts that count, in a row without a sealed checkpoint between; above it the job stops
	Tolerable    int      // checkpoints in a row that may be aborted before the region restarts

	TxnTimeout Duration // transaction.timeout.ms
	IOTimeout  Duration // of one effect on bucket or broker, after which its outcome counts as Unknown
	RetryDelay Duration // before an effect is tried again

	Parallelism  int      // of stages that do not name their own
	KeyGroups    int      // units of rescaling; fixed for the life of a job
	Credit       int      // Data frames in flight per channel
	BatchRecords int      // a frame is sealed at this many records
	BatchBytes   int      // or this many bytes
	Linger       Duration // or when its first record has waited this long
	Retained     int      // decided checkpoints kept
	Local        bool     // tasks keep copies of their runs on their machine's disk, and restore from those that are intact
}

// Defaults is a configuration for production: a checkpoint every 30 s.
func Defaults() Config {
	return Config{
		Interval: 30 * Second, Timeout: 2 * Minute, Heartbeat: 2 * Second, NodeTimeout: 10 * Second,
		RestartDelay: Second, RestartLimit: 10, Tolerable: 2,
		TxnTimeout: 15 * Minute, IOTimeout: 35 * Second, RetryDelay: 100 * Millisecond,
		Parallelism: 1, KeyGroups: 128, Credit: 8, BatchRecords: 512, BatchBytes: 64 << 10, Linger: 5 * Millisecond, Retained: 1,
	}
}

// TxnIntervals is how many checkpoint intervals a transaction should live at least: while the job or the broker is down
// for longer than its timeout, the broker aborts it, and what was decided is lost.
const TxnIntervals = 10

// PoolSize is how many transactional ids a sink task needs: one filling, one opened ahead, and one per checkpoint that
// may be flushed and not sealed.
func (c Config) PoolSize() int { return 3 + c.Tolerable }

// Validate says in words what is wrong with c, or returns nil.
func (c Config) Validate() error {
	for _, d := range []struct {
		name string
		v    Duration
	}{{"interval", c.Interval}, {"timeout", c.Timeout}, {"heartbeat", c.Heartbeat}, {"node timeout", c.NodeTimeout}, {"restart delay", c.RestartDelay},
		{"transaction timeout", c.TxnTimeout}, {"I/O timeout", c.IOTimeout}, {"retry delay", c.RetryDelay}, {"linger", c.Linger}} {
		if d.v <= 0 {
			return fmt.Errorf("config: %s is %d ns; it must be above zero", d.name, d.v)
		}
	}
	for _, n := range []struct {
		name string
		v    int
	}{{"parallelism", c.Parallelism}, {"key groups", c.KeyGroups}, {"credit", c.Credit}, {"batch records", c.BatchRecords}, {"batch bytes", c.BatchBytes}, {"retained checkpoints", c.Retained}} {
		if n.v <= 0 {
			return fmt.Errorf("config: %s is %d; it must be above zero", n.name, n.v)
		}
	}
	if c.RestartLimit < 0 || c.Tolerable < 0 {
		return fmt.Errorf("config: restart limit %d and tolerable failures %d must not be negative", c.RestartLimit, c.Tolerable)
	}
	if c.NodeTimeout <= c.Heartbeat {
		return fmt.Errorf("config: node timeout %d ms must be above the heartbeat %d ms", c.NodeTimeout/Millisecond, c.Heartbeat/Millisecond)
	}
	if need := c.Interval*Duration(1+c.Tolerable) + c.Timeout; c.TxnTimeout/2 < need {
		return fmt.Errorf("config: transaction timeout %d ms is too short: half of it must cover interval × (1 + tolerable failures) + checkpoint timeout = %d ms; raise it (and the broker's transaction.max.timeout.ms) or shorten the interval",
			c.TxnTimeout/Millisecond, need/Millisecond)
	}
	return nil
}
