package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir"
	accesslog "weir/cmd/accesslog/job"
	"weir/cmd/accesslog/logs"
	"weir/protocol"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/state/memory"
	"weir/runtime/embed"
	"weir/runtime/engine"
	"weir/runtime/kafka"
	"weir/runtime/localfs"
)

// step is one step of one machine, as text: nothing of it is shared with the machine any more.
type step struct {
	now     protocol.Time
	event   string
	effects []string
}

// recording is every step of every machine of one life of a process, in order per machine.
type recording struct {
	mu    sync.Mutex
	steps map[protocol.Address][]step
	bytes int
}

// most is how many bytes of text a recording holds; then it ends, for all machines.
const most = 64 << 20

func (r *recording) observe(self protocol.Address, now protocol.Time, ev protocol.Event, effects []protocol.Effect) {
	s := step{now: now, event: protocol.Format(ev)}
	size := len(s.event)
	for _, ef := range effects {
		s.effects = append(s.effects, protocol.Format(ef))
		size += len(s.effects[len(s.effects)-1])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes += size; r.bytes < most {
		r.steps[self] = append(r.steps[self], s)
	}
}

// has reports whether an effect that begins so was recorded.
func (r *recording) has(prefix string) bool {
	for _, steps := range r.steps {
		for _, s := range steps {
			if slices.ContainsFunc(s.effects, func(e string) bool { return strings.HasPrefix(e, prefix) }) {
				return true
			}
		}
	}
	return false
}

// lives are the steps of a machine, split where it was made anew.
func lives(steps []step) (list [][]step) {
	for i, s := range steps {
		if strings.HasPrefix(s.event, "started") || i == 0 {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], s)
	}
	return list
}

// scribbler is a pool that spoils what it is given, so that a machine that kept an alias shows.
type scribbler struct{}

func (scribbler) Get() *batch.Batch  { return new(batch.Batch) }
func (scribbler) Put(b *batch.Batch) { b.Scribble() }

func newState(owned state.Groups, total int) state.Keyed { return memory.New(owned, total) }

// fresh makes the machine of a life anew: the n-th of its address.
func (r *recording) fresh(t *testing.T, plan *job.Plan, self protocol.Address, n int) protocol.Machine {
	t.Helper()
	switch self.Task {
	case protocol.CoordinatorTask:
		return plan.NewCoordinator([]protocol.NodeID{engine.Self})
	case protocol.WorkerTask:
		return plan.NewWorker()
	}
	for _, s := range r.steps[protocol.Address{Node: engine.Self, Task: protocol.WorkerTask}] {
		for _, text := range s.effects {
			if !strings.HasPrefix(text, "spawn ") {
				continue
			}
			start := parse[protocol.Spawn](t, text).Start
			if start.Task == self.Task {
				if n--; n < 0 {
					return plan.NewTask(start, job.Deps{Pool: scribbler{}, NewState: newState})
				}
			}
		}
	}
	t.Fatalf("task %d was never spawned for its life %d", self.Task, n)
	return nil
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	v, err := protocol.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v.(T)
}

// replay feeds a machine the events of a life and returns where its effects differ from the recorded ones, or "".
func replay(t *testing.T, m protocol.Machine, life []step) (diff string) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			diff = fmt.Sprint(p)
		}
	}()
	var out protocol.Effects
	for i, s := range life {
		out.Reset()
		m.Step(s.now, parse[protocol.Event](t, s.event), &out)
		var got []string
		for _, ef := range out.All() {
			got = append(got, protocol.Format(ef))
		}
		if !slices.Equal(got, s.effects) {
			return fmt.Sprintf("step %d at %d took %.500s\ngot  %q\nwant %q", i, s.now, s.event, got, s.effects)
		}
		for _, ef := range out.All() {
			if r, ok := ef.(protocol.Release); ok {
				r.Batch.Scribble()
			}
		}
	}
	return ""
}

// lossy loses the answers of some effects: what was asked happened all the same.
type lossy struct {
	protocol.Device
	flushes, heads atomic.Int32
}

func (l *lossy) CloseSlots() { l.Device.(engine.LogDevice).CloseSlots() }

func (l *lossy) Perform(from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	l.Device.Perform(from, ef, func(ev protocol.Event) {
		switch e := ev.(type) {
		case protocol.Flushed:
			if l.flushes.Add(1) == 4 {
				e.Outcome = protocol.Unknown
				ev = e
			}
		case protocol.Stored:
			if s := ef.(protocol.Store); s.Key == "HEAD" && l.heads.Add(1) == 3 {
				e.Outcome, e.Version = protocol.Unknown, ""
				ev = e
			}
		}
		done(ev)
	})
}

// site is a broker and a bucket, and a job's plan.
type site struct {
	addr, dir string
	plan      *job.Plan
}

