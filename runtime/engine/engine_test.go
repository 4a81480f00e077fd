package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/protocol"
	"weir/protocol/batch"
)

func TestBoundedJobFinishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.feed("a", "b", "a", "c", "a")
		e, _ := w.engine(t, counts(weir.BoundedTopic[string], all))
		end := <-run(t.Context(), e)
		if end.err != nil || end.verdict.Kind != protocol.Finished {
			t.Fatal(end)
		}
		got := w.out()
		slices.Sort(got)
		if want := []string{"a=1", "a=2", "a=3", "b=1", "c=1"}; !slices.Equal(got, want) {
			t.Errorf("output %v, want %v", got, want)
		}
		if w.closed == 0 {
			t.Error("the slots were not closed")
		}
	})
}

// A process may be asked to stop before it runs: it stops with its first checkpoint.
func TestStopBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e, _ := w.engine(t, counts(weir.Topic[string], all))
		e.Stop()
		if end := <-run(t.Context(), e); end.err != nil || end.verdict.Kind != protocol.Stopped {
			t.Fatal(end)
		}
	})
}

// The second life goes on where the first one stopped, though its user function failed in between.
func TestStopAndGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for _, words := range [][]string{{"a", "b"}, {"a", "b", "b"}} {
			w.feed(words...)
			once := false
			e, _ := w.engine(t, counts(weir.Topic[string], func(s string) (string, error) {
				if !once {
					once = true
					return "", errors.New("not today")
				}
				return s, nil
			}))
			end := run(t.Context(), e)
			time.Sleep(time.Second)
			e.Stop()
			if end := <-end; end.err != nil || end.verdict.Kind != protocol.Stopped {
				t.Fatal(end)
			}
		}
		got := w.out()
		slices.Sort(got)
		if want := []string{"a=1", "a=2", "b=1", "b=2", "b=3"}; !slices.Equal(got, want) {
			t.Errorf("output %v, want %v", got, want)
		}
	})
}

// What the user's function says, and about which record, is in the log and in the verdict.
func TestUserFailureNamesTheRecord(t *testing.T) {
	for name, see := range map[string]func(string) (string, error){
		"an error": func(s string) (string, error) {
			if s == "bad" {
				return "", errors.New("I do not like it")
			}
			return s, nil
		},
		"a panic": func(s string) (string, error) {
			if s == "bad" {
				panic("I do not like it")
			}
			return s, nil
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.feed("a", "b", "bad", "a")
			e, said := w.engine(t, counts(weir.Topic[string], see))
			end := <-run(t.Context(), e)
			if end.err != nil || end.verdict.Kind != protocol.Exhausted {
				t.Fatal(name, end)
			}
			for _, part := range []string{`operator "see"`, "partition 0", "offset 2", "I do not like it"} {
				if !strings.Contains(end.verdict.Text, part) {
					t.Errorf("%s: %q is not in the verdict %q", name, part, end.verdict.Text)
				}
			}
			for _, part := range []string{"task=words/0", "operator=see", "partition=0", "offset=2", "I do not like it"} {
				if !strings.Contains(said.String(), part) {
					t.Errorf("%s: %q is not in the log %s", name, part, said)
				}
			}
			if got := w.out(); len(got) > 0 {
				t.Errorf("%s: %v is committed", name, got)
			}
		})
	}
}

// A factory that panics when a task is made fails the task, not the process.
func TestFactoryPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		good := counts(weir.Topic[string], all)
		w := newWorld()
		e, said := w.engine(t, func() *weir.Job {
			if calls++; calls > 2 { // Graph calls it twice
				panic("no more jobs")
			}
			return good()
		})
		end := <-run(t.Context(), e)
		if end.err != nil || end.verdict.Kind != protocol.Exhausted {
			t.Fatal(end)
		}
		for _, part := range []string{`operator "words"`, "factory panicked: no more jobs"} {
			if !strings.Contains(end.verdict.Text, part) {
				t.Errorf("%q is not in the verdict %q", part, end.verdict.Text)
			}
		}
		if !strings.Contains(said.String(), "engine_test.go") {
			t.Errorf("the log does not say where: %s", said)
		}
	})
}

