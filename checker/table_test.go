package checker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// twoSinks owes each input its value in topics out and log, ordered by key.
var twoSinks = Spec{
	Expect: func(in *Input, out []Effect) []Effect {
		return append(out, Effect{"out", in.Value, in.Key}, Effect{"log", in.Value, in.Key})
	},
	Observe: func(_ string, r *Record) ([]byte, bool) { return r.Value, true },
}

// oneSink owes it in topic out only.
var oneSink = Spec{
	Expect:  func(in *Input, out []Effect) []Effect { return append(out, Effect{"out", in.Value, in.Key}) },
	Observe: twoSinks.Observe,
}

// inputs are of key k in partition 0, offset and time counting up; "-x" is aborted, "?x" unsure, "1x" is in partition 1.
func inputs(values ...string) []Input {
	var ins []Input
	for i, v := range values {
		in := Input{Topic: "in", Offset: int64(i), At: int64(10 * i), Key: []byte("k"), Value: []byte(v)}
		switch v[0] {
		case '-':
			in.Fate, in.Value = Aborted, in.Value[1:]
		case '?':
			in.Fate, in.Value = Unsure, in.Value[1:]
		case '1':
			in.Partition, in.Value = 1, in.Value[1:]
		}
		ins = append(ins, in)
	}
	return ins
}

// seen is what reader r got of a topic at time 10000: one value per offset from 0.
func seen(topic string, partition int32, values ...string) Fetch {
	f := Fetch{Reader: "r", Topic: topic, Partition: partition, Call: 10000, Return: 10001}
	for i, v := range values {
		f.Records = append(f.Records, Record{Offset: int64(i), Key: []byte("k"), Value: []byte(v)})
	}
	return f
}

