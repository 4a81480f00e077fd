package host

import (
	"context"
	"fmt"

	"weir/protocol/txn"
	"weir/runtime/kafka"
)

// checkLimit refuses transactions that the brokers would refuse. False: they do not tell their limit.
func checkLimit(ctx context.Context, cfg Config) (told bool, err error) {
	limit, err := cfg.Kafka().TimeoutLimit(ctx)
	if err != nil {
		cfg.Log.Debug("the brokers do not tell their limit", "config", kafka.LimitKey, "cause", err)
		return false, nil
	}
	if want := std(cfg.Job.TxnTimeout); want > limit {
		return true, fmt.Errorf("kafka: -transaction-timeout %v is above the %v that the brokers allow: raise their %s, or lower the flag", want, limit, kafka.LimitKey)
	}
	return true, nil
}

// tryLimit finds out whether the brokers take the transactions. If they do, a transactional id is left with them,
// so that it is the last question.
func tryLimit(ctx context.Context, job string, cfg Config) error {
	want := std(cfg.Job.TxnTimeout)
	allowed, err := cfg.Kafka().AllowsTimeout(ctx, txn.ProbeID(job), want)
	if err == nil && !allowed {
		return fmt.Errorf("kafka: -transaction-timeout %v is above what the brokers allow: raise their %s, or lower the flag", want, kafka.LimitKey)
	}
	return err
}