// While the bucket's disk is full nothing is committed, nobody tries in a hurry and nothing ends; with space the job
// goes on, and nothing is lost or doubled.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const outage = time.Minute
		w := newWorld()
		w.feed("a", "b")
		e, _ := w.engine(t, counts(weir.Topic[string], all))
		end := run(t.Context(), e)
		time.Sleep(time.Second)
		before := w.out()
		w.fill(true)
		w.feed("a", "b", "c")
		time.Sleep(outage)
		during := w.out()
		tries := w.fill(false)
		time.Sleep(time.Second)
		e.Stop()
		if end := <-end; end.err != nil || end.verdict.Kind != protocol.Stopped {
			t.Fatal(end)
		}
		after := w.out()
		slices.Sort(after)
		if want := []string{"a=1", "a=2", "b=1", "b=2", "c=1"}; len(before) != 2 || !slices.Equal(during, before) || !slices.Equal(after, want) {
			t.Errorf("output %v, then %v, then %v; want %v", before, during, after, want)
		}
		if most := 3 * int(outage/(100*time.Millisecond)); tries < 10 || tries > most { // two tasks and the coordinator
			t.Errorf("%d stores were tried, want at most %d", tries, most)
		}
	})
}

// A broken invariant ends the process, and says what broke where.
func TestBrokenMachineEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newWorld().engine(t, counts(weir.Topic[string], all))
		e.coordinator.machine = machine(func(_ protocol.Time, ev protocol.Event, _ *protocol.Effects) {
			_, ok := ev.(protocol.StopAsked)
			protocol.Assert(!ok, "two is less than one")
		})
		end := run(t.Context(), e)
		e.Stop()
		got := <-end
		if got.err == nil {
			t.Fatal(got)
		}
		for _, part := range []string{"coordinator broke: protocol: broken invariant: two is less than one", "stop-asked", "engine_test.go"} {
			if !strings.Contains(got.err.Error(), part) {
				t.Errorf("%q is not in the error %v", part, got.err)
			}
		}
	})
}

type oddEffect struct{ protocol.Effect }

func TestUnknownEffectEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newWorld().engine(t, counts(weir.Topic[string], all))
		e.worker.machine = machine(func(_ protocol.Time, _ protocol.Event, out *protocol.Effects) { out.Append(oddEffect{}) })
		if got := <-run(t.Context(), e); got.err == nil || !strings.Contains(got.err.Error(), "worker broke") || !strings.Contains(got.err.Error(), "oddEffect") {
			t.Fatal(got)
		}
	})
}

// hang is a user function that does not return before it is let go.
type hang chan struct{}

func (h hang) see(s string) (string, error) { <-h; return s, nil }

// A user function that does not return makes no checkpoint pass; the halt that follows waits for it, then the process
// ends and says where it hangs.
func TestFunctionThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, w := make(hang), newWorld()
		defer close(h)
		w.feed("a")
		e, said := w.engine(t, counts(weir.Topic[string], h.see))
		got := <-run(t.Context(), e)
		if got.err == nil {
			t.Fatal(got)
		}
		for _, part := range []string{"words/0", "does not return", "hang.see"} {
			if !strings.Contains(got.err.Error(), part) {
				t.Errorf("%q is not in the error %.300v", part, got.err)
			}
		}
		if !strings.Contains(said.String(), "a halt waits") {
			t.Errorf("the log says nothing of it: %s", said)
		}
	})
}

// The second signal ends a process at once, whatever its functions do.
func TestCancelDoesNotWaitForFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, w := make(hang), newWorld()
		defer close(h)
		w.feed("a")
		e, _ := w.engine(t, counts(weir.Topic[string], h.see))
		ctx, cancel := context.WithCancel(t.Context())
		end := run(ctx, e)
		time.Sleep(50 * time.Millisecond)
		cancel()
		began := time.Now()
		if got := <-end; !errors.Is(got.err, context.Canceled) || time.Since(began) > closeTimeout {
			t.Fatal(got, time.Since(began))
		}
	})
}

// region makes a region of task 1 alone, driven by m.
func (e *Engine) regionOf(m protocol.Machine) *region {
	r := &region{scope: protocol.Scope{Job: "counts", Epoch: 1, Attempt: 1}}
	for i := range e.opt.Plan.Tasks {
		r.boxes = append(r.boxes, newBox(protocol.Address{Node: Self, Task: protocol.TaskID(i)}))
	}
	e.region = r
	r.boxes[1].machine = m
	e.begin(r.boxes[1], r)
	return r
}