func TestEffects(t *testing.T) {
	early := seen("out", 0, "a")
	early.Call, early.Return = 0, 1
	for _, c := range []struct {
		name    string
		drained bool
		spec    Spec
		want    string
		inputs  []Input
		fetches []Fetch
	}{
		{"nothing at all", true, twoSinks, "pass", nil, nil},
		{"no output", true, twoSinks, "lost", inputs("a"), nil},
		{"not yet", false, twoSinks, "pass", inputs("a", "b"), []Fetch{seen("out", 0, "a")}},
		{"a hole in a run that goes on", false, oneSink, "lost", inputs("a", "b", "c"), []Fetch{seen("out", 0, "a", "c")}},
		{"a hole at the beginning", false, oneSink, "lost", inputs("a", "b"), []Fetch{seen("out", 0, "b")}},
		{"a hole in one sink of two", false, twoSinks, "torn", inputs("a", "b", "c"), []Fetch{seen("out", 0, "a", "c"), seen("log", 0, "a", "b", "c")}},
		{"a key over two partitions, read unevenly", false, oneSink, "pass", inputs("a", "b", "c"), []Fetch{seen("out", 0, "a"), seen("out", 1, "c")}},
		{"order across input partitions is free", true, oneSink, "pass", inputs("a", "1b", "1c"), []Fetch{seen("out", 0, "b", "a", "c")}},
		{"order within one is not", true, oneSink, "reordered", inputs("a", "1b", "1c"), []Fetch{seen("out", 0, "c", "a", "b")}},
		{"an unsure input has its effects", true, twoSinks, "pass", inputs("?a"), []Fetch{seen("out", 0, "a"), seen("log", 0, "a")}},
		{"an unsure input has none", true, twoSinks, "pass", inputs("?a"), nil},
		{"an unsure input has half", true, twoSinks, "torn", inputs("?a"), []Fetch{seen("out", 0, "a")}},
		{"an unsure input has them twice", true, oneSink, "doubled", inputs("?a"), []Fetch{seen("out", 0, "a", "a")}},
		{"an unsure input leaves a hole", false, oneSink, "pass", inputs("?a", "b"), []Fetch{seen("out", 0, "b")}},
		{"an aborted input retried", true, oneSink, "pass", inputs("-a", "a"), []Fetch{seen("out", 0, "a")}},
		{"an aborted input has an effect", true, oneSink, "aborted read", inputs("-a", "b"), []Fetch{seen("out", 0, "a", "b")}},
		{"two inputs share an id", true, oneSink, "pass", inputs("a", "a"), []Fetch{seen("out", 0, "a", "a")}},
		{"two inputs share an id, three effects", true, oneSink, "doubled", inputs("a", "a"), []Fetch{seen("out", 0, "a", "a", "a")}},
		{"two inputs share an id, one effect", true, oneSink, "lost", inputs("a", "a"), []Fetch{seen("out", 0, "a")}},
		{"doubled in another partition", true, oneSink, "doubled", inputs("a"), []Fetch{seen("out", 0, "a"), seen("out", 1, "a")}},
		{"in the wrong topic", true, oneSink, "phantom", inputs("a"), []Fetch{seen("out", 0, "a"), seen("else", 0, "a")}},
		{"before its cause", true, oneSink, "phantom", []Input{{Topic: "in", At: 5, Value: []byte("a")}}, []Fetch{early}},
		{"before its cause, as a later record was seen", true, oneSink, "phantom", []Input{{Topic: "in", At: 5, Value: []byte("a")}, {Topic: "in", Offset: 1, Value: []byte("b")}},
			[]Fetch{fetch("a", 1, 1, 2, "1 b"), fetch("b", 0, 10, 11, "0 a", "1 b")}},
		{"out of order with a hole", false, oneSink, "lost,reordered", inputs("a", "b", "c"), []Fetch{seen("out", 0, "c", "a")}},
		{"an aborted attempt was read, and the effect never came", true, oneSink, "aborted read", inputs("a", "b"),
			[]Fetch{fetch("a", 0, 1000, 1001, "0 a", "3 b"), fetch("b", 0, 1002, 1003, "3 b")}},
		{"a record replaced by the right one", true, oneSink, "aborted read", inputs("a"), []Fetch{fetch("b", 0, 1002, 1003, "0 a"), fetch("a", 0, 1000, 1001, "0 z")}},
		{"two inputs at one offset", true, oneSink, "unknown", append(inputs("a"), inputs("b")...), nil},
		{"an aborted attempt was read, then the effect came", true, oneSink, "aborted read", inputs("a"),
			[]Fetch{fetch("a", 0, 1000, 1001, "0 a", "3 a"), fetch("b", 0, 1002, 1003, "3 a")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Check(&History{Inputs: c.inputs, Fetches: c.fetches, Complete: c.drained}, c.spec)
			wantVerdict(t, v, c.want)
			if n := len(v.Tally); v.Result == Fail && (n == 1 && v.Tally[0].N != 1) {
				t.Fatalf("one thing reported more than once: %v", v)
			}
		})
	}
}

// joined is a fold that is not commutative and easy to read: the values joined.
func joined(emit Emit) Fold {
	return Fold{Topic: "out", Emit: emit, Key: func(in *Input) ([]byte, bool) { return in.Key, true },
		Apply: func(state []byte, in *Input) (next, value []byte) {
			s := append(bytes.Clone(state), in.Value...)
			return s, s
		}}
}

// counted is a running count, as letters.
func counted() Fold {
	f := joined(EmitEach)
	f.Order = Alike
	f.Apply = func(state []byte, _ *Input) (next, value []byte) { s := append(bytes.Clone(state), 'i'); return s, s }
	return f
}

