package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir"
	accesslog "weir/cmd/accesslog/job"
	"weir/cmd/accesslog/logs"
	"weir/protocol"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/state/memory"
	"weir/runtime/embed"
	"weir/runtime/engine"
	"weir/runtime/kafka"
	"weir/runtime/localfs"
)

func newState(owned state.Groups, total int) state.Keyed { return memory.New(owned, total) }

// most is how many bytes of text a recording holds here.
const most = 64 << 20

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
func (s *site) live(t *testing.T, incarnation protocol.Incarnation, lines []string) string {
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
	var text bytes.Buffer
	r := engine.NewRecorder(&text, most)
	e := engine.New(engine.Options{Plan: s.plan, Incarnation: incarnation, Store: &lossy{Device: store}, Log: &lossy{Device: log}, Clock: clock, Pool: pool,
		NewState: newState, Logger: quiet, Observe: r.Observe})
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
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	return text.String()
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
	recordings := []string{s.live(t, 0x11, lines[:400]), s.live(t, 0x22, lines[400:800])}
	for i, r := range recordings {
		done, err := engine.Replay(strings.NewReader(r), s.plan, newState)
		if err != nil {
			t.Errorf("life %d: %.2000v", i, err)
		}
		t.Logf("life %d: %d steps of %d machines", i, done.Steps, done.Machines)
		for _, must := range []string{`note kind="checkpoint sealed"`, `note kind="region restarted"`, `note kind="recovery fenced"`, `note kind="head write found won"`, "store ", "send "} {
			if !strings.Contains(r, "\n\t"+must) {
				t.Errorf("the recording has no %s: it says less than it should", must)
			}
		}
	}
	if !strings.Contains(recordings[1], `note kind="task restored" checkpoint=`) {
		t.Error("nothing was restored in the second life")
	}
	canary(t, s.plan, recordings[0])
	if done, err := engine.Replay(strings.NewReader(recordings[0][:len(recordings[0])-3]), s.plan, newState); err != nil || done.Steps == 0 {
		t.Errorf("a recording that was cut off: %v, %v", done, err)
	}
}

// canary sees to it that a difference would be seen: a recording without some one step of a machine does not come out
// the same.
func canary(t *testing.T, plan *job.Plan, recording string) {
	t.Helper()
	steps := strings.SplitAfter(recording, "\n.\n")
	for _, self := range []string{"1/0 ", "1/4294967295 ", "1/1 ", "1/3 ", "1/5 "} {
		seen := false
		for i, s := range steps {
			if !strings.HasPrefix(s, self) || strings.Contains(s, " started ") {
				continue
			}
			without := strings.Join(slices.Delete(slices.Clone(steps), i, i+1), "")
			if _, err := engine.Replay(strings.NewReader(without), plan, newState); err != nil {
				seen = true
				break
			}
		}
		if !seen {
			t.Errorf("%s: no step makes a difference", self)
		}
	}
}