// After a halt nothing of the attempt happens: it waits for the step under way, and what that step asks for is not done.
func TestHaltDropsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e, _ := w.engine(t, counts(weir.Topic[string], all))
		goOn, steps := make(chan struct{}), 0
		r := e.regionOf(machine(func(_ protocol.Time, _ protocol.Event, out *protocol.Effects) {
			steps++
			<-goOn
			out.Append(protocol.Tell{To: e.coordinator.self, Message: protocol.Ready{}})
			out.Append(protocol.Fail{})
			out.Append(protocol.Wake{Timer: 1, At: 1})
			out.Append(protocol.Resume{})
		}))
		r.boxes[1].post(protocol.Resumed{})
		r.boxes[1].post(protocol.Resumed{})
		synctest.Wait()
		halted := make(chan struct{})
		go func() {
			e.halt()
			close(halted)
		}()
		synctest.Wait()
		select {
		case <-halted:
			t.Fatal("the halt did not wait for the step")
		default:
		}
		if w.closed > 0 {
			t.Fatal("the slots were closed under a step")
		}
		e.tell(e.worker.self, protocol.Tell{To: r.boxes[1].self, Message: protocol.Trigger{}}) // to nobody
		close(goOn)
		<-halted
		r.boxes[1].post(protocol.Resumed{}) // a device answers late
		time.Sleep(time.Minute)
		if told := append(taken(e.coordinator), taken(e.worker)...); len(told) > 0 || len(taken(r.boxes[1])) > 0 || steps != 1 || w.closed != 1 {
			t.Errorf("%d steps, %d closes; told: %v; inbox: %v", steps, w.closed, told, taken(r.boxes[1]))
		}
	})
}

// The worker hears once of a task that failed, and the task takes no more steps.
func TestFailEndsTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newWorld().engine(t, counts(weir.Topic[string], all))
		steps := 0
		r := e.regionOf(machine(func(_ protocol.Time, _ protocol.Event, out *protocol.Effects) {
			steps++
			out.Append(protocol.Fail{Failure: protocol.Failure{Kind: protocol.FailUser, Offset: -1}})
		}))
		r.boxes[1].post(protocol.Resumed{})
		r.boxes[1].post(protocol.Resumed{})
		synctest.Wait()
		if got := taken(e.worker); len(got) != 1 || got[0].(protocol.Died).Task != 1 || got[0].(protocol.Died).Scope != r.scope || steps != 1 {
			t.Errorf("the worker was told %v after %d steps", got, steps)
		}
	})
}

// Frames and messages for a task that is spawned later wait for it, behind Started.
func TestFrameBeforeSpawnWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e, _ := w.engine(t, counts(weir.Topic[string], all))
		var seen []protocol.Event
		e.opt.Observe = func(self protocol.Address, _ protocol.Time, ev protocol.Event, _ []protocol.Effect) {
			if self.Task == 3 { // the first of the two tasks that count
				seen = append(seen, ev)
			}
		}
		scope := protocol.Scope{Job: "counts", Epoch: 1, Attempt: 1}
		e.spawn(protocol.TaskStart{Scope: scope, Task: 1, Coordinator: e.coordinator.self})
		r := e.region
		ch := e.opt.Plan.Channels[0]
		if ch.From != 1 || ch.To != 3 {
			t.Fatalf("the plan's first channel is %+v", ch)
		}
		frame := protocol.Data{Batch: new(batch.Batch)}
		e.perform(r.boxes[1], r, 1, protocol.Send{Channel: ch.ID, Frame: frame})
		e.tell(e.coordinator.self, protocol.Tell{To: r.boxes[3].self, Message: protocol.Abort{Scope: scope}})
		synctest.Wait()
		if len(seen) > 0 {
			t.Fatalf("a task that was not spawned took %v", seen)
		}
		e.spawn(protocol.TaskStart{Scope: scope, Task: 3, Coordinator: e.coordinator.self})
		synctest.Wait()
		e.halt()
		want := []protocol.Event{protocol.Started{Self: r.boxes[3].self, Incarnation: 7}, protocol.Received{Channel: ch.ID, Frame: frame},
			protocol.Told{From: e.coordinator.self, Message: protocol.Abort{Scope: scope}}}
		if len(seen) < 3 || !slices.Equal(seen[:3], want) {
			t.Errorf("took %v, want %v first", seen, want)
		}
	})
}
