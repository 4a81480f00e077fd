package host

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"weir/protocol/txn"
)

// limitKey is the brokers' limit of a transaction's timeout. Kafka answers a transaction above it as it answers one that
// is not allowed, so that it is asked for before the start.
const limitKey = "transaction.max.timeout.ms"

// checkLimit refuses transactions that the brokers would refuse. False: they do not tell their limit.
func checkLimit(ctx context.Context, cfg Config) (told bool, err error) {
	limit, err := limitOf(ctx, cfg)
	if err != nil {
		cfg.Log.Debug("the brokers do not tell their limit", "config", limitKey, "cause", err)
		return false, nil
	}
	if want := std(cfg.Job.TxnTimeout); want > limit {
		return true, fmt.Errorf("kafka: -transaction-timeout %v is above the %v that the brokers allow: raise their %s, or lower the flag", want, limit, limitKey)
	}
	return true, nil
}

// tryLimit finds out whether the brokers take the transactions. If they do, a transactional id is left with them,
// so that it is the last question.
func tryLimit(ctx context.Context, job string, cfg Config) error {
	want := std(cfg.Job.TxnTimeout)
	allowed, err := cfg.Kafka().AllowsTimeout(ctx, probeID(job), want)
	if err == nil && !allowed {
		return fmt.Errorf("kafka: -transaction-timeout %v is above what the brokers allow: raise their %s, or lower the flag", want, limitKey)
	}
	return err
}

// limitOf is the lowest limit of all brokers.
func limitOf(ctx context.Context, cfg Config) (time.Duration, error) {
	cl, err := cfg.Kafka().Connect()
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	brokers, err := adm.ListBrokers(ctx)
	if err != nil {
		return 0, err
	}
	configs, err := adm.DescribeBrokerConfigs(ctx, brokers.NodeIDs()...)
	if err != nil {
		return 0, err
	}
	lowest := time.Duration(-1)
	for _, broker := range configs {
		if broker.Err != nil {
			return 0, broker.Err
		}
		for _, c := range broker.Configs {
			ms, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
			if c.Key != limitKey || err != nil {
				continue
			}
			if limit := time.Duration(ms) * time.Millisecond; lowest < 0 || limit < lowest {
				lowest = limit
			}
		}
	}
	if lowest < 0 {
		return 0, fmt.Errorf("no broker told its %s", limitKey)
	}
	return lowest, nil
}

// probeID is a transactional id of the job's that no task has: epochs begin at 1.
func probeID(job string) string { return string(txn.SlotName{Job: job, Sink: "probe"}.ID()) }
