package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"weir/protocol"
	"weir/protocol/txn"
)

// Txn is a transaction of a job of ours that is open, or whose end is on its way.
type Txn struct {
	ID         string        `json:"id"`
	State      string        `json:"state"` // the coordinator's word
	Age        time.Duration `json:"age_ns"`
	Timeout    time.Duration `json:"timeout_ns"`
	Partitions []string      `json:"partitions"`
	What       string        `json:"what"` // it is to the job
	// Checkpoint is the decided one that it belongs to; zero: it belongs to none.
	Checkpoint protocol.CheckpointID `json:"checkpoint"`

	producer protocol.Producer
	standing standing
}

// standing is what a transaction is to the job whose HEAD was read.
type standing int

const (
	unknown standing = iota // no HEAD of this job was read
	current                 // of the attempt that HEAD names, or of a later one
	ended                   // of an ended attempt
	decided                 // and not sealed: it has to be committed
)

// openStates are those in which a transaction holds readers up.
var openStates = []string{"Ongoing", "PrepareCommit", "PrepareAbort"}

// openTxns lists the open transactions whose ids are ours, of one job or, for no name, of all.
func openTxns(ctx context.Context, adm *kadm.Client, job string, s *state) ([]Txn, error) {
	listed, err := adm.ListTransactions(ctx, nil, openStates)
	if err != nil {
		return nil, fmt.Errorf("list transactions: %w", err)
	}
	var ids []string
	for _, l := range listed.Sorted() {
		if n, ok := txn.ParseID(protocol.TransactionalID(l.TxnID)); ok && (job == "" || n.Job == job) {
			ids = append(ids, l.TxnID)
		}
	}
	return describe(ctx, adm, ids, s)
}

// describe asks for transactions by id. Those that coordinators do not know are left out.
func describe(ctx context.Context, adm *kadm.Client, ids []string, s *state) (list []Txn, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	described, err := adm.DescribeTransactions(ctx, ids...)
	if err != nil {
		return nil, fmt.Errorf("describe transactions: %w", err)
	}
	for _, d := range described.Sorted() {
		if d.Err != nil {
			continue // it ended meanwhile
		}
		t := Txn{ID: d.TxnID, State: d.State, Timeout: time.Duration(d.TimeoutMillis) * time.Millisecond,
			producer: protocol.Producer{ID: d.ProducerID, Epoch: d.ProducerEpoch}}
		if d.StartTimestamp > 0 {
			t.Age = max(0, time.Since(time.UnixMilli(d.StartTimestamp))).Round(time.Millisecond)
		}
		for _, topic := range d.Topics.Sorted() {
			for _, p := range topic.Partitions {
				t.Partitions = append(t.Partitions, fmt.Sprintf("%s/%d", topic.Topic, p))
			}
		}
		t.judge(s)
		list = append(list, t)
	}
	return list, nil
}

// judge finds out what a transaction is to its job.
func (t *Txn) judge(s *state) {
	n, ok := txn.ParseID(protocol.TransactionalID(t.ID))
	if s == nil || !ok || n.Job != s.head.Job {
		t.What = "its job's HEAD was not read"
		return
	}
	for _, c := range s.decided() {
		if string(c.ID) == t.ID && c.Producer == t.producer {
			t.standing, t.Checkpoint = decided, c.Checkpoint
			t.What = fmt.Sprintf("decided by checkpoint %d and not sealed: it has to be committed", c.Checkpoint)
			return
		}
	}
	if n.Epoch < s.head.Epoch || n.Epoch == s.head.Epoch && n.Attempt < s.head.Attempt {
		t.standing = ended
		t.What = fmt.Sprintf("of attempt %d.%d, which has ended: nobody will commit it", n.Epoch, n.Attempt)
		return
	}
	t.standing = current
	t.What = fmt.Sprintf("of attempt %d.%d, which is the job's current one", n.Epoch, n.Attempt)
}

// transactions judges those of the job that are open, and what the newest checkpoint has decided.
func (e *exam) transactions(ctx context.Context, s *state, topics []string, r *Report) {
	const check = "transactions"
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	at := "of all jobs"
	if e.Job != "" {
		at = txn.Prefix(e.Job) + "*"
	}
	open, err := openTxns(ctx, e.adm, e.Job, s)
	if err != nil {
		r.add(Unasked, check, at, err.Error(), "grant the user DESCRIBE on the job's transactional ids")
		return
	}
	before := len(r.Findings)
	for i := range open {
		e.transaction(&open[i], r)
	}
	e.lost(ctx, s, r)
	e.markers(ctx, open, topics, r)
	if len(r.Findings) == before {
		r.ok(check, at, "%d open, none is left behind", len(open))
	}
}

