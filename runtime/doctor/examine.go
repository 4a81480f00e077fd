package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/protocol"
	"weir/protocol/txn"
	"weir/runtime/access"
	"weir/runtime/kafka"
)

const (
	// examTimeout bounds an examination.
	examTimeout = 12 * time.Second
	// questionTimeout bounds one question.
	questionTimeout = 5 * time.Second
)

// Options say whom to ask and what a job's settings are. Without Brokers, or without Bucket, that part is left out.
type Options struct {
	access.Options
	Job    string // its name; empty: whose HEAD is in the bucket
	Topics []string
	Config protocol.Config // the job's; Interval, Timeout, TxnTimeout and Tolerable matter
	Logger *slog.Logger    // nil: slog.Default()
}

// exam is one examination.
type exam struct {
	Options
	cl  *kgo.Client
	adm *kadm.Client
}

// Examine asks everything and judges. It takes at most 15 s.
func Examine(ctx context.Context, o Options) *Report {
	ctx, cancel := context.WithTimeout(ctx, examTimeout)
	defer cancel()
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	e := &exam{Options: o}
	var brokers, bucket Report
	var found *state
	var group sync.WaitGroup
	if o.Bucket != "" {
		group.Go(func() { found = e.bucket(ctx, &bucket) })
	}
	reached := len(o.Brokers) > 0 && e.brokers(ctx, &brokers)
	group.Wait()
	r := &Report{Findings: append(brokers.Findings, bucket.Findings...)}
	if reached {
		defer e.cl.Close()
		if e.Job == "" && found != nil {
			e.Job = found.head.Job
		}
		e.limit(ctx, r)
		topics := e.topics(ctx, found, r)
		if e.rights(ctx, found, r) {
			e.transactions(ctx, found, topics, r)
		}
	}
	return r
}

// brokers asks for the brokers and their versions. False: there is nobody to be asked more.
func (e *exam) brokers(ctx context.Context, r *Report) bool {
	at := strings.Join(e.Brokers, ",")
	if e.Exposed() {
		r.add(Warning, "credentials", at, "the password for the brokers travels in clear", "speak TLS to them: -kafka-tls or -kafka-ca")
	}
	o := e.kafka()
	if err := o.Reach(ctx); err != nil {
		r.add(Unasked, "brokers", at, err.Error(), "name brokers that answer")
		return false
	}
	cl, err := o.Connect()
	if err != nil {
		r.add(Unasked, "brokers", at, err.Error(), "correct the flags")
		return false
	}
	e.cl, e.adm = cl, kadm.NewClient(cl)
	asked, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	versions, err := e.adm.ApiVersions(asked)
	if err != nil {
		r.add(Unasked, "brokers", at, fmt.Sprintf("they refuse the question for their versions: %v", err), o.Advice(err))
		cl.Close()
		return false
	}
	r.versions(versions)
	return true
}

const (
	addPartitionsKey = 24
	oldest           = 4 // of AddPartitionsToTxn: brokers below 3.6 do not verify transactions
)

// versions judges what the brokers can do.
func (r *Report) versions(versions kadm.BrokersApiVersions) {
	lowest := int16(-1)
	for _, b := range versions.Sorted() {
		at := fmt.Sprintf("broker %d", b.NodeID)
		if b.Err != nil {
			r.add(Unasked, "version", at, fmt.Sprintf("it is in the cluster and cannot be reached: %v", b.Err), "check its advertised listener")
			continue
		}
		if v, _ := b.KeyMaxVersion(addPartitionsKey); v < oldest {
			r.add(Breaks, "version", at, "it is older than 3.6 and does not verify transactions: a zombie's late write can hang a partition for ever", "upgrade it")
		} else {
			r.ok("version", at, "Kafka %s", guess(b))
		}
		level := int16(0)
		for _, f := range b.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" {
				level = f.MaxVersionLevel
			}
		}
		if lowest < 0 || level < lowest {
			lowest = level
		}
	}
	switch {
	case lowest >= 2:
		r.ok("transaction.version", "of the cluster", "%d: every end of a transaction fences its writer", lowest)
	case lowest >= 0:
		r.add(Warning, "transaction.version", "of the cluster", fmt.Sprintf("%d: weir works, but a zombie's late write is found out later than at 2", lowest),
			"when every broker is 4.0 or newer: kafka-features.sh upgrade --feature transaction.version=2")
	}
}

// guess is a broker's version, as far as what it can do tells.
func guess(b kadm.BrokerApiVersions) string {
	if v, ok := strings.CutPrefix(b.VersionGuess(), "v"); ok {
		return v
	}
	return "3.6 or newer"
}

// rights finds out whether the user may write the job's transactions, and its ledgers as far as they are known.
// False: it may not even see them.
func (e *exam) rights(ctx context.Context, s *state, r *Report) bool {
	const check = "rights"
	if e.Job == "" {
		r.ok(check, "of the user", "not asked: no job is named, and the bucket names none (-job)")
		return true
	}
	at, topics := txn.Prefix(e.Job)+"*", ledgers(s)
	if topics == nil {
		topics = []string{txn.LedgerTopic(e.Job, "probe")} // somewhere the transaction has to write
	}
	asked, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	err := e.kafka().Rights(asked, txn.ProbeID(e.Job), topics...)
	switch {
	case err == nil, s == nil && errors.Is(err, kerr.TopicAuthorizationFailed): // after the id's
		r.ok(check, at, "the user may write transactions of this job")
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		r.add(Refuses, check, at, err.Error(), "grant it with kafka-acls.sh")
	default:
		r.add(Unasked, check, at, err.Error(), "ask again; the brokers' logs say why transactions have no coordinator")
		return false
	}
	return !errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
}

// ledgers are the ledger topics of the sinks that HEAD names.
func ledgers(s *state) (list []string) {
	if s == nil {
		return nil
	}
	for _, p := range s.head.Pools {
		if t := txn.LedgerTopic(s.head.Job, p.Sink); !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	return list
}

// kafka is what clients here begin with.
func (e *exam) kafka() kafka.Options {
	o := e.Kafka()
	o.Logger, o.IOTimeout = e.Logger, questionTimeout
	return o
}
