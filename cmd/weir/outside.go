package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/checker"
	"weir/cmd/accesslog/job"
)

const (
	feedChunk = 100 // lines appended together
	feedPause = 60 * time.Millisecond
)

// feeder appends the lines to the job's input, and remembers where each went.
type feeder struct {
	began  time.Time
	count  atomic.Int64
	failed atomic.Pointer[error]

	mu     sync.Mutex
	inputs []checker.Input
}

func startFeeder(ctx context.Context, addr string, lines []string) (*feeder, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(job.Input), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return nil, err
	}
	f := &feeder{began: time.Now()}
	go func() {
		defer cl.Close()
		for i := 0; i < len(lines) && ctx.Err() == nil; i += feedChunk {
			for _, line := range lines[i:min(i+feedChunk, len(lines))] {
				f.append(ctx, cl, line)
			}
			time.Sleep(feedPause)
		}
		cl.Flush(ctx)
	}()
	return f, nil
}

func (f *feeder) append(ctx context.Context, cl *kgo.Client, line string) {
	at := time.Since(f.began)
	cl.Produce(ctx, &kgo.Record{Value: []byte(line)}, func(r *kgo.Record, err error) {
		if err != nil {
			err = fmt.Errorf("append to %q: %w", job.Input, err)
			f.failed.CompareAndSwap(nil, &err)
			return
		}
		f.mu.Lock()
		f.inputs = append(f.inputs, checker.Input{Topic: job.Input, Partition: r.Partition, Offset: r.Offset, At: int64(at), Value: r.Value})
		f.mu.Unlock()
		f.count.Add(1)
	})
}

func (f *feeder) fed() int64 { return f.count.Load() }

// reader is a read_committed client outside the job. It keeps every fetch.
type reader struct {
	count atomic.Int64
	done  context.CancelFunc
	ended chan struct{}

	mu      sync.Mutex
	fetches []checker.Fetch
}

func startReader(ctx context.Context, addr string) (*reader, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(job.Output), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{done: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		defer cl.Close()
		next := map[int32]int64{}
		for ctx.Err() == nil {
			r.poll(ctx, cl, next)
		}
	}()
	return r, nil
}

// poll keeps what one poll brought, as a fetch per partition.
func (r *reader) poll(ctx context.Context, cl *kgo.Client, next map[int32]int64) {
	call := time.Now().UnixNano()
	fetches := cl.PollFetches(ctx)
	back := time.Now().UnixNano()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		f := checker.Fetch{Reader: "demo", Topic: p.Topic, Partition: p.Partition, Call: call, Return: back, From: next[p.Partition]}
		for _, rec := range p.Records {
			f.Records = append(f.Records, checker.Record{Offset: rec.Offset, Key: rec.Key, Value: rec.Value})
			next[p.Partition] = rec.Offset + 1
		}
		if len(f.Records) == 0 {
			return
		}
		r.mu.Lock()
		r.fetches = append(r.fetches, f)
		r.mu.Unlock()
		r.count.Add(int64(len(f.Records)))
	})
}

func (r *reader) seen() int64 { return r.count.Load() }

// more waits until n more results are visible.
func (r *reader) more(ctx context.Context, n int64) error { return r.wait(ctx, int(r.seen()+n)) }

// wait waits until n results are visible.
func (r *reader) wait(ctx context.Context, n int) error {
	for r.seen() < int64(n) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d results became visible: %w", r.seen(), n, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// tail is how long the reader goes on after the last result, to see one too many if there is one.
const tail = 500 * time.Millisecond

// history is what was fed and what was seen, for the checker.
func (r *reader) history(f *feeder) (checker.History, error) {
	time.Sleep(tail)
	r.done()
	<-r.ended
	if err := f.failed.Load(); err != nil {
		return checker.History{}, *err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := checker.History{Fetches: r.fetches, Complete: true, Inputs: f.inputs}
	if len(h.Inputs) == 0 {
		return h, errors.New("nothing was fed")
	}
	for i := range h.Inputs { // one clock for all: the reader's
		h.Inputs[i].At += f.began.UnixNano()
	}
	return h, nil
}
