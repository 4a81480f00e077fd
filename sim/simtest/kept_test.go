package simtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/sim/simtest"
)

// keptFile is the one file that a failure was kept in.
func keptFile(t *testing.T, r *recorder) (path, text string) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^again  go test \./sim/simtest -run '\^TestJob\$' -weir\.replay=(testdata/weir/TestJob/[a-z-]+-0x[0-9a-f]+\.scenario)\nwhole  .* -weir\.seed=0x[0-9a-f]+ .*\nkept   in that file, which this test runs first`).FindStringSubmatch(r.failed)
	if m == nil {
		t.Fatalf("it is not kept:\n%s", r.failed)
	}
	b, err := os.ReadFile(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return m[1], string(b)
}

// A failing seed is made small and kept, runs first until it is mended, and is said to be mended then.
func TestAFailureIsKeptAndRunsFirst(t *testing.T) {
	bad, good := words(fields, inClosure), words(fields, inState)
	r := check(bad, lines(), counts())
	r.fails(t, "\nseed 0x0 (1 of 200); minimised: faults ", " records 41 -> ", "\nwhy: 1 of 1 fault is needed.\n", "\n         without it: pass\n", "\nwhat should have happened: ")
	path, text := keptFile(t, r)
	if !regexp.MustCompile(`^# fail exactly-once:\n#   exactly-once is violated: (?s:.*)\n# minimised: .*\nweir-scenario 1\nexpect fail exactly-once\ntest TestJob\nseed 0x[0-9a-f]+\ninput records=\d[^\n]*\nrun (?s:.*)\nfault [a-z-]+#\d+: .*\n$`).MatchString(text) {
		t.Error(text)
	}
	if n := strings.Count(r.failed, "\n"); n > 70 {
		t.Errorf("%d lines are no story", n)
	}
	again := checkAgain(bad, lines(), counts())
	again.fails(t, path+" fails again: exactly-once is violated:", "\nminimised: faults ", "1 fault; Kafka", "\nagain  go test ./sim/simtest -run '^TestJob$' -weir.replay="+path)
	t.Setenv("WEIR_REPLAY", path)
	if once := checkAgain(bad, lines(), counts()); once.failed != again.failed {
		t.Errorf("first\n%s\nthen\n%s", again.failed, once.failed)
	}
	mended := checkAgain(good, lines(), counts())
	mended.passes(t)
	if !strings.Contains(mended.log, path+" passes now, with all its 1 faults: what failed once is mended") || !strings.Contains(mended.log, "ok: 0 seeds") {
		t.Error(mended.log)
	}
	write(t, path, strings.Replace(text, "expect fail exactly-once", "expect pass", 1))
	if r := checkAgain(good, lines(), counts()); r.failed != "" || strings.Contains(r.log, "passes now") {
		t.Error(r.log, r.failed)
	}
	checkAgain(bad, lines(), counts()).fails(t, `the file expects "pass", and now it is "fail exactly-once"`)
	t.Setenv("WEIR_REPLAY", "all")
	checkAgain(bad, lines(), counts()).fails(t, path+" fails again: ")
	if r := check(bad, lines(), counts()); r.skipped != "WEIR_REPLAY=all: this test keeps no file" {
		t.Errorf("%q, %q", r.skipped, r.failed)
	}
	write(t, path, strings.Replace(text, "test TestJob", "test TestOther", 1))
	t.Setenv("WEIR_REPLAY", path)
	if r := checkAgain(bad, lines(), counts()); r.skipped != "WEIR_REPLAY="+path+` is a run of test TestOther` && !strings.Contains(r.skipped, "TestOther") {
		t.Errorf("%q, %q", r.skipped, r.failed)
	}
}

// What cannot be kept is told all the same.
func TestAFailureThatCannotBeKept(t *testing.T) {
	os.RemoveAll("testdata/weir/TestJob")
	if err := os.MkdirAll("testdata/weir/TestJob/exactly-once-0x0.scenario", 0o777); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll("testdata/weir/TestJob")
	checkAgain(words(fields, inClosure), lines(), counts()).fails(t, "exactly-once is violated: ", "\nwhy: 1 of 1 fault is needed.\n",
		"\nagain  go test ./sim/simtest -run '^TestJob$' -weir.seed=0x0\nit could not be kept in a file: open testdata/weir/TestJob/exactly-once-0x0.scenario: is a directory")
}

