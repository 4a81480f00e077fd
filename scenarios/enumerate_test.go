package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir"
	"weir/sim"
)

// The short form: all of linear, a part of shuffle. The whole is `weir fuzz --enumerate`.
func TestEnumerate(t *testing.T) {
	for name, every := range map[string]int{"linear": 1, "shuffle": 7} {
		s, _ := Named(name)
		var counts [CaseKinds]int
		for i, c := range s.Enumerate(1) {
			if i%every != 0 {
				continue
			}
			counts[c.Kind]++
			if o := s.RunCase(1, c, Options{}); !o.Passed() || o.Run.Crashed != len(c.Crash) {
				t.Errorf("%d of %d crashes; %s: %s\nrepeat: go run ./cmd/weir repro --scenario %s --seed 1 --case %s", o.Run.Crashed, len(c.Crash), c.About, o.Message, name, c.String())
			}
		}
		t.Log(name, counts)
		if slices.Min(counts[:]) < 30 {
			t.Errorf("%s: hardly anything is enumerated: %v", name, counts)
		}
	}
}

// The runs that are enumerated are long enough, and ask the services for everything that a job ever asks for.
func TestEnumerationIsWhole(t *testing.T) {
	s := linear()
	for _, split := range []bool{false, true} {
		if r := sim.Run(s.smallConfig(1, split)); r.Sealed < 3 || r.Sealed > 8 {
			t.Errorf("split %t: %d checkpoints", split, r.Sealed)
		}
	}
	missing := []string{"Store", "Load", "Delete", "Survey", "Fetch", "OpenSlot", "Produce", "Flush", "EndTxn", "ReadLedger", "Fence", "ListTxns", "Erase"}
	for _, c := range s.Enumerate(1) {
		kind, _, _ := strings.Cut(c.About, " ")
		missing = slices.DeleteFunc(missing, func(k string) bool { return k == kind })
		if back, err := ParseCase(c.String()); err != nil || back.String() != c.String() || back.Split != c.Split {
			t.Fatalf("%s is read as %s, %v", c.String(), back.String(), err)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no outcome of %q was made unknown", missing)
	}
	for _, bad := range []string{"", "one", "two,1:2:3", "one,1:2", "one,sometimes:3", "one,lost:x"} {
		if c, err := ParseCase(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, c)
		}
	}
}

// forgetful counts in a closure, so that a crash loses what it has counted.
func forgetful() *weir.Job {
	j := weir.New("linear")
	seen := map[string]int{}
	counts := weir.Map(weir.From(j, "in", weir.Topic("linear-in", weir.String{})), "count", func(id string) string {
		key, _, _ := strings.Cut(id, ":")
		seen[key]++
		return fmt.Sprintf("%s|id=%s n=%d", key, id, seen[key])
	})
	part := func(i int) func([]byte, string) ([]byte, error) {
		return func(dst []byte, v string) ([]byte, error) { return append(dst, strings.Split(v, "|")[i]...), nil }
	}
	weir.To(counts, "out", weir.SinkTopic("linear-out", part(0), part(1)))
	return j
}

func TestEnumerationFindsWhatCrashesForget(t *testing.T) {
	s := linear()
	s.Factory, s.Spec, s.Partitions = forgetful, counted("linear-out"), 1
	s.Outputs[0].Count = func(n int) int { return n }
	failed := 0
	for i, c := range s.Enumerate(1) {
		if i%10 == 0 {
			if o := s.RunCase(1, c, Options{}); o.Broken == ExactlyOnce {
				failed++
			}
		}
	}
	if o := s.outcome(1, s.smallConfig(1, true)); !o.Passed() || failed < 10 {
		t.Errorf("%d cases failed; without a fault: %s", failed, o.Message)
	}
}
