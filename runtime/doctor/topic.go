package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"weir/protocol"
)

// txnState is where coordinators keep what they have decided.
const txnState = "__transaction_state"

// topics judges the topics that were named, that the newest checkpoint reads, the ledgers, and the coordinators' own. It
// returns those of the job that are there.
func (e *exam) topics(ctx context.Context, s *state, r *Report) (there []string) {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	read := reads(s)
	names := slices.Concat(e.Topics, ledgers(s), []string{txnState})
	for name := range read {
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	brokers := 0
	if list, err := e.adm.ListBrokers(ctx); err == nil {
		brokers = len(list)
	}
	for _, name := range names {
		t, err := e.topic(ctx, name)
		t.ledger, t.brokers = slices.Contains(ledgers(s), name), brokers
		if err != nil {
			r.absent(name, t.ledger, err)
			continue
		}
		if name != txnState {
			there = append(there, name)
		}
		if id, ok := read[name]; ok && protocol.TopicID(t.ID) != id {
			r.add(Breaks, "topic", name, "it was deleted and created again: the newest checkpoint's offsets are of another topic of this name", "start from the beginning in an empty bucket; what was in the old topic and not read is lost")
			continue
		}
		r.topic(t)
	}
	return there
}

// topic asks for one topic, on its own: one that may not be asked for would make the others unknown.
func (e *exam) topic(ctx context.Context, name string) (*topic, error) {
	t := &topic{}
	details, err := e.adm.ListTopicsWithInternal(ctx, name)
	if err != nil {
		return t, err
	}
	t.TopicDetail = details[name]
	if t.Err != nil || t.Topic == "" {
		return t, cmp.Or(t.Err, error(kerr.UnknownTopicOrPartition))
	}
	configs, err := e.adm.DescribeTopicConfigs(ctx, name)
	if err == nil && len(configs) == 1 {
		err = configs[0].Err
	}
	if t.untold = err; err != nil {
		return t, nil
	}
	t.config = map[string]string{}
	for _, c := range configs {
		for _, c := range c.Configs {
			t.config[c.Key] = c.MaybeValue()
		}
	}
	return t, nil
}

// reads are the topics that the newest checkpoint reads.
func reads(s *state) map[string]protocol.TopicID {
	read := map[string]protocol.TopicID{}
	if s != nil && s.manifest != nil {
		for _, snap := range s.manifest.Snapshots {
			for _, p := range snap.Positions {
				read[p.Topic] = p.TopicID
			}
		}
	}
	return read
}

// absent judges a topic that is not to be had.
func (r *Report) absent(name string, ledger bool, err error) {
	switch there := !errors.Is(err, kerr.UnknownTopicOrPartition); {
	case there && name == txnState: // a job's user need not see it
		r.add(Warning, "topic", name, err.Error(), "let somebody who may see it look whether it has three replicas (transaction.state.log.replication.factor): what coordinators have decided is there")
	case there:
		r.add(Unasked, "topic", name, err.Error(), "grant the job's user DESCRIBE on it")
	case name == txnState:
		r.ok("topic", name, "not there yet: the first transaction makes it")
	case ledger:
		r.add(Breaks, "topic", name, "the ledger is gone: what was decided and not sealed cannot be proven", "restore it, or start from the beginning in an empty bucket, which doubles the output")
	default:
		r.add(Refuses, "topic", name, "it does not exist", "create it")
	}
}

// topic is one that is there, with its settings; nil: they were not told.
type topic struct {
	kadm.TopicDetail
	ledger  bool
	brokers int
	config  map[string]string
	untold  error // why there is no config
}

// topic judges leaders, replicas and settings: the worst only.
func (r *Report) topic(t *topic) {
	level, found, do := t.judge()
	if level == OK && t.config == nil {
		r.add(Unasked, "topic", t.Topic, fmt.Sprintf("its settings are not told: %v", t.untold), "grant the user DESCRIBE_CONFIGS on it, or look at min.insync.replicas and cleanup.policy yourself")
		return
	}
	if level == OK {
		r.ok("topic", t.Topic, "%d partitions, %s", len(t.Partitions), found)
		return
	}
	r.add(level, "topic", t.Topic, found, do)
}

func (t *topic) judge() (level Level, found, do string) {
	replicas, isr, leaderless := t.replicas()
	least, err := strconv.Atoi(t.config["min.insync.replicas"])
	if err != nil {
		least = 1
	}
	switch {
	case leaderless >= 0:
		return Refuses, fmt.Sprintf("partition %d has no leader", leaderless), "start or repair its brokers"
	case t.config["unclean.leader.election.enable"] == "true":
		return Breaks, "unclean.leader.election.enable is true: a leader that lacks committed records may be elected", "set it to false"
	case t.ledger && t.config != nil && t.config["cleanup.policy"] != "compact":
		return Breaks, fmt.Sprintf("cleanup.policy of the ledger is %q: its records must stay until the job removes them", t.config["cleanup.policy"]), "set it to compact"
	case isr < least:
		return Refuses, fmt.Sprintf("a partition has %d replicas in sync, and %d are demanded to write", isr, least), "start or repair the brokers that lag behind"
	case replicas < 2:
		return Warning, t.copies(replicas, least, "each partition is on one broker: its disk is the only copy"), "three replicas and min.insync.replicas=2" + t.more()
	case least < 2 && t.config != nil:
		return Warning, t.copies(replicas, least, "a record may be acknowledged that only the leader has"), "set min.insync.replicas to 2"
	}
	return OK, fmt.Sprintf("%d replicas, %d must be in sync, %d are", replicas, least, isr), ""
}

func (t *topic) copies(replicas, least int, why string) string {
	return fmt.Sprintf("replication factor %d, min.insync.replicas %d: %s", replicas, least, why)
}

func (t *topic) more() string {
	if t.brokers < 3 {
		return fmt.Sprintf(", for which this cluster of %d is too small", t.brokers)
	}
	return ""
}

// replicas is the least number of replicas and of those in sync, and a partition without a leader, or -1.
func (t *topic) replicas() (replicas, isr int, leaderless int32) {
	leaderless = -1
	for i, p := range t.Partitions.Sorted() {
		if p.Leader < 0 {
			leaderless = p.Partition
		}
		if i == 0 || len(p.Replicas) < replicas {
			replicas = len(p.Replicas)
		}
		if i == 0 || len(p.ISR) < isr {
			isr = len(p.ISR)
		}
	}
	return replicas, isr, leaderless
}