// A job that was mended into one that no seed repeats is told as that, not as mended.
func TestAKeptFileOfAJobThatDiffersFromRunToRun(t *testing.T) {
	path, _ := keptFile(t, check(words(fields, inClosure), lines(), counts()))
	calls := 0
	random := words(func(line string, emit func(string)) {
		calls++
		emit(strconv.Itoa(calls))
	}, inState)
	checkAgain(random, lines(), counts()).fails(t, path+" fails again: not deterministic: two runs of the same seed differ", "The first event with another effect is step ")
}

// What no longer strikes shows nothing, and that is said; it fails whoever asks for the file, or is strict.
func TestAStaleFileIsTold(t *testing.T) {
	path, text := keptFile(t, check(words(fields, inClosure), lines(), counts()))
	write(t, path, text+"fault message-lost#99999999: on Ack(checkpoint 99) from split[0] to coordinator\n")
	good := words(fields, inState)
	t.Setenv("WEIR_SEEDS", "1")
	const stale = "STALE: testdata/weir/TestJob/exactly-once-0x0.scenario passes, but 1 of its 2 faults do not strike any more: "
	if r := checkAgain(good, lines(), counts()); !strings.Contains(r.log, stale) || !strings.Contains(r.log, "\n  did not strike: message-lost#99999999: on Ack(checkpoint 99)") {
		t.Error(r.log, r.failed)
	}
	t.Setenv("WEIR_STRICT", "true")
	checkAgain(good, lines(), counts()).fails(t, stale)
	t.Setenv("WEIR_STRICT", "")
	t.Setenv("WEIR_REPLAY", path)
	checkAgain(good, lines(), counts()).fails(t, stale)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Damaged files, and files from strangers: file, line, and what is allowed.
func TestDamagedFiles(t *testing.T) {
	const path = "testdata/weir/TestJob/a.scenario"
	const head = "weir-scenario 1\nexpect fail exactly-once\n"
	for text, want := range map[string]string{
		"":                         path + `:1: the line "weir-scenario" is missing`,
		"weir fail file 1":         path + `:1: a scenario begins with "weir-scenario 1"`,
		"weir-scenario 2":          path + `:1: version "2" is not known: this weir reads version 1`,
		head + "scenario linear":   path + `:3: it is a run of weir's own scenario linear, which weir repro FILE repeats, and not of test TestJob`,
		head + "test TestOther":    path + `:3: it is a run of test "TestOther"`,
		head + "test TestJob":      path + `:3: the line "seed" is missing`,
		head + "fault melt-down#1": path + `:3: a fault begins with kind#number and a colon, such as "pause#0:", where the kind is one of crash-worker`,
		strings.Repeat("#", 2<<20): path + `: 2097152 bytes are too many for a scenario`,
	} {
		os.RemoveAll("testdata/weir/TestJob")
		write(t, path, text)
		checkAgain(words(fields, inState), lines(), counts()).fails(t, "simtest: "+want)
	}
	os.RemoveAll("testdata/weir/TestJob")
	t.Setenv("WEIR_REPLAY", "nowhere.scenario")
	checkAgain(words(fields, inState), lines(), counts()).fails(t, "simtest: WEIR_REPLAY: stat nowhere.scenario:")
}

func TestShrinkTime(t *testing.T) {
	t.Setenv("WEIR_SHRINKTIME", "0s")
	r := check(words(fields, inClosure), lines(), counts())
	r.fails(t, "\nwhy: ", " faults")
	if _, text := keptFile(t, r); strings.Count(text, "\nfault ") < 10 {
		t.Errorf("it was shrunk:\n%s", text)
	}
	plainlyWrong := words(func(line string, emit func(string)) {
		if !strings.Contains(line, "dog") {
			fields(line, emit)
		}
	}, inState)
	t.Setenv("WEIR_SHRINKTIME", "20s")
	check(plainlyWrong, lines(), counts()).fails(t, "\nwhy: no fault is needed: it fails on a good day.\n", " records 41 -> 2,")
}

func TestTime(t *testing.T) {
	t.Setenv("WEIR_TIME", "1ms")
	r := check(words(fields, inState), lines(), counts())
	r.passes(t)
	if !regexp.MustCompile(`^ok: [1-9]\d* seeds`).MatchString(r.log) {
		t.Error(r.log)
	}
	for env, want := range map[string]string{"WEIR_TIME": `WEIR_TIME is "soon": it must be a time such as 10s`, "WEIR_SHRINKTIME": `WEIR_SHRINKTIME is "soon"`, "WEIR_STRICT": `WEIR_STRICT is "soon": it must be true or false`} {
		t.Run(env, func(t *testing.T) {
			t.Setenv(env, "soon")
			check(words(fields, inState), lines(), counts()).fails(t, "simtest: "+want)
		})
	}
}

func TestSometimes(t *testing.T) {
	full := simtest.Sometimes("140 outputs", func(r *simtest.Run) bool {
		return len(r.Output("counts")) == 140 && r.Sealed > 0 && string(r.Output("counts")[0].Value) == "1"
	})
	struck := simtest.Sometimes("a crash and a restart", func(r *simtest.Run) bool { return r.Struck(simtest.Crashes) > 0 && r.Restarts > 0 })
	rare := simtest.Sometimes("recovery committed", nil)
	never := simtest.Sometimes("a thousand outputs", func(r *simtest.Run) bool { return len(r.Output("counts")) >= 1000 })
	job := words(fields, inState)
	r := check(job, lines(), counts(), full, struck, rare, never)
	r.passes(t)
	if !strings.Contains(r.log, `never reached: "a thousand outputs" (-weir.strict makes this a failure)`) {
		t.Error(r.log)
	}
	t.Setenv("WEIR_STRICT", "true")
	check(job, lines(), counts(), full, struck, rare, never).fails(t, `vacuous: no seed reached "a thousand outputs".`)
	check(job, lines(), counts(), full, struck, rare).passes(t)
	check(job, lines(), counts(), simtest.Seeds(1)).fails(t, "vacuous: no seed reached fault ", "fault marker-late")
	check(job, lines(), counts(), simtest.Sometimes("rain", nil)).fails(t, `Sometimes("rain") has no function and is none of weir's rare states: alignment superseded, `)
}

func TestTopology(t *testing.T) {
	job := words(fields, inState)
	for _, n := range []int{1, 2, 6} {
		check(job, lines(), counts(), simtest.Seeds(10), simtest.Topology(simtest.Shape{Parallelism: 4, Partitions: 2, Processes: n})).passes(t)
	}
	check(job, lines(), counts(), simtest.Topology(simtest.Shape{Processes: 10})).fails(t, "Topology with 10 processes: they must be 1 to 9")
	check(job, lines(), counts(), simtest.Topology(simtest.Shape{Parallelism: 17})).fails(t, "Parallelism(17): it must be 1 to 16")
}

// Process keeps its state over crashes; what its function keeps beside it does not last, which is seen.
func TestProcess(t *testing.T) {
	job := func(beside bool) func() *weir.Job {
		return words(fields, func(k weir.Keyed[string, string]) weir.Stream[weir.KV[string, int64]] {
			n, seen := weir.NewValueState("n", weir.Int64{}), map[string]int64{}
			return weir.Process(k, "count", func(c *weir.Context[string, weir.KV[string, int64]], w string) error {
				had, _ := n.Get()
				if beside {
					had = seen[w]
				}
				n.Set(had + 1)
				seen[w] = had + 1
				c.Emit(weir.KV[string, int64]{Key: w, Value: had + 1})
				return nil
			}, n)
		})
	}
	check(job(false), lines(), counts(), simtest.Interval(time.Second)).passes(t)
	check(job(true), lines(), counts()).fails(t, "exactly-once is violated:")
}
