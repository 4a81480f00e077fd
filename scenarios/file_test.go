package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"weir/faults"
)

// The run of a seed, written down and read back, is the same run, and its text is stable.
func TestFileIsTheRun(t *testing.T) {
	for i, s := range All() {
		for n := range uint64(4) {
			seed := n*uint64(len(All())) + uint64(i)
			f, o := s.File(seed, Options{Limit: faults.Full()})
			if want := s.Run(seed, Options{Limit: faults.Full()}); want.Run.Digest != o.Run.Digest {
				t.Fatalf("%s %#x: writing it down changes the run", s.Name, seed)
			}
			back, err := ParseFile("x.scenario", []byte(f.String()))
			if err != nil {
				t.Fatal(err)
			}
			for i := range f.Plan {
				f.Plan[i].Seen = 0
			}
			if !reflect.DeepEqual(back.Jobs, f.Jobs) || back.String() != f.String() {
				t.Fatalf("%s\nis read as\n%s", f, back)
			}
			got := back.Run(Watching{})
			if got.Run.Digest != o.Run.Digest || got.Sort() != f.Expect || len(got.Run.Missed) > 0 {
				t.Errorf("%s %#x: digest %x, from the file %x; %s, missed %v", s.Name, seed, o.Run.Digest, got.Run.Digest, got.Message, got.Run.Missed)
			}
		}
	}
}

// Bad files are told with their line, and with what is allowed.
func TestParseFileRefuses(t *testing.T) {
	s, _ := Named("linear")
	f, _ := s.File(3, Options{})
	good := f.String()
	chain, _ := Named("chain")
	two, _ := chain.File(3, Options{})
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", `x:1: the line "weir-scenario" is missing`},
		{"something else", "hello\n", `x:1: a scenario begins with "weir-scenario 1"`},
		{"version", swap(t, good, "weir-scenario 1", "weir-scenario 2"), `x:1: version "2" is not known: this weir reads version 1`},
		{"word", good + "colour blue\n", `there is no "colour"; a line begins with one of: weir-scenario expect`},
		{"twice", good + "seed 4\n", `"seed" was said in line 4 already`},
		{"scenario", swap(t, good, "scenario linear", "scenario liner"), `x:3: there is no scenario "liner"; there are: linear fanin`},
		{"seed", swap(t, good, "seed 0x3", "seed three"), `x:4: seed "three": a seed is a number of 64 bits`},
		{"expect", swap(t, good, "expect pass", "expect miracles"), `x:2: "miracles" cannot be expected; what can: pass, unknown, fail exactly-once`},
		{"records", swap(t, good, "records=", "records=9999"), `is not a number from 1 to 10000`},
		{"input", swap(t, good, "fewer=", "less="), `x:5: there is no "less"; what can be said here: records fewer`},
		{"transaction timeout", change(f, func(s *Setup) { s.Config.TxnTimeout = 1_000_000_000 }), `transaction timeout 1000 ms is too short: half of it must cover`},
		{"parallelism", change(f, func(s *Setup) { s.Config.KeyGroups, s.Config.Parallelism = 2, 8 }), `has parallelism 8, above the 2 key groups`},
		{"heartbeats", change(f, func(s *Setup) { s.Config.Interval = 1_000_000; s.Config.Heartbeat = 1_000_000 }), `more than 10000 intervals`},
		{"config", swap(t, good, " interval=", " intervall="), `there is no "intervall"; what can be said here: interval timeout`},
		{"config missing", swap(t, good, " credit=", " retained="), `said twice`},
		{"invalid", swap(t, good, " txn-timeout=", " txn-timeout=1ms linger="), `said twice`},
		{"kind of fault", good + "fault melt-down#1: at 3s\n", `the kind is one of crash-worker`},
		{"node of fault", good + "fault pause#1: node 77, at 3s\n", `there is no process 77; there are:`},
		{"way of fault", good + "fault partition#1: ways 1>moon, at 3s\n", `does not lead between two of: broker bucket 1`},
		{"job of fault", good + "fault pause#1: job 2, at 3s\n", `there is no job 2`},
		{"fault twice", good + "fault pause#1: at 3s\nfault pause#1: at 4s\n", `another fault is called pause#1`},
		{"second job", good + "processes-2 coordinators=3 workers=3\n", `scenario linear has one job`},
		{"second missing", swap(t, two.String(), "processes-2", "#"), `the line "processes-2" is missing`},
		{"shared node", swap(t, two.String(), "processes-2 coordinators=101", "processes-2 coordinators=1"), `node 1 is the first job's`},
		{"no nodes", swap(t, good, "coordinators=1", "coordinators="), `is not a list of 1 to 16 different numbers`},
		{"test", swap(t, good, "scenario linear", "test TestOrders"), `x:3: it is a run of test "TestOrders", which alone knows the job: repeat it in the folder of its package, go test -run '^TestOrders$' -weir.replay=FILE`},
		{"scenario and test", good + "test TestOrders\n", `it is a run of test "TestOrders"`},
		{"large", strings.Repeat("#\n", 1<<20), `too many for a scenario`},
	} {
		got, err := ParseFile("x", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "x:") {
			t.Errorf("%s: read as %v, %v; want an error with %q", c.name, got != nil, err, c.says)
		}
	}
}

// orders is linear as a user's test, which has its own input.
func orders() *Scenario {
	s := linear()
	s.Name, s.Test, s.Inputs[0].Records = "TestOrders/all", true, 12
	return s
}