// transaction judges one that is open.
func (e *exam) transaction(t *Txn, r *Report) {
	if t.State != "Ongoing" {
		return // its end is decided
	}
	const check = "transaction"
	old := time.Duration(protocol.TxnIntervals * e.Config.Interval) // nobody ends it
	found := fmt.Sprintf("open for %v, %s; readers of %s stand still behind it", t.Age, t.What, strings.Join(t.Partitions, ", "))
	abort := fmt.Sprintf("weir txn abort %s; the broker does so %v after it began", t.ID, t.Timeout)
	switch {
	case t.standing == decided && t.Age > t.Timeout/2:
		r.add(Warning, check, t.ID, found, fmt.Sprintf("start the job: it commits it. The broker aborts it %v after it began, and then that output is lost", t.Timeout))
	case t.standing == decided && t.Age > old:
		r.add(Warning, check, t.ID, found, "start the job: it commits it")
	case t.standing == ended:
		r.add(Warning, check, t.ID, found, "start the job: it fences it; or "+abort)
	case t.standing == unknown && t.Age > old:
		r.add(Warning, check, t.ID, found, "name its job's bucket (-bucket) to know more")
	case t.Age > old:
		r.add(Warning, check, t.ID, found, fmt.Sprintf("look whether the job still takes checkpoints; if it does not run, start it: it ends this. The broker does %v after it began", t.Timeout))
	}
}

// lost looks for what was decided and then aborted.
func (e *exam) lost(ctx context.Context, s *state, r *Report) {
	var ids []string
	byID := map[string]protocol.Committable{}
	for _, c := range s.decided() {
		ids, byID[string(c.ID)] = append(ids, string(c.ID)), c
	}
	list, err := describe(ctx, e.adm, ids, s)
	if err != nil {
		r.add(Unasked, "decided transactions", fmt.Sprint(ids), err.Error(), "grant the user DESCRIBE on the job's transactional ids")
	}
	for _, t := range list {
		c := byID[t.ID]
		ours := t.producer.ID == c.Producer.ID && t.producer.Epoch <= c.Producer.Epoch+1 // the end of ours bumps the epoch; of a later one, which may have been begun meanwhile, once more
		if ours && (t.State == "PrepareAbort" || t.State == "CompleteAbort") {
			r.add(Breaks, "transaction", t.ID, fmt.Sprintf("it was decided by checkpoint %d and is aborted: its %d records are lost", c.Checkpoint, c.Count),
				"start the job: it says what is lost; go on from an earlier checkpoint, or accept the gap")
		}
	}
}

// markers looks, in the partitions, for what coordinators do not know of: a transaction that nobody will end, and one
// that somebody ended by hand.
func (e *exam) markers(ctx context.Context, open []Txn, topics []string, r *Report) {
	if len(topics) == 0 {
		return
	}
	var set kadm.TopicsSet
	details, err := e.adm.ListTopics(ctx, topics...)
	if err == nil {
		set = details.TopicsSet()
		producers, failed := e.adm.DescribeProducers(ctx, set)
		if err = failed; err == nil {
			err = e.compare(ctx, open, producers, r)
		}
	}
	if err != nil {
		r.add(Unasked, "markers", strings.Join(topics, ","), fmt.Sprintf("the partitions' producers are not told: %v", err), "grant the user READ on the topics")
	}
}

func (e *exam) compare(ctx context.Context, open []Txn, producers kadm.DescribedProducersTopics, r *Report) error {
	listed, err := e.adm.ListTransactions(ctx, nil, openStates)
	if err != nil {
		return err
	}
	known := map[int64]bool{}
	for _, l := range listed {
		known[l.ProducerID] = true
	}
	began := map[string][]int64{} // producers with an open transaction, by partition
	asked := map[string]bool{}
	for _, t := range producers.Sorted() {
		for _, p := range t.Partitions.Sorted() {
			at := fmt.Sprintf("%s/%d", t.Topic, p.Partition)
			if p.Err != nil {
				return fmt.Errorf("%s: %w", at, p.Err)
			}
			asked[at] = true
			for _, w := range p.ActiveProducers.Sorted() {
				if w.CurrentTxnStartOffset < 0 {
					continue
				}
				began[at] = append(began[at], w.ProducerID)
				if !known[w.ProducerID] && time.Since(time.UnixMilli(w.LastTimestamp)) > time.Duration(e.Config.Interval) {
					r.add(Warning, "partition", at, fmt.Sprintf("a transaction of producer %d is open from offset %d, and no coordinator knows of it: it hangs, and readers stand still behind it for ever", w.ProducerID, w.CurrentTxnStartOffset),
						fmt.Sprintf("kafka-transactions.sh abort --topic %s --partition %d --start-offset %d", t.Topic, p.Partition, w.CurrentTxnStartOffset))
				}
			}
		}
	}
	for _, t := range open {
		for _, at := range t.Partitions {
			if t.standing == decided && t.State == "Ongoing" && asked[at] && !slices.Contains(began[at], t.producer.ID) {
				r.add(Breaks, "partition", at, fmt.Sprintf("transaction %s is open, and has ended in this partition: somebody wrote a marker by hand, and its records there are visible or lost whatever the job decides", t.ID), "compare the output with the input from the newest checkpoint on")
			}
		}
	}
	return nil
}
