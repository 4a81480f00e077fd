package simtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/sim/simtest"
)

// keptFile is the one fail file that a failure was kept in.
func keptFile(t *testing.T, r *recorder) (path, text string) {
	t.Helper()
	m := regexp.MustCompile(`kept in (testdata/weir/TestJob/0x[0-9a-f]+\.fail), which this test runs first`).FindStringSubmatch(r.failed)
	if m == nil {
		t.Fatalf("it is not kept:\n%s", r.failed)
	}
	b, err := os.ReadFile(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return m[1], string(b)
}

// A failing seed is kept with the faults that it needs, runs first until it is mended, and is said to be mended then.
func TestAFailureIsKeptAndRunsFirst(t *testing.T) {
	bad, good := words(fields, inClosure), words(fields, inState)
	r := check(bad, lines(), counts())
	r.fails(t, "\nit needs this fault, and passes without it:\n")
	path, text := keptFile(t, r)
	if !regexp.MustCompile(`^weir fail file 1\ntest TestJob\nseed 0x[0-9a-f]+\nbroken exactly-once\nfault [a-z-]+#\d+\n$`).MatchString(text) {
		t.Error(text)
	}
	again := checkAgain(bad, lines(), counts())
	again.fails(t, path+" fails again: exactly-once is violated:", "; 1 faults struck", "repeat: go test ./sim/simtest -run '^TestJob$' -weir.replay="+path)
	t.Setenv("WEIR_REPLAY", path)
	checkAgain(bad, lines(), counts()).fails(t, path+" fails again: exactly-once is violated:")
	mended := checkAgain(good, lines(), counts())
	mended.passes(t)
	if !strings.Contains(mended.log, path+" passes now, with all its 1 faults: what failed once is mended") || !strings.Contains(mended.log, "ok: 0 seeds") {
		t.Error(mended.log)
	}
	t.Setenv("WEIR_REPLAY", "all")
	checkAgain(bad, lines(), counts()).fails(t, path+" fails again: ")
	if r := check(bad, lines(), counts()); r.skipped != "WEIR_REPLAY=all names no fail file of this test" {
		t.Errorf("%q, %q", r.skipped, r.failed)
	}
}

// What no longer strikes shows nothing, and that is said.
func TestAStaleFailFileIsTold(t *testing.T) {
	os.RemoveAll("testdata/weir/TestJob")
	write(t, "testdata/weir/TestJob/a.fail", "weir fail file 1\ntest TestJob\nseed 0x1\nbroken exactly-once\nfault message-lost#99999999\n")
	t.Setenv("WEIR_SEEDS", "1")
	if r := checkAgain(words(fields, inState), lines(), counts()); !strings.Contains(r.log, "a.fail passes, but 1 of its 1 faults no longer strike") {
		t.Error(r.log, r.failed)
	}
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

func TestDamagedFailFiles(t *testing.T) {
	const path = "testdata/weir/TestJob/a.fail"
	for text, want := range map[string]string{
		"":                               path + `:1: a fail file begins with "weir fail file 1"`,
		"weir fail file 1\ntest TestJob": path + ":1: a test and a seed are needed",
		"weir fail file 1\nseed x":       path + `:2: seed "x" is no number`,
		"weir fail file 1\n\nfault no":   path + `:3: fault: "no" is not kind#number`,
		"weir fail file 1\nhue red":      path + `:2: there is no field "hue"`,
	} {
		os.RemoveAll("testdata/weir/TestJob")
		write(t, path, text)
		checkAgain(words(fields, inState), lines(), counts()).fails(t, "simtest: "+want)
	}
	os.RemoveAll("testdata/weir/TestJob")
	t.Setenv("WEIR_REPLAY", "nowhere.fail")
	checkAgain(words(fields, inState), lines(), counts()).fails(t, "simtest: WEIR_REPLAY: open nowhere.fail:")
}

func TestShrinkTime(t *testing.T) {
	t.Setenv("WEIR_SHRINKTIME", "0s")
	r := check(words(fields, inClosure), lines(), counts())
	r.fails(t, "\nit needs no more than these ", "there was no time to find out if fewer do; see -weir.shrinktime")
	plainlyWrong := words(func(line string, emit func(string)) {
		if !strings.Contains(line, "dog") {
			fields(line, emit)
		}
	}, inState)
	t.Setenv("WEIR_SHRINKTIME", "2s")
	check(plainlyWrong, lines(), counts()).fails(t, "it needs no fault at all: the same seed fails without any")
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
