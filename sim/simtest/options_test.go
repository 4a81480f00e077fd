package simtest

import (
	"fmt"
	"testing"
	"time"

	"weir"
	"weir/protocol"
	"weir/scenarios"
	"weir/sim"
)

// newCheck is of a job that copies "in" to "out".
func newCheck(t *testing.T) *check {
	return &check{t: t, scenario: scenarios.Scenario{Name: "copy", Partitions: 3, Parallelism: 2, RestartLimit: restartLimit, Factory: func() *weir.Job {
		j := weir.New("copy")
		one := weir.String{}.Append
		weir.To(weir.From(j, "in", weir.Topic("in", weir.String{})), "out", weir.SinkTopic("out", one, one))
		return j
	}}}
}

// ran is one run of it.
func ran(t *testing.T, opts ...Option) sim.Result {
	c := newCheck(t)
	value := func(r Record) string { return string(r.Value) }
	for _, set := range append(opts, Output("out", Each(value, value))) {
		set(c)
	}
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	o := c.scenario.Run(3, scenarios.Options{})
	if !o.Passed() {
		t.Fatal(o.Message)
	}
	return o.Run
}

// Every record is appended, in order, and one with a key in the partition of its key.
func TestRecords(t *testing.T) {
	records := make([]Record, 60)
	for i := range records {
		records[i].Value = fmt.Appendf(nil, "%d", i)
		if i%2 == 0 {
			records[i].Key = fmt.Appendf(nil, "k%d", i%10)
		}
	}
	parts := map[string]map[protocol.Partition]bool{}
	next := 0
	for _, a := range ran(t, Records("in", records)).History.Appends {
		for _, e := range a.Entries {
			if parts[string(e.Key)] == nil {
				parts[string(e.Key)] = map[protocol.Partition]bool{}
			}
			parts[string(e.Key)][a.Partition] = true
			if a.Fate == sim.Aborted {
				continue
			}
			if string(e.Value) != string(records[next].Value) || string(e.Key) != string(records[next].Key) {
				t.Fatalf("record %d is %q: %q", next, e.Key, e.Value)
			}
			next++
		}
	}
	if next != len(records) || len(parts) != 6 {
		t.Errorf("%d records of %d keys", next, len(parts))
	}
	for key, in := range parts {
		if key == "" && len(in) != 3 || key != "" && len(in) != 1 {
			t.Errorf("key %q is in %d partitions", key, len(in))
		}
	}
}

func TestPartitionsAndInterval(t *testing.T) {
	in := Input("in", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	for _, a := range ran(t, in, Partitions(1)).History.Appends {
		if a.Partition != 0 {
			t.Errorf("partition %d", a.Partition)
		}
	}
	for _, want := range []time.Duration{200 * time.Millisecond, time.Minute} {
		r := ran(t, in, Interval(want))
		if got := time.Duration(r.Virtual) / time.Duration(r.Sealed); got < want*8/10 || got > want*3 {
			t.Errorf("a checkpoint every %v, want %v", got, want)
		}
	}
}

func TestParallelism(t *testing.T) {
	c := &check{}
	Parallelism(5)(c)
	if s := c.scenario; s.Parallelism != 5 || !s.Fixed {
		t.Errorf("%d tasks, fixed %t", s.Parallelism, s.Fixed)
	}
}

// runsOn is how many processes, tasks and partitions seeds run a job of these options on.
func runsOn(t *testing.T, seeds int, opts ...Option) (processes, tasks, partitions map[int]int) {
	c := newCheck(t)
	value := func(r Record) string { return string(r.Value) }
	for _, set := range append(opts, Output("out", Each(value, value)), Input("in", "a", "b", "c", "d", "e", "f", "g", "h")) {
		set(c)
	}
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	processes, tasks, partitions = map[int]int{}, map[int]int{}, map[int]int{}
	for seed := range uint64(seeds) {
		f, o := c.scenario.File(seed, scenarios.Options{})
		nodes := map[protocol.NodeID]bool{}
		for _, n := range append(f.Jobs[0].Topology.Coordinators, f.Jobs[0].Topology.Workers...) {
			nodes[n] = true
		}
		processes[len(nodes)]++
		tasks[f.Jobs[0].Config.Parallelism]++
		for _, a := range o.Run.History.Appends {
			partitions[int(a.Partition)]++
		}
	}
	return processes, tasks, partitions
}

// Topology does what it says: what it fixes is so with every seed, and what it leaves open is drawn as it says.
func TestTopologyIsTheShape(t *testing.T) {
	processes, tasks, partitions := runsOn(t, 24)
	for _, n := range []int{1, 3, 4, 5} {
		if processes[n] == 0 {
			t.Errorf("no seed draws %d processes: %v", n, processes)
		}
	}
	if len(processes) != 4 || tasks[1] == 0 || tasks[3] == 0 || len(tasks) != 3 || len(partitions) != defaultPartitions {
		t.Errorf("drawn: processes %v, tasks %v, partitions %v", processes, tasks, partitions)
	}
	for _, n := range []int{1, 2, 3, mostProcesses} {
		processes, tasks, partitions := runsOn(t, 3, Topology(Shape{Parallelism: 2 + n, Partitions: min(n, 3), Processes: n}), Interval(protocol.Second))
		if processes[n] != 3 || tasks[2+n] != 3 || len(partitions) != min(n, 3) {
			t.Errorf("shape %d: processes %v, tasks %v, partitions %v", n, processes, tasks, partitions)
		}
	}
}
