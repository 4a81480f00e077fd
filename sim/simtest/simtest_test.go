package simtest_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/sim/simtest"
)

// Whoever chooses seeds for all packages does not mean the tests of the choosing.
func TestMain(m *testing.M) {
	os.Unsetenv("WEIR_SEED")
	os.Unsetenv("WEIR_SEEDS")
	os.Unsetenv("WEIR_TIME")
	os.Unsetenv("WEIR_REPLAY")
	os.Unsetenv("WEIR_STRICT")
	os.Setenv("WEIR_SHRINKTIME", "10m") // what is found must not depend on how busy the machine is
	os.RemoveAll("testdata/weir/TestJob")
	code := m.Run()
	os.RemoveAll("testdata/weir/TestJob")
	os.Remove("testdata/weir")
	os.Remove("testdata")
	os.Exit(code)
}

// recorder is a test that does not fail the one that it stands in.
type recorder struct {
	testing.TB
	name    string
	log     string
	failed  string
	skipped string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return r.name }
func (r *recorder) Logf(format string, args ...any) {
	r.log += fmt.Sprintf(format, args...)
}
func (r *recorder) Fatal(args ...any) {
	r.failed = fmt.Sprint(args...)
	runtime.Goexit()
}
func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

// check is Check in a test of its own, without a past.
func check(job func() *weir.Job, opts ...simtest.Option) *recorder {
	os.RemoveAll("testdata/weir/TestJob")
	return checkAgain(job, opts...)
}

// checkAgain is check with the fail files of the last one.
func checkAgain(job func() *weir.Job, opts ...simtest.Option) *recorder {
	r := &recorder{name: "TestJob"}
	done := make(chan bool)
	go func() {
		defer close(done)
		simtest.Check(r, job, opts...)
	}()
	<-done
	return r
}

// fails wants a failure that says all of wants.
func (r *recorder) fails(t *testing.T, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(r.failed, want) {
			t.Fatalf("the failure does not say %q:\n%s", want, r.failed)
		}
	}
}

func (r *recorder) passes(t *testing.T) {
	t.Helper()
	if r.failed != "" {
		t.Fatal(r.failed)
	}
}

// words is a job that counts words; counting ends its keyed stream.
func words(split func(string, func(string)), counting func(weir.Keyed[string, string]) weir.Stream[weir.KV[string, int64]]) func() *weir.Job {
	return func() *weir.Job {
		j := weir.New("words")
		lines := weir.From(j, "lines", weir.Topic("lines", weir.String{}))
		byWord := weir.KeyBy(weir.FlatMap(lines, "split", split), func(w string) string { return w }, weir.String{}, weir.String{})
		weir.To(counting(byWord), "counts", weir.KeyedTopic("counts", weir.String{}, weir.JSON[int64]{}))
		return j
	}
}

func fields(line string, emit func(string)) {
	for w := range strings.FieldsSeq(line) {
		emit(w)
	}
}

func inState(k weir.Keyed[string, string]) weir.Stream[weir.KV[string, int64]] {
	return weir.Aggregate(k, "count", weir.Count[string]())
}

// counting counts in a map instead of the accumulator.
func counting(k weir.Keyed[string, string], seen map[string]int64) weir.Stream[weir.KV[string, int64]] {
	return weir.Aggregate(k, "count", weir.Agg[string, int64, int64]{
		Add: func(n *int64, w string) { seen[w]++; *n = seen[w] },
		Out: func(n int64) int64 { return n }, Codec: weir.Int64{},
	})
}

// The bug: the map dies with the task.
func inClosure(k weir.Keyed[string, string]) weir.Stream[weir.KV[string, int64]] {
	return counting(k, map[string]int64{})
}

func lines() simtest.Option {
	return simtest.Input("lines", strings.Split(strings.Repeat("the quick brown fox\nthe lazy dog\n", 20), "\n")...)
}

func wordsOf(in simtest.Record) (out []simtest.Record) {
	for _, w := range bytes.Fields(in.Value) {
		out = append(out, simtest.Record{Value: w})
	}
	return out
}

func value(r simtest.Record) string { return string(r.Value) }

