package doctor

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

const limitKey = "transaction.max.timeout.ms"

// limit judges the job's timeouts, and what the brokers allow.
func (e *exam) limit(ctx context.Context, r *Report) {
	const check = "transaction timeout"
	want := time.Duration(e.Config.TxnTimeout)
	at := want.String()
	if err := e.Config.Validate(); err != nil {
		r.add(Refuses, check, at, err.Error(), "raise -transaction-timeout, or shorten -interval")
		return
	}
	limits, err := e.brokerConfig(ctx, limitKey)
	if err != nil {
		e.tryLimit(ctx, err, r)
		return
	}
	for node, text := range limits {
		ms, err := strconv.ParseInt(text, 10, 64)
		if limit := time.Duration(ms) * time.Millisecond; err == nil && want > limit {
			r.add(Refuses, check, at, fmt.Sprintf("broker %d allows %v: it refuses every transaction of the job", node, limit), fmt.Sprintf("raise %s, or lower -transaction-timeout", limitKey))
			return
		}
	}
	e.short(r)
}

// tryLimit tries a transaction's timeout where the user may not ask for the limit.
func (e *exam) tryLimit(ctx context.Context, cause error, r *Report) {
	const check = "transaction timeout"
	at := time.Duration(e.Config.TxnTimeout).String()
	if e.Job == "" {
		r.add(Unasked, check, at, fmt.Sprintf("the brokers do not tell their %s (%v), and without a job's name it cannot be tried", limitKey, cause), "name the job (-job), or grant DESCRIBE_CONFIGS on the cluster")
		return
	}
	asked, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	switch allowed, err := e.kafka().AllowsTimeout(asked, probeID(e.Job), time.Duration(e.Config.TxnTimeout)); {
	case err != nil:
		r.add(Unasked, check, at, err.Error(), "grant DESCRIBE_CONFIGS on the cluster, or transactions of this job")
	case !allowed:
		r.add(Refuses, check, at, "the brokers refuse it: every transaction of the job", fmt.Sprintf("raise their %s, or lower -transaction-timeout", limitKey))
	default:
		e.short(r)
	}
}

// short judges a timeout that the brokers allow.
func (e *exam) short(r *Report) {
	const check = "transaction timeout"
	want, interval := time.Duration(e.Config.TxnTimeout), time.Duration(e.Config.Interval)
	raise := fmt.Sprintf("raise -transaction-timeout, and the brokers' %s (2147483647 is accepted)", limitKey)
	if want < intervals*interval {
		r.add(Warning, check, want.String(), fmt.Sprintf("that is less than %d intervals of %v: an outage of that length loses what was decided", intervals, interval), raise)
		return
	}
	r.ok(check, want.String(), "the brokers allow it; it is %d intervals of %v. An outage that is longer loses what was decided", want/interval, interval)
}

// brokerConfig asks every broker for one of its settings.
func (e *exam) brokerConfig(ctx context.Context, key string) (map[int32]string, error) {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	brokers, err := e.adm.ListBrokers(ctx)
	if err != nil {
		return nil, err
	}
	configs, err := e.adm.DescribeBrokerConfigs(ctx, brokers.NodeIDs()...)
	if err != nil {
		return nil, err
	}
	values := map[int32]string{}
	for _, b := range configs {
		if b.Err != nil {
			return nil, fmt.Errorf("broker %s: %w", b.Name, b.Err)
		}
		node, err := strconv.ParseInt(b.Name, 10, 32)
		if err != nil {
			continue
		}
		for _, c := range b.Configs {
			if c.Key == key {
				values[int32(node)] = c.MaybeValue()
			}
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("no broker tells its %s", key)
	}
	return values, nil
}