func TestFolds(t *testing.T) {
	earlyAB := seen("out", 0, "a", "ab")
	earlyAB.Call, earlyAB.Return = 0, 5
	for _, c := range []struct {
		name    string
		drained bool
		fold    Fold
		want    string
		inputs  []Input
		fetches []Fetch
	}{
		{"count", true, counted(), "pass", inputs("a", "1b", "c"), []Fetch{seen("out", 0, "i", "ii", "iii")}},
		{"count, not yet all", false, counted(), "pass", inputs("a", "1b", "c"), []Fetch{seen("out", 0, "i")}},
		{"count, one missing at the end", true, counted(), "lost", inputs("a", "1b", "c"), []Fetch{seen("out", 0, "i", "ii")}},
		{"count, none", true, counted(), "lost", inputs("a", "b"), nil},
		{"count fell back", true, counted(), "lost", inputs("a", "b", "c", "d"), []Fetch{seen("out", 0, "i", "ii", "ii", "iii")}},
		{"count replayed", true, counted(), "doubled", inputs("a", "b", "c"), []Fetch{seen("out", 0, "i", "ii", "ii", "iii")}},
		{"count goes too far", false, counted(), "doubled", inputs("a", "b"), []Fetch{seen("out", 0, "i", "ii", "iii")}},
		{"count out of order", true, counted(), "reordered", inputs("a", "b", "c"), []Fetch{seen("out", 0, "i", "iii", "ii")}},
		{"chain", true, joined(EmitEach), "pass", inputs("a", "1b", "c"), []Fetch{seen("out", 0, "b", "ba", "bac")}},
		{"chain against a partition's order", true, joined(EmitEach), "reordered", inputs("a", "1b", "c"), []Fetch{seen("out", 0, "b", "bc", "bca")}},
		{"the same, undrained", false, joined(EmitEach), "reordered", inputs("a", "1b", "c"), []Fetch{seen("out", 0, "b", "bc", "bca")}},
		{"chain without an input, undrained", false, joined(EmitEach), "lost", inputs("a", "1b", "c"), []Fetch{seen("out", 0, "b", "bc")}},
		{"chain fell back", true, joined(EmitEach), "lost", inputs("a", "b", "c"), []Fetch{seen("out", 0, "a", "ab", "ac")}},
		{"chain replayed", true, joined(EmitEach), "doubled", inputs("a", "b", "c"), []Fetch{seen("out", 0, "a", "ab", "ab", "abc")}},
		{"chain with an input twice", true, joined(EmitEach), "doubled", inputs("a", "b"), []Fetch{seen("out", 0, "a", "aa", "aab")}},
		{"chain with an aborted input", true, joined(EmitEach), "aborted read", inputs("a", "-b", "c"), []Fetch{seen("out", 0, "a", "ab", "abc")}},
		{"chain before its inputs", true, joined(EmitEach), "phantom", inputs("a", "b"), []Fetch{earlyAB}},
		{"chain of nothing known", true, joined(EmitEach), "phantom", inputs("a", "b"), []Fetch{seen("out", 0, "a", "ax")}},
		{"a record without a value", true, joined(EmitEach), "phantom", inputs("a", "b"),
			[]Fetch{{Reader: "r", Topic: "out", Call: 1000, Return: 1001, Records: []Record{{Key: []byte("k")}, {Offset: 1, Key: []byte("k"), Value: []byte("ab")}}}}},
		{"an unsure input counts", true, joined(EmitEach), "pass", inputs("a", "?b", "c"), []Fetch{seen("out", 0, "a", "ab", "abc")}},
		{"an unsure input does not count", true, joined(EmitEach), "pass", inputs("a", "?b", "c"), []Fetch{seen("out", 0, "a", "ac")}},
		{"of two unsure inputs the first counts", true, joined(EmitEach), "pass", inputs("?a", "?b", "c"), []Fetch{seen("out", 0, "a", "ac")}},
		{"of two unsure inputs the second counts", true, joined(EmitEach), "pass", inputs("?a", "?b", "c"), []Fetch{seen("out", 0, "b", "bc")}},
		{"only an unsure input, no value", true, joined(EmitLast), "pass", inputs("?a"), nil},
		{"too many unsure inputs", true, joined(EmitEach), "unknown", inputs("?a", "?b", "?c", "?d", "?e"), nil},
		{"a key in two partitions", true, joined(EmitEach), "unknown", inputs("a", "b"), []Fetch{seen("out", 0, "a"), seen("out", 1, "ab")}},
		{"a key that only aborted inputs have", true, joined(EmitEach), "aborted read", inputs("-a"), []Fetch{seen("out", 0, "a")}},
		{"a key that no input has", true, joined(EmitEach), "phantom", nil, []Fetch{seen("out", 0, "a")}},
		{"sparse chain", true, joined(EmitLast), "pass", inputs("a", "1b", "c", "1d"), []Fetch{seen("out", 0, "ba", "bacd")}},
		{"sparse chain, no value", true, joined(EmitLast), "lost", inputs("a", "b"), nil},
		{"sparse chain, no order fits", true, joined(EmitLast), "phantom", inputs("a", "1b", "c", "1d"), []Fetch{seen("out", 0, "ba", "xyz")}},
		{"sparse chain against a partition's order", true, joined(EmitLast), "reordered", inputs("a", "1b", "c", "1d"), []Fetch{seen("out", 0, "b", "bdca")}},
		{"sparse chain out of order", true, joined(EmitLast), "reordered", inputs("a", "b", "c", "d"), []Fetch{seen("out", 0, "abcd", "ab")}},
		{"sparse chain, the last input not shown", true, joined(EmitLast), "lost", inputs("a", "b", "c"), []Fetch{seen("out", 0, "a", "ab")}},
		{"the same where the last need not show all", true, joined(EmitSome), "pass", inputs("a", "b", "c"), []Fetch{seen("out", 0, "a", "ab")}},
		{"sparse chain before its inputs", true, joined(EmitSome), "phantom", inputs("a", "b"), []Fetch{earlyAB}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Check(&History{Inputs: c.inputs, Fetches: c.fetches, Complete: c.drained}, Spec{Folds: []Fold{c.fold}})
			wantVerdict(t, v, c.want)
		})
	}
}

