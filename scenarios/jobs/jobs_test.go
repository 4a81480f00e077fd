package jobs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir"
	"weir/protocol/batch"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/task"
)

// tableState is keyed state that cannot be frozen.
type tableState map[string][]byte

func (t tableState) Get(key []byte) ([]byte, bool) { v, ok := t[string(key)]; return v, ok }
func (t tableState) Put(key, value []byte)         { t[string(key)] = append(t[string(key)][:0:0], value...) }
func (t tableState) Delete(key []byte)             { delete(t, string(key)) }
func (t tableState) Freeze() state.Frozen          { return nil }
func (t tableState) Restore([]byte) error          { return nil }
func (t tableState) Err() error                    { return nil }

// router is an emitter that hands the records of edge i to batch i.
type router []*batch.Batch

func (r router) Emit(edge int, key, value []byte, rec batch.Record) { r[edge].Append(key, value, rec) }

// run is the output of a job, by topic, in form "key value", with one task per stage.
func run(t testing.TB, j Job, in map[string][]string) map[string][]string {
	out, err := tryRun(j, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryRun(j Job, in map[string][]string) (map[string][]string, error) {
	g, err := weir.Graph(j.Factory)
	if err != nil {
		return nil, err
	}
	arrived := make([]*batch.Batch, len(g.Stages))
	for i := range arrived {
		arrived[i] = &batch.Batch{}
	}
	out := map[string][]string{}
	for i, s := range g.Stages {
		b := arrived[i]
		switch s.Kind {
		case job.SourceStage:
			for n, v := range in[s.Topic] {
				b.Append([]byte("not read"), []byte(v), batch.Record{Offset: int64(n)})
			}
		case job.SinkStage:
			for n := range b.Len() {
				out[s.Topic] = append(out[s.Topic], string(b.Key(n))+" "+string(b.Value(n)))
			}
			continue
		}
		var edges router
		for _, e := range g.Edges {
			if e.From == i {
				edges = append(edges, arrived[e.To])
			}
		}
		if err := s.Code().Process(b, tableState{}, edges); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Every job's formats, literally.
func TestFormats(t *testing.T) {
	ids := []string{"k1:p0:000006", "k2:p0:000007", "k1:p1:000008", "lonely"}
	counted := []string{"k1 id=k1:p0:000006 n=1", "k2 id=k2:p0:000007 n=1", "k1 id=k1:p1:000008 n=2", "lonely id=lonely n=1"}
	copies := []string{"k1 id=k1:p0:000006", "k2 id=k2:p0:000007", "k1 id=k1:p1:000008", "lonely id=lonely"}
	for _, c := range []struct {
		job  Job
		in   map[string][]string
		want map[string][]string
	}{
		{Linear(), map[string][]string{"linear-in": ids}, map[string][]string{"linear-out": {copies[0], copies[2], copies[3]}}},
		{FanIn(), map[string][]string{"fanin-a": ids[:2], "fanin-b": ids[2:]}, map[string][]string{"fanin-out": counted}},
		{Shuffle(), map[string][]string{"shuffle-in": ids}, map[string][]string{"shuffle-out": counted}},
		{TwoSinks(), map[string][]string{"twosinks-in": ids}, map[string][]string{"twosinks-a": copies, "twosinks-b": copies}},
		{Bounded(), map[string][]string{"bounded-in": ids}, map[string][]string{"bounded-out": counted}},
		{ChainFirst(), map[string][]string{"chain-in": ids}, map[string][]string{"chain-mid": copies}},
		{ChainSecond(), map[string][]string{"chain-mid": {"id=k1:p0:000006", "id=k1:p1:000008"}},
			map[string][]string{"chain-out": {counted[0], counted[2]}}},
		{HashChain(), map[string][]string{"hashchain-in": {"a:1", "b:1", "a:2"}},
			map[string][]string{"hashchain-out": {"a id=a:1 h=aa621edb61719989", "b id=b:1 h=c56eaddb7110fbb4", "a id=a:2 h=36f544ec3a0ae961"}}},
		{Recent(), map[string][]string{"recent-a": {"a:1", "a:2", "a:1x", "b:1"}, "recent-b": {"a:y1", "a:z1"}},
			map[string][]string{"recent-out": {"a id=a:1 n=1 last=a:1 ends=11", "a id=a:2 n=2 last=a:1,a:2 ends=11,21", "a id=a:1x n=3 last=a:1,a:2,a:1x ends=11,21,x1",
				"b id=b:1 n=1 last=b:1 ends=11", "a id=a:y1 n=4 last=a:2,a:1x,a:y1 ends=12,21,x1", "a id=a:z1 n=5 last=a:1x,a:y1,a:z1 ends=21,x1"}}},
	} {
		got := run(t, c.job, c.in)
		for _, topic := range c.job.Outputs {
			if !slices.Equal(got[topic], c.want[topic]) {
				t.Errorf("%s: got %q\nwant %q", topic, got[topic], c.want[topic])
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %d output topics, want %d", c.job.Name, len(got), len(c.want))
		}
	}
}

// fnvOf is FNV-1a as its definition says, apart from hash/fnv.
func fnvOf(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func TestHashChainIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`k[0-2]:[a-z0-9]{1,4}`), 0, 20, rapid.ID[string]).Draw(t, "ids")
		chains := map[string]uint64{}
		var want []string
		for _, id := range ids {
			key := id[:2]
			var b []byte
			for shift := 56; shift >= 0; shift -= 8 {
				b = append(b, byte(chains[key]>>shift))
			}
			chains[key] = fnvOf(append(b, id...))
			want = append(want, fmt.Sprintf("%s id=%s h=%016x", key, id, chains[key]))
		}
		got, err := tryRun(HashChain(), map[string][]string{"hashchain-in": ids})
		if err != nil || !slices.Equal(got["hashchain-out"], want) {
			t.Fatalf("got %q, %v\nwant %q", got["hashchain-out"], err, want)
		}
	})
}

func TestHashChainIsNotCommutative(t *testing.T) {
	last := func(ids ...string) string {
		out := run(t, HashChain(), map[string][]string{"hashchain-in": ids})["hashchain-out"]
		_, h, _ := strings.Cut(out[len(out)-1], "h=")
		return h
	}
	if last("a:1", "a:2") == last("a:2", "a:1") {
		t.Error("the order does not matter")
	}
}

func TestChainSecondRefusesOtherForms(t *testing.T) {
	_, err := tryRun(ChainSecond(), map[string][]string{"chain-mid": {"id=k:1", "k:2"}})
	ce, ok := err.(*task.CodeError)
	if !ok || ce.Operator != "in" || ce.Record != 1 {
		t.Errorf("got %v", err)
	}
}

// What a Job says of its topics is what its graph has.
func TestTopicsAreThoseOfTheGraph(t *testing.T) {
	for _, j := range All() {
		g, err := weir.Graph(j.Factory)
		if err != nil {
			t.Fatal(err)
		}
		var in, out []string
		for _, s := range g.Stages {
			switch s.Kind {
			case job.SourceStage:
				in = append(in, s.Topic)
				if s.Bounded != (j.Name == "bounded") {
					t.Errorf("%s: bounded is %t", j.Name, s.Bounded)
				}
			case job.SinkStage:
				out = append(out, s.Topic)
			}
		}
		if g.Name != j.Name || !slices.Equal(in, j.Inputs) || !slices.Equal(out, j.Outputs) || j.Partitions == 0 || j.Parallelism == 0 {
			t.Errorf("%+v: its graph is %q, %q → %q", j, g.Name, in, out)
		}
	}
}

func TestNamed(t *testing.T) {
	if j, ok := Named("hashchain"); !ok || j.Name != "hashchain" {
		t.Errorf("got %+v, %t", j, ok)
	}
	if j, ok := Named("none"); ok {
		t.Errorf("got %+v", j)
	}
}

func TestStateRefusesDamage(t *testing.T) {
	if _, err := (totalState{}).Decode([]byte("short")); err == nil {
		t.Error("decoded 5 bytes")
	}
}