func newSite(t *testing.T) *site {
	t.Helper()
	g, err := weir.Graph(accesslog.Job)
	if err != nil {
		t.Fatal(err)
	}
	cfg := protocol.Defaults()
	cfg.Interval, cfg.Heartbeat, cfg.RestartDelay, cfg.Parallelism = 50*protocol.Millisecond, 20*protocol.Millisecond, 20*protocol.Millisecond, 2
	plan, err := job.NewPlan(g, cfg)
	if err != nil {
		t.Fatal(err)
	}
	topics := map[string]int32{accesslog.Input: 3, accesslog.Output: 3}
	_, _, ledgers := plan.Topics()
	for _, l := range ledgers {
		topics[l.Topic] = int32(l.Partitions)
	}
	events, w := io.Pipe()
	go embed.Serve(t.Context(), embed.Options{Topics: topics, Events: w})
	line, err := bufio.NewReader(events).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, events)
	return &site{addr: strings.TrimPrefix(strings.TrimSpace(line), "ready "), dir: t.TempDir(), plan: plan}
}

// live runs the job until lines more are counted, and records it.
func (s *site) live(t *testing.T, incarnation protocol.Incarnation, lines []string) *recording {
	t.Helper()
	clock, pool, quiet := engine.NewClock(), new(engine.Pool), slog.New(slog.DiscardHandler)
	log, err := kafka.New(kafka.Options{Brokers: []string{s.addr}, Pool: pool, Now: clock.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	store, err := localfs.OpenWith(s.dir, localfs.Options{Logger: quiet, Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r := &recording{steps: map[protocol.Address][]step{}}
	e := engine.New(engine.Options{Plan: s.plan, Incarnation: incarnation, Store: &lossy{Device: store}, Log: &lossy{Device: log}, Clock: clock, Pool: pool,
		NewState: newState, Logger: quiet, Observe: r.observe})
	ended := make(chan protocol.Verdict, 1)
	go func() {
		v, err := e.Run(t.Context())
		if err != nil {
			t.Error(err)
		}
		ended <- v
	}()
	s.feed(t, lines)
	e.Stop()
	if v := <-ended; v.Kind != protocol.Stopped {
		t.Fatal(v)
	}
	return r
}

// feed appends lines in portions, each when the last one's results are committed.
func (s *site) feed(t *testing.T, lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	opts := []kgo.Opt{kgo.SeedBrokers(s.addr), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeTopics(accesslog.Output), kgo.FetchMaxWait(50 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(time.Now().UnixMilli())), kgo.DefaultProduceTopic(accesslog.Input)}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for portion := range slices.Chunk(lines, len(lines)/10) {
		for _, l := range portion {
			cl.Produce(ctx, kgo.StringRecord(l), nil)
		}
		if err := cl.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		for seen := 0; seen < len(portion); {
			if seen += cl.PollFetches(ctx).NumRecords(); ctx.Err() != nil {
				t.Fatalf("%d of %d results became visible", seen, len(portion))
			}
		}
	}
}

// One core, not two: what real machines did on a broker and a folder, over a lost answer, a restart and a second life,
// fresh machines do again, byte for byte, when they are fed the recorded events.
func TestRecordedRunIsReplayed(t *testing.T) {
	s := newSite(t)
	lines := logs.Lines()
	recordings := []*recording{s.live(t, 0x11, lines[:400]), s.live(t, 0x22, lines[400:800])}
	steps, machines := 0, 0
	for _, r := range recordings {
		for self, all := range r.steps {
			for n, life := range lives(all) {
				machines++
				steps += len(life)
				if diff := replay(t, r.fresh(t, s.plan, self, n), life); diff != "" {
					t.Errorf("task %d, life %d: %s", self.Task, n, diff)
				}
			}
		}
		for _, must := range []string{`note kind="checkpoint sealed"`, `note kind="region restarted"`, `note kind="recovery fenced"`, `note kind="head write found won"`, "store ", "send "} {
			if !r.has(must) {
				t.Errorf("the recording has no %s: it says less than it should", must)
			}
		}
	}
	if !recordings[1].has(`note kind="task restored" checkpoint=`) {
		t.Error("nothing was restored in the second life")
	}
	t.Logf("%d steps of %d machines", steps, machines)
	recordings[0].canary(t, s.plan)
}

// canary sees to it that a difference would be seen: a life without some one of its events does not come out the same.
func (r *recording) canary(t *testing.T, plan *job.Plan) {
	t.Helper()
	for _, task := range []protocol.TaskID{protocol.CoordinatorTask, protocol.WorkerTask, 1, 3, 5} {
		self := protocol.Address{Node: engine.Self, Task: task}
		life := lives(r.steps[self])[0]
		seen := false
		for i := 1; i < len(life) && !seen; i++ {
			seen = replay(t, r.fresh(t, plan, self, 0), slices.Delete(slices.Clone(life), i, i+1)) != ""
		}
		if !seen {
			t.Errorf("task %d: no event makes a difference", task)
		}
	}
}