func count(state []byte, _ simtest.Record) (next, value []byte) {
	n, _ := strconv.Atoi(string(state))
	next = strconv.AppendInt(nil, int64(n+1), 10)
	return next, next
}

func counts() simtest.Option {
	return simtest.Output("counts", simtest.Fold(value, count).Split(wordsOf).Alike())
}

func TestACorrectJobPasses(t *testing.T) {
	r := check(words(fields, inState), lines(), counts())
	r.passes(t)
	ok := regexp.MustCompile(`^ok: (\d+) seeds from 0x0, (\d+) outputs judged; [1-9]\d+ restarts, [1-9]\d+ faults struck: crash-worker [1-9]`).FindStringSubmatch(r.log)
	if ok == nil {
		t.Fatal(r.log)
	}
	seeds, _ := strconv.Atoi(ok[1])
	if judged, _ := strconv.Atoi(ok[2]); judged != seeds*20*7 {
		t.Error(r.log)
	}
}

func TestStateInAClosureIsCaught(t *testing.T) {
	job := words(fields, inClosure)
	r := check(job, lines(), counts())
	r.fails(t, "exactly-once is violated: ", " lost, in the output of ", "\n    lost: topic counts, key ", "\n    input lines/", `: "the `, "\n    read at ", "\n      model     1 2", "\n      observed  1", "\n*  ", "\nwhy: 1 of 1 fault is needed.\n")
	f := regexp.MustCompile(`(?s)\nseed (0x[0-9a-f]+) \(1 of 200\); minimised: .*\nwhole  go test \./sim/simtest -run '\^TestJob\$' -weir\.seed=(0x[0-9a-f]+) `).FindStringSubmatch(r.failed)
	if f == nil || f[1] != f[2] {
		t.Fatalf("no seed, or no command:\n%s", r.failed)
	}
	t.Setenv("WEIR_SEED", f[1])
	again := check(job, lines(), counts())
	if head, _, _ := strings.Cut(r.failed, "\nseed"); !strings.HasPrefix(again.failed, head) {
		t.Errorf("the seed does not repeat:\n%s", again.failed)
	}
	check(job, lines(), counts(), simtest.Faults()).passes(t) // which is why this test is needed
}

func TestWhatASeedDoesNotFixIsCaught(t *testing.T) {
	outside := map[string]int64{} // survives what no process survives
	calls := 0
	for name, job := range map[string]func() *weir.Job{
		"counts in a variable outside the factory": words(fields, func(k weir.Keyed[string, string]) weir.Stream[weir.KV[string, int64]] { return counting(k, outside) }),
		"every call differs": words(func(line string, emit func(string)) {
			calls++
			emit(strconv.Itoa(calls))
		}, inState),
		"the order of a map": words(func(line string, emit func(string)) {
			set := map[string]bool{}
			for w := range strings.FieldsSeq(line) {
				set[w] = true
			}
			for w := range set {
				emit(w)
			}
		}, inState),
	} {
		t.Run(name, func(t *testing.T) {
			check(job, lines(), counts()).fails(t, "not deterministic: two runs of the same seed differ", "The first event with another effect is step ", `of a task of stage "`, "weir vet", "a clock, randomness, the order of a map, or a variable that outlives", "\nagain  go test ")
		})
	}
}

func TestAFailingFunctionIsNamed(t *testing.T) {
	job := words(func(line string, emit func(string)) {
		var no map[string]int
		no[line]++
	}, inState)
	check(job, lines(), counts()).fails(t, `operator "split": panic at simtest_test.go:`, "assignment to entry in nil map", "the job gave up: it restarted again and again", "\nwhy: no fault is needed", "\nagain  ")
}

// numbers is a job that copies even numbers; keep may drop some.
func numbers(keep func(int) bool) func() *weir.Job {
	return func() *weir.Job {
		j := weir.New("numbers")
		all := weir.MapErr(weir.From(j, "numbers", weir.BoundedTopic("numbers", weir.String{})), "parse", strconv.Atoi)
		kept := weir.Filter(all, "keep", func(n int) bool { return n%2 == 0 && keep(n) })
		text := func(dst []byte, n int) ([]byte, error) { return strconv.AppendInt(dst, int64(n), 10), nil }
		weir.To(kept, "even", weir.SinkTopic("even", text, text))
		return j
	}
}