// TestWindowSum: a commutative fold with one value per key is judged at any size.
func TestWindowSum(t *testing.T) {
	sum := func(n byte) func(in []Input) []byte {
		return func(in []Input) []byte {
			total := int(n)
			for i := range in {
				total += int(in[i].Value[0])
			}
			return fmt.Appendf(nil, "%d", total)
		}
	}
	f := Fold{Topic: "out", Emit: EmitLast, Order: OrderFree, Key: func(in *Input) ([]byte, bool) { return in.Key, true },
		Apply: func(state []byte, in *Input) (next, value []byte) {
			var total int
			fmt.Sscan(string(state), &total)
			s := fmt.Appendf(nil, "%d", total+int(in.Value[0]))
			return s, s
		}}
	values := make([]string, 300)
	for i := range values {
		values[i] = string([]byte{"1a"[i%2], byte('b' + i%20)})[i%2:] // alternating partitions
	}
	ins := inputs(values...)
	total := sum(0)(ins)
	for _, c := range []struct{ value, want string }{{string(total), "pass"}, {string(sum(0)(ins[1:])), "lost"}, {string(sum(ins[3].Value[0])(ins)), "doubled"}, {"7", "phantom"}} {
		v := Check(&History{Inputs: ins, Complete: true, Fetches: []Fetch{seen("out", 0, c.value)}}, Spec{Folds: []Fold{f}})
		wantVerdict(t, v, c.want)
	}
}

// TestTooManyOrders: where no order can be found and not all can be tried, the answer is neither pass nor fail.
func TestTooManyOrders(t *testing.T) {
	values := make([]string, 60)
	for i := range values {
		values[i] = string([]byte{"1a"[i%2], byte('A' + i)})[i%2:]
	}
	for _, n := range []int{60, 240} {
		ins := inputs(values...)
		for len(ins) < n {
			more := inputs(values...)
			for i := range more {
				more[i].Offset += int64(len(ins))
			}
			ins = append(ins, more...)
		}
		v := Check(&History{Inputs: ins, Complete: true, Fetches: []Fetch{seen("out", 0, "none")}}, Spec{Folds: []Fold{joined(EmitLast)}})
		wantVerdict(t, v, "unknown")
		if v.Scope.Searches != 1 && n+1 <= maxOps || v.Scope.Searches != 0 && n+1 > maxOps {
			t.Errorf("%d searches with %d inputs", v.Scope.Searches, n)
		}
	}
}

