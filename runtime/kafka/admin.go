package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"weir/protocol"
)

// oldest is the version of AddPartitionsToTxn that brokers below 3.5 do not have. They do not verify transactions: a
// zombie's late write can hang a partition for ever.
const (
	addPartitionsKey = 24
	oldest           = 4
)

// Probe asks the brokers for what a job needs before it starts, and says in words what is missing.
func (d *Device) Probe(ctx context.Context, topics ...string) error {
	brokers, err := d.adm.ApiVersions(ctx)
	if err != nil {
		return fmt.Errorf("kafka: no broker of %s answers: %w; %s", strings.Join(d.opts.Brokers, ", "), err, d.opts.Advice(err))
	}
	for _, b := range brokers.Sorted() {
		if b.Err != nil {
			return fmt.Errorf("kafka: broker %d is in the cluster but cannot be reached: %w; check its advertised listener", b.NodeID, b.Err)
		}
		if v, _ := b.KeyMaxVersion(addPartitionsKey); v < oldest {
			return fmt.Errorf("kafka: broker %d (%s) is too old: brokers below 3.6 do not verify transactions; upgrade it", b.NodeID, b.VersionGuess())
		}
	}
	for _, topic := range topics {
		if err := d.probeTopic(ctx, topic); err != nil {
			return err
		}
	}
	return nil
}

func (d *Device) probeTopic(ctx context.Context, topic string) error {
	t, err := describe(ctx, d.admin, topic)
	switch {
	case errors.Is(err, errGone):
		return fmt.Errorf("kafka: topic %q does not exist; create it", topic)
	case denied(err):
		return fmt.Errorf("kafka: topic %q: %w; grant the job's user DESCRIBE, and READ or WRITE, on it", topic, err)
	case err != nil:
		return fmt.Errorf("kafka: probe: %w", err)
	}
	for _, p := range t.Partitions {
		if p.Leader < 0 {
			return fmt.Errorf("kafka: %s/%d has no leader: %w; wait for its brokers or repair them", topic, p.Partition, errors.Join(errNoLeader, kerr.ErrorForCode(p.ErrorCode)))
		}
	}
	return nil
}

// Topic says how a topic is to be.
type Topic struct {
	Partitions int32
	Compacted  bool // kept for ever, by key: a ledger. It is grown when it has too few partitions
}

// EnsureTopics creates the topics that are missing, with the brokers' replication factor, and waits until they have
// leaders. A topic that is there with too few partitions is grown if it is compacted, else it is an error.
func (d *Device) EnsureTopics(ctx context.Context, topics map[string]Topic) error {
	ctx, cancel := context.WithTimeout(ctx, d.opts.IOTimeout)
	defer cancel()
	names := make([]string, 0, len(topics))
	for name := range topics {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := d.ensure(ctx, name, topics[name]); err != nil {
			return err
		}
	}
	return nil
}

func (d *Device) ensure(ctx context.Context, name string, t Topic) error {
	configs := map[string]*string{}
	if t.Compacted {
		policy, forever := "compact", "-1"
		configs["cleanup.policy"], configs["retention.ms"] = &policy, &forever
	}
	_, err := d.adm.CreateTopic(ctx, t.Partitions, -1, configs, name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("kafka: create topic %q with %d partitions: %w; create it by hand or grant CREATE", name, t.Partitions, err)
	}
	return d.awaitTopic(ctx, name, t)
}

// awaitTopic waits until a topic is as it is to be: what was created shows up a little later.
func (d *Device) awaitTopic(ctx context.Context, name string, want Topic) error {
	for {
		err := d.probeTopic(ctx, name)
		if err == nil {
			err = d.grow(ctx, name, want)
		}
		if err == nil || errors.Is(err, errTooFew) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var errTooFew = errors.New("too few partitions")

func (d *Device) grow(ctx context.Context, name string, want Topic) error {
	t, err := describe(ctx, d.admin, name)
	if err != nil || int32(len(t.Partitions)) >= want.Partitions {
		return err
	}
	if !want.Compacted {
		return fmt.Errorf("kafka: topic %q has %d of %d partitions: %w; grow it, or name another", name, len(t.Partitions), want.Partitions, errTooFew)
	}
	if _, err := d.adm.UpdatePartitions(ctx, int(want.Partitions), name); err != nil {
		return fmt.Errorf("kafka: grow topic %q to %d partitions: %w", name, want.Partitions, err)
	}
	return fmt.Errorf("kafka: topic %q is growing", name)
}

var _ protocol.Device = (*Device)(nil)
