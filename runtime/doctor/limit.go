package doctor

import (
	"context"
	"fmt"
	"time"

	"weir/protocol"
	"weir/protocol/txn"
	"weir/runtime/kafka"
)

// limit judges the job's timeouts, and what the brokers allow.
func (e *exam) limit(ctx context.Context, r *Report) {
	const check = "transaction timeout"
	want := time.Duration(e.Config.TxnTimeout)
	at := want.String()
	if err := e.Config.Validate(); err != nil {
		r.add(Refuses, check, at, err.Error(), "raise -transaction-timeout, or shorten -interval")
		return
	}
	asked, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	limit, err := e.kafka().TimeoutLimit(asked)
	if err != nil {
		e.tryLimit(ctx, err, r)
		return
	}
	if want > limit {
		r.add(Refuses, check, at, fmt.Sprintf("the brokers allow %v: they refuse every transaction of the job", limit), fmt.Sprintf("raise their %s, or lower -transaction-timeout", kafka.LimitKey))
		return
	}
	e.short(r)
}

// tryLimit tries a transaction's timeout where the user may not ask for the limit.
func (e *exam) tryLimit(ctx context.Context, cause error, r *Report) {
	const check = "transaction timeout"
	at := time.Duration(e.Config.TxnTimeout).String()
	if e.Job == "" {
		r.add(Unasked, check, at, fmt.Sprintf("the brokers do not tell their %s (%v), and without a job's name it cannot be tried", kafka.LimitKey, cause), "name the job (-job), or grant DESCRIBE_CONFIGS on the cluster")
		return
	}
	asked, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	switch allowed, err := e.kafka().AllowsTimeout(asked, txn.ProbeID(e.Job), time.Duration(e.Config.TxnTimeout)); {
	case err != nil:
		r.add(Unasked, check, at, err.Error(), "grant DESCRIBE_CONFIGS on the cluster, or transactions of this job")
	case !allowed:
		r.add(Refuses, check, at, "the brokers refuse it: every transaction of the job", fmt.Sprintf("raise their %s, or lower -transaction-timeout", kafka.LimitKey))
	default:
		e.short(r)
	}
}

// short judges a timeout that the brokers allow.
func (e *exam) short(r *Report) {
	const check = "transaction timeout"
	want, interval := time.Duration(e.Config.TxnTimeout), time.Duration(e.Config.Interval)
	raise := fmt.Sprintf("raise -transaction-timeout, and the brokers' %s (2147483647 is accepted)", kafka.LimitKey)
	if want < protocol.TxnIntervals*interval {
		r.add(Warning, check, want.String(), fmt.Sprintf("that is less than %d intervals of %v: an outage of that length loses what was decided", protocol.TxnIntervals, interval), raise)
		return
	}
	r.ok(check, want.String(), "the brokers allow it; it is %d intervals of %v. An outage that is longer loses what was decided", want/interval, interval)
}
