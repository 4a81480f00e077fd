package host

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// limitKey is the brokers' limit of a transaction's timeout. Kafka answers a transaction above it as it answers one that
// is not allowed, so that it is asked for before the start.
const limitKey = "transaction.max.timeout.ms"

// checkLimit refuses transactions that the brokers would refuse. Brokers that do not tell their limit are believed.
func checkLimit(ctx context.Context, brokers []string, want time.Duration, log *slog.Logger) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return fmt.Errorf("kafka: client for %v: %w", brokers, err)
	}
	defer cl.Close()
	configs, err := kadm.NewClient(cl).DescribeBrokerConfigs(ctx)
	if err != nil {
		log.Debug("the brokers do not tell their limit", "config", limitKey, "cause", err)
		return nil
	}
	for _, broker := range configs {
		for _, c := range broker.Configs {
			if ms, err := strconv.ParseInt(c.MaybeValue(), 10, 64); c.Key == limitKey && err == nil && want.Milliseconds() > ms {
				return fmt.Errorf("kafka: -transaction-timeout %v is above the %v that the brokers allow: raise their %s, or lower the flag",
					want, time.Duration(ms)*time.Millisecond, limitKey)
			}
		}
	}
	return nil
}