func TestEach(t *testing.T) {
	var values []string
	for n := range 80 {
		values = append(values, strconv.Itoa(n))
	}
	even := simtest.Output("even", simtest.Each(value, value).Split(func(in simtest.Record) []simtest.Record {
		if strings.ContainsAny(value(in)[len(in.Value)-1:], "02468") {
			return []simtest.Record{in}
		}
		return nil
	}))
	check(numbers(func(int) bool { return true }), simtest.Input("numbers", values...), even, simtest.Seeds(50)).passes(t)
	check(numbers(func(n int) bool { return n != 42 }), simtest.Input("numbers", values...), even).
		fails(t, "exactly-once is violated: 1 lost,", `lost: output "42" never appeared`, `appended at 0s: "42"`)
	check(numbers(func(int) bool { return true }), simtest.Input("numbers", "1", "2", "2", "4"), simtest.Output("even", simtest.Each(value, value))).
		fails(t, `lost: output "1" never appeared`)
}

// A chain of checksums per key: the order matters, and records of one key are in one partition.
func TestOrderMatters(t *testing.T) {
	add := func(sum int64, text string) int64 {
		return int64(crc32.Update(uint32(sum), crc32.IEEETable, []byte(text)))
	}
	job := func() *weir.Job {
		j := weir.New("chain")
		in := weir.From(j, "in", weir.Topic("in", weir.String{}))
		byKey := weir.KeyBy(in, func(s string) string { return s[:1] }, weir.String{}, weir.String{})
		chain := weir.Aggregate(byKey, "chain", weir.Agg[string, int64, int64]{
			Add: func(sum *int64, s string) { *sum = add(*sum, s) }, Out: func(sum int64) int64 { return sum }, Codec: weir.Int64{},
		})
		weir.To(chain, "out", weir.KeyedTopic("out", weir.String{}, weir.JSON[int64]{}))
		return j
	}
	var records []simtest.Record
	for i := range 60 {
		key := string(rune('a' + i%4))
		records = append(records, simtest.Record{Key: []byte(key), Value: fmt.Appendf(nil, "%s%d", key, i)})
	}
	model := func(start int64) simtest.Option {
		return simtest.Output("out", simtest.Fold(
			func(in simtest.Record) string { return string(in.Key) },
			func(state []byte, in simtest.Record) (next, value []byte) {
				sum, err := strconv.ParseInt(string(state), 10, 64)
				if err != nil {
					sum = start
				}
				next = strconv.AppendInt(nil, add(sum, string(in.Value)), 10)
				return next, next
			}))
	}
	check(job, simtest.Records("in", records), model(0), simtest.Seeds(60), simtest.Parallelism(3)).passes(t)
	slices.Reverse(records)
	check(job, simtest.Records("in", records), model(0), simtest.Seeds(20), simtest.Partitions(1), simtest.Interval(time.Second)).passes(t)
	check(job, simtest.Records("in", records), model(1)).fails(t, "exactly-once is violated: 1 phantom, in the output of 1 inputs")
}

func TestFamilies(t *testing.T) {
	for _, c := range []struct {
		family    simtest.Family
		has, lack string
	}{
		{simtest.Crashes, "crash-worker", "message-lost|reply-lost"},
		{simtest.Network, "message-lost", "crash-worker|reply-lost"},
		{simtest.Services, "reply-lost", "crash-worker|message-lost"},
	} {
		t.Setenv("WEIR_SEEDS", "30")
		r := check(words(fields, inState), lines(), counts(), simtest.Faults(c.family))
		r.passes(t)
		if !strings.Contains(r.log, c.has) || regexp.MustCompile(c.lack).MatchString(r.log) {
			t.Errorf("family %d: %s", c.family, r.log)
		}
	}
	if r := check(words(fields, inState), lines(), counts(), simtest.Faults()); !strings.Contains(r.log, "; 0 restarts, 0 faults struck") {
		t.Error(r.log)
	}
}