// A file of a test says so; it is the same run when the test reads it back, and nobody else can.
func TestFileOfATest(t *testing.T) {
	s := orders()
	f, o := s.File(4, Options{Limit: faults.Full()})
	if o.Verdict.Scope.Inputs != 12 || !strings.Contains(f.String(), "\ntest TestOrders/all\nseed 0x4\ninput records=12 ") {
		t.Errorf("%d inputs\n%s", o.Verdict.Scope.Inputs, f)
	}
	back, err := ParseTest("x", []byte(f.String()), s)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Run(Watching{}); got.Run.Digest != o.Run.Digest || back.String() != f.String() {
		t.Errorf("read back it is another run: %s\n%s", got.Message, back)
	}
	fewer := f.With(nil)
	fewer.Records = 5
	if o := fewer.Run(Watching{}); o.Verdict.Scope.Inputs != 5 || !o.Passed() {
		t.Errorf("%d inputs, %s", o.Verdict.Scope.Inputs, o.Message)
	}
	other := orders()
	other.Name = "TestOthers"
	var named OtherTest
	if _, err := ParseTest("x", []byte(f.String()), other); !errors.As(err, &named) || named != "TestOrders/all" {
		t.Errorf("another test reads it: %v", err)
	}
	if got, want := RunPattern("TestX/it's.a_case"), `^TestX$/^it.s\.a_case$`; got != want {
		t.Errorf("the pattern is %s, want %s", got, want)
	}
}

func TestParseTestRefuses(t *testing.T) {
	f, _ := orders().File(3, Options{})
	good := f.String()
	own, _ := linear().File(3, Options{})
	for _, c := range []struct{ name, text, says string }{
		{"own", own.String(), `x:3: it is a run of weir's own scenario linear, which weir repro FILE repeats, and not of test TestOrders/all`},
		{"no name", swap(t, good, "test TestOrders/all", "test"), `x:3: "" is no name of a test, of 1 to 1000 bytes without spaces`},
		{"long name", swap(t, good, "TestOrders/all", strings.Repeat("T", 1001)), `is no name of a test`},
		{"both", good + "scenario linear\n", `it is a run of weir's own scenario`},
		{"again", good + "test TestOrders/all\n", `"test" was said in line 3 already`},
		{"none", swap(t, good, "test TestOrders/all\n", ""), `the line "test" is missing`},
		{"parallelism", change(f, func(s *Setup) { s.Config.KeyGroups, s.Config.Parallelism = 2, 8 }), `has parallelism 8, above the 2 key groups`},
		{"second job", good + "processes-2 coordinators=3 workers=3\n", `test TestOrders/all has one job`},
		{"node of fault", good + "fault pause#1: node 77, at 3s\n", `there is no process 77; there are:`},
	} {
		if _, err := ParseTest("x", []byte(c.text), orders()); err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "x:") {
			t.Errorf("%s: %v; want an error with %q", c.name, err, c.says)
		}
	}
}

// change is the text of a file with another job.
func change(f *File, edit func(*Setup)) string {
	c := f.With(f.Plan)
	edit(&c.Jobs[0])
	c.Horizon = 1 << 40
	return c.String()
}

func swap(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in\n%s", old, text)
	}
	return strings.Replace(text, old, new, 1)
}

// FuzzParseFile: strangers' files neither panic nor take memory, and what is read is written as it was read.
func FuzzParseFile(f *testing.F) {
	for _, name := range []string{"linear", "chain"} {
		s, _ := Named(name)
		file, _ := s.File(5, Options{Limit: faults.Full()})
		file.Plan = file.Plan[:3]
		f.Add([]byte(file.String()), false)
	}
	test := orders()
	file, _ := test.File(5, Options{Limit: faults.Full()})
	file.Plan = file.Plan[:3]
	f.Add([]byte(file.String()), true)
	f.Add([]byte(strings.Replace(file.String(), "input records=12", "input records=3 fewer=2", 1)), true)
	f.Add([]byte(strings.Replace(file.String(), "TestOrders/all", "Test'; Orders", 1)), false)
	f.Add([]byte(strings.Replace(file.String(), "workers=11", "workers=11,12,13,14", 1)), true)
	f.Fuzz(func(t *testing.T, text []byte, tested bool) {
		parse := ParseFile
		if tested {
			parse = func(name string, text []byte) (*File, error) { return ParseTest(name, text, test) }
		}
		file, err := parse("x", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x:") {
				t.Fatal(err)
			}
			return
		}
		again, err := parse("x", []byte(file.String()))
		if err != nil || again.String() != file.String() || !bytes.Equal([]byte(fmt.Sprint(again.Jobs)), []byte(fmt.Sprint(file.Jobs))) {
			t.Fatalf("%q\nis written as\n%s\nand read as %v", text, file, err)
		}
	})
}

// Every invariant that a run can break has words, and can be expected by a file.
func TestEveryInvariantIsKnown(t *testing.T) {
	list := allChecks()
	for _, c := range append(list, list[len(list)-1]<<1) {
		named := !strings.HasPrefix(c.String(), "checks ")
		if known := slices.Contains(list, c); named != known {
			t.Errorf("invariant %v: it has a name: %t, files know it: %t", c, named, known)
		} else if known && invariantText(c.String()) == "as its name says" {
			t.Errorf("invariant %v has no words", c)
		}
	}
}
