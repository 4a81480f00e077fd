package kafka

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// LimitKey is the brokers' limit of a transaction's timeout. Kafka answers a transaction above it as it answers one that
// is not allowed, so that it is asked for before a job starts.
const LimitKey = "transaction.max.timeout.ms"

// TimeoutLimit is the lowest limit of all brokers; an error: they do not tell (see AllowsTimeout).
func (o Options) TimeoutLimit(ctx context.Context) (time.Duration, error) {
	cl, err := o.Connect()
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
			return 0, fmt.Errorf("broker %s: %w", broker.Name, broker.Err)
		}
		for _, c := range broker.Configs {
			ms, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
			if c.Key != LimitKey || err != nil {
				continue
			}
			if limit := time.Duration(ms) * time.Millisecond; lowest < 0 || limit < lowest {
				lowest = limit
			}
		}
	}
	if lowest < 0 {
		return 0, fmt.Errorf("no broker tells its %s", LimitKey)
	}
	return lowest, nil
}