func TestMistakes(t *testing.T) {
	job := words(fields, inState)
	mixed := func() *weir.Job {
		j := weir.New("mixed")
		a := weir.From(j, "a", weir.Topic("lines", weir.String{}))
		b := weir.From(j, "b", weir.BoundedTopic("more", weir.String{}))
		weir.To(weir.Union(a, b), "out", weir.SinkTopic("counts", weir.String{}.Append, weir.String{}.Append))
		return j
	}
	nothing := simtest.Output("counts", simtest.Each(value, value).Split(func(simtest.Record) []simtest.Record { return nil }))
	for _, c := range []struct {
		name, want string
		job        func() *weir.Job
		opts       []simtest.Option
	}{
		{"graph", `it has no sink: end a stream with To`, func() *weir.Job { return weir.New("empty") }, nil},
		{"nil", "the job's factory is nil", nil, nil},
		{"no input", `the job reads ["lines"]: say with Input`, job, []simtest.Option{counts()}},
		{"no output", `the job writes ["counts"]: say with Output`, job, []simtest.Option{lines()}},
		{"other input", `Input names topic "other", which the job does not use that way`, job, []simtest.Option{lines(), simtest.Input("other", "x"), counts()}},
		{"output twice", `Output names topic "counts", which the job does not use that way, or which was named before`, job, []simtest.Option{lines(), counts(), counts()}},
		{"empty input", `Input("lines") has no values`, job, []simtest.Option{simtest.Input("lines"), counts()}},
		{"all ignored", "nothing would be judged: every output is ignored", job, []simtest.Option{lines(), simtest.Ignore("counts")}},
		{"vacuous", `no input has any output: nothing would be judged`, job, []simtest.Option{lines(), nothing}},
		{"mixed", "some of the job's sources are bounded", mixed, []simtest.Option{lines(), simtest.Input("more", "x"), counts()}},
		{"parallelism", "Parallelism(17): it must be 1 to 16", job, []simtest.Option{lines(), counts(), simtest.Parallelism(17)}},
		{"partitions", "Partitions(0)", job, []simtest.Option{lines(), counts(), simtest.Partitions(0)}},
		{"interval", "Interval(-1 ns)", job, []simtest.Option{lines(), counts(), simtest.Interval(time.Duration(-1))}},
		{"seeds", "Seeds(0)", job, []simtest.Option{lines(), counts(), simtest.Seeds(0)}},
	} {
		t.Run(c.name, func(t *testing.T) { check(c.job, c.opts...).fails(t, "simtest: ", c.want) })
	}
}

// A model under which any order may be the right one, and none is found in time.
func TestWhatCannotBeJudgedIsNoPass(t *testing.T) {
	job := func() *weir.Job {
		j := weir.New("copy")
		in := weir.From(j, "in", weir.Topic("in", weir.String{}))
		one := func(dst []byte, _ string) ([]byte, error) { return append(dst, '1'), nil }
		weir.To(in, "out", weir.SinkTopic("out", one, one))
		return j
	}
	var values []string
	for n := range 90 {
		values = append(values, strconv.Itoa(n))
	}
	riddle := simtest.Fold(
		func(simtest.Record) string { return "1" },
		func(state []byte, in simtest.Record) (next, value []byte) {
			next = append(append(bytes.Clone(state), in.Value...), ' ')
			if bytes.Count(next, []byte(" ")) == len(values) {
				return next, next
			}
			return next, []byte("1")
		})
	t.Setenv("WEIR_SEEDS", "2")
	check(job, simtest.Input("in", values...), simtest.Output("out", riddle)).
		fails(t, "cannot be judged, which is no pass:\n", "say so with AnyOrder or Alike", "seed 0x0 (1 of 2)", "\nagain  go test ")
}

// What a job that is not bounded loses leaves the run waiting.
func TestAWaitIsTold(t *testing.T) {
	lossy := func(line string, emit func(string)) {
		fields(strings.Replace(line, "lazy ", "", 1), emit)
	}
	check(words(lossy, inState), lines(), counts()).fails(t, "exactly-once is violated: 1 lost, in the output of 2 inputs, though the run waited for more until ", `key "lazy": 0 values for 1 inputs`, "and the run did not come to its end: the bound of the liveness phase has passed")
}
