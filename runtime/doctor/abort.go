package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"weir/protocol"
	"weir/protocol/txn"
	"weir/runtime/engine"
	"weir/runtime/kafka"
)

// List is the open transactions of a job, or of all jobs of ours. A bucket that is named tells what they are to its job.
func List(ctx context.Context, o Options) ([]Txn, error) {
	ctx, cancel := context.WithTimeout(ctx, examTimeout)
	defer cancel()
	e := &exam{Options: o}
	s, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer e.cl.Close()
	return openTxns(ctx, e.adm, e.Job, s)
}

// connect reaches the brokers, and reads HEAD if a bucket is named.
func (e *exam) connect(ctx context.Context) (*state, error) {
	s, err := e.readState(ctx)
	if err != nil {
		return nil, err
	}
	if s != nil && e.Job == "" {
		e.Job = s.head.Job
	}
	o := e.kafka()
	if err := o.Reach(ctx); err != nil {
		return nil, err
	}
	if e.cl, err = o.Connect(); err != nil {
		return nil, err
	}
	e.adm = kadm.NewClient(e.cl)
	asked, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	if _, err := e.adm.ListBrokers(asked); err != nil {
		e.cl.Close()
		return nil, fmt.Errorf("kafka: %w; %s", err, o.Advice(err))
	}
	return s, nil
}

// readState reads HEAD; nil: no bucket is named, or no job has used it.
func (e *exam) readState(ctx context.Context) (*state, error) {
	if e.Bucket == "" {
		return nil, nil
	}
	d, err := open(ctx, e.Options.Options, e.Logger)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	s, err := read(ctx, d)
	if errors.Is(err, errNoJob) {
		return nil, fmt.Errorf("%s: %w: name the bucket of the job whose transactions these are", e.Bucket, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Bucket, err)
	}
	return s, nil
}

// ErrRefused is in the error of Abort when it would, or could, lose output.
var ErrRefused = errors.New("refused")

// Abort ends open transactions by fencing their ids, which aborts them, after it has said so. Unless force, it refuses to
// touch any if one of them is decided, is of the job's current attempt, or cannot be told apart for want of its job's
// bucket.
func Abort(ctx context.Context, o Options, ids []string, force bool, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, abortTimeout)
	defer cancel()
	e := &exam{Options: o}
	s, err := e.connect(ctx)
	if err != nil {
		return err
	}
	defer e.cl.Close()
	list, err := e.targets(ctx, ids, s)
	if err != nil {
		return err
	}
	var refused []string
	for i := range list {
		t := &list[i]
		fmt.Fprintf(w, "%s: %s for %v, %s; %s\n", t.ID, t.State, t.Age, t.What, partitions(t.Partitions))
		if why := t.refusal(); why != "" {
			refused = append(refused, fmt.Sprintf("%s: %s", t.ID, why))
		}
	}
	if len(refused) > 0 && !force {
		return fmt.Errorf("%w, nothing was aborted: %s; -force does it all the same", ErrRefused, strings.Join(refused, "; "))
	}
	fmt.Fprintf(w, "%d ids are taken over (InitProducerID), which aborts their transactions: their records are never seen by readers of read_committed\n", len(list))
	return e.fence(ctx, list, w)
}

// abortTimeout leaves a coordinator time to move.
const abortTimeout = time.Minute

func partitions(list []string) string {
	if list == nil {
		return "no partition"
	}
	return strings.Join(list, ", ")
}

// targets are the open transactions of these ids. Each must be one.
func (e *exam) targets(ctx context.Context, ids []string, s *state) ([]Txn, error) {
	for _, id := range ids {
		if _, ok := txn.ParseID(protocol.TransactionalID(id)); !ok {
			return nil, fmt.Errorf("%q is no transactional id of weir: job/sink/task/epoch.attempt/slot", id)
		}
	}
	list, err := describe(ctx, e.adm, ids, s)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		at := slices.IndexFunc(list, func(t Txn) bool { return t.ID == id })
		if at < 0 {
			return nil, fmt.Errorf("no coordinator knows %s: nothing is open; see weir txn list", id)
		}
		if state := list[at].State; state != "Ongoing" {
			return nil, fmt.Errorf("%s is not open: it is %s; see weir txn list", id, state)
		}
	}
	return list, nil
}

// refusal is why a transaction must not be aborted without force; empty: it may be.
func (t *Txn) refusal() string {
	switch t.standing {
	case decided:
		return fmt.Sprintf("checkpoint %d has decided it, so that its output would be lost: start the job, which commits it", t.Checkpoint)
	case current:
		return "it is of the job's current attempt: if the job runs, it would restart; if it does not, start it, and it ends this itself"
	case unknown:
		return "whether its job has decided it is not known: name that job's bucket (-bucket)"
	case ended:
	}
	return ""
}

// fence takes the ids over, one after the other.
func (e *exam) fence(ctx context.Context, list []Txn, w io.Writer) error {
	o := e.kafka()
	o.Pool = new(engine.Pool)
	d, err := kafka.New(o)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, t := range list {
		if err := fenceOne(ctx, d, t.ID); err != nil {
			return fmt.Errorf("abort %s: %w", t.ID, err)
		}
		fmt.Fprintf(w, "%s: aborted\n", t.ID)
	}
	return nil
}

func fenceOne(ctx context.Context, d *kafka.Device, id string) error {
	for {
		got := make(chan protocol.Event, 1)
		d.Perform(protocol.Address{}, protocol.Fence{Op: 1, ID: protocol.TransactionalID(id)}, func(ev protocol.Event) { got <- ev })
		select {
		case ev := <-got:
			switch out := ev.(protocol.Fenced).Outcome; out {
			case protocol.OK:
				return nil
			case protocol.Denied:
				return errors.New("access denied; grant the user WRITE on this transactional id")
			}
		case <-ctx.Done():
			return fmt.Errorf("the coordinator does not answer: %w; ask again, it does no harm", ctx.Err())
		}
		select { // the abort is on its way, or the coordinator moves
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the coordinator does not answer: %w; ask again, it does no harm", ctx.Err())
		}
	}
}