// TestOnePartitionAtAnySize: with one input partition there is only one order, and it is judged at any size.
func TestOnePartitionAtAnySize(t *testing.T) {
	var ins []Input
	var joinedUp []byte
	for i := range 300 {
		ins = append(ins, Input{Topic: "in", Offset: int64(i), Key: []byte("k"), Value: []byte{byte('a' + i%26)}})
		joinedUp = append(joinedUp, ins[i].Value...)
	}
	for value, want := range map[string]string{string(joinedUp): "pass", "x" + string(joinedUp): "phantom", string(joinedUp[1:]): "lost"} {
		v := Check(&History{Inputs: ins, Complete: true, Fetches: []Fetch{seen("out", 0, value)}}, Spec{Folds: []Fold{joined(EmitLast)}})
		wantVerdict(t, v, want)
	}
}

// TestManyTies: the steps of a sum often fit several partitions. It must never fail an honest run, and with few
// partitions it must not give up.
func TestManyTies(t *testing.T) {
	for parts := 2; parts <= 5; parts++ {
		for seed := range uint64(4) {
			w := newWorld(shape{seed: seed, inParts: parts, outParts: 1, keys: 1, inputs: 800, readers: 1, batch: 10, topics: []string{"sum"}})
			if v := Check(w.history(), w.spec()); v.Result == Fail || v.Result == Unknown && parts < 4 {
				t.Errorf("%d partitions, seed %d: %v", parts, seed, v)
			}
		}
	}
}

func TestSpecMustSaySomething(t *testing.T) {
	for name, s := range map[string]Spec{
		"empty": {}, "half": {Expect: anything.Expect}, "fold without Apply": {Folds: []Fold{{Key: joined(EmitEach).Key}}},
	} {
		if v := Check(&History{}, s); v.Result != Unknown || len(v.Unjudged) != 1 {
			t.Errorf("%s: %v", name, v)
		}
	}
}

// TestManyFailures: evidence is bounded, the count is not.
func TestManyFailures(t *testing.T) {
	var ins []Input
	for i := range 5000 {
		ins = append(ins, Input{Topic: "in", Offset: int64(i), Value: fmt.Appendf(nil, "%d", i)})
	}
	v := Check(&History{Inputs: ins, Complete: true}, oneSink)
	if v.Count(Lost) != 5000 || len(v.Failures) != maxPerKind || v.Count(Torn) != 0 {
		t.Fatalf("%d lost, %d with evidence", v.Count(Lost), len(v.Failures))
	}
}

func TestVerdictIsReadable(t *testing.T) {
	v := Check(&History{Inputs: inputs("a", "b"), Complete: true, Fetches: []Fetch{seen("out", 0, "a", "a")}}, oneSink)
	want := `fail, 1 lost, 1 doubled
  doubled: output "a" is there 2 times where it is owed 1 times
    input in/0 offset 0, appended at 0
    reader r got out/0 offset 0, fetch from 10000 to 10001
    reader r got out/0 offset 1, fetch from 10000 to 10001
  lost: output "b" never appeared, though the run was drained
    input in/0 offset 1, appended at 10`
	if v.String() != want {
		t.Errorf("got\n%v\nwant\n%s", v, want)
	}
	b, err := json.Marshal(v)
	if err != nil || !strings.Contains(string(b), `"result":"fail","failures":[{"kind":"doubled","text":`) {
		t.Errorf("%s, %v", b, err)
	}
}
