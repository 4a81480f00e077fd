package simtest

import (
	"fmt"
	"os"
	"strings"

	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/scenarios"
	"weir/sim"
)

const (
	mostFailures = 3  // told with their evidence
	mostFaults   = 12 // told one by one
)

// failure is a seed that failed.
type failure struct {
	scenarios.Outcome
	name    string
	nth, of int
	digest  uint64 // of the second run
	differs string // where the two begin to differ
	small   *shrunk
	kept    *failFile
	keptErr error
	old     *failFile // that was run again
}

// String tells the verdict, what led to it, and how to repeat it.
func (f *failure) String() string {
	var b strings.Builder
	if f.digest != f.Run.Digest {
		fmt.Fprintf(&b, "not deterministic: two runs of one seed differ (digests %016x and %016x).\n"+
			"A function of the job depends on something that a seed does not fix: a clock, randomness, the order of a map, or a variable that outlives a call of the factory.\n%s\nweir vet, on the packages of the job, finds most of these. The first run: ", f.Run.Digest, f.digest, f.differs)
	}
	if f.old != nil {
		fmt.Fprintf(&b, "%s fails again: ", f.old.path)
	}
	f.verdict(&b)
	fmt.Fprintf(&b, "\n\nseed %#x (%s); %d faults struck", f.Seed, f.place(), f.Run.Faults.Total())
	if f.Run.Faults.Total() > 0 {
		fmt.Fprintf(&b, ": %s", tally(&f.Run.Faults))
	}
	moments(&b, f.Run.Fired)
	f.needed(&b)
	fmt.Fprintf(&b, "\n\nrepeat: %s", f.command())
	return b.String()
}

// needed tells which faults are enough.
func (f *failure) needed(b *strings.Builder) {
	if f.small == nil {
		return
	}
	s := f.small
	switch {
	case len(s.faults) == 0:
		b.WriteString("\n\nit needs no fault at all: the same seed fails without any")
	case s.whole && len(s.faults) == 1:
		b.WriteString("\n\nit needs this fault, and passes without it:")
	case s.whole:
		fmt.Fprintf(b, "\n\nit needs these %d faults, and passes without any one of them:", len(s.faults))
	default:
		fmt.Fprintf(b, "\n\nit needs no more than these %d faults (there was no time to find out if fewer do; see -%s):", len(s.faults), shrinkFlag)
	}
	told := s.Run.Fired[:min(len(s.Run.Fired), mostFaults)]
	for _, x := range told {
		fmt.Fprintf(b, "\n  %6d ms  %v, phase %v", ms(int64(x.At)), x.ID, x.Phase)
	}
	if n := len(s.Run.Fired) - len(told); n > 0 {
		fmt.Fprintf(b, "\n  and %d more", n)
	}
	if f.keptErr != nil {
		fmt.Fprintf(b, "\nthey could not be kept in a fail file: %v", f.keptErr)
	} else {
		fmt.Fprintf(b, "\nkept in %s, which this test runs first from now on", f.kept.path)
	}
}

// place is which one of the test's seeds this is.
func (f *failure) place() string {
	if f.of == 0 {
		return fmt.Sprintf("the %dth", f.nth+1)
	}
	return fmt.Sprintf("%d of %d", f.nth+1, f.of)
}

// verdict tells what is wrong, first of all what users of the output would see.
func (f *failure) verdict(b *strings.Builder) {
	switch v := &f.Verdict; {
	case v.Result == checker.Fail:
		b.WriteString("exactly-once is violated:")
		for _, t := range v.Tally {
			fmt.Fprintf(b, " %d %v,", t.N, t.Kind)
		}
		fmt.Fprintf(b, " in %d records of output.", v.Scope.Records)
		for _, one := range v.Failures[:min(len(v.Failures), mostFailures)] {
			f.evidence(b, &one)
		}
		if n := len(v.Failures) - mostFailures; n > 0 {
			fmt.Fprintf(b, "\n  and %d more", n)
		}
		if f.Broken != scenarios.ExactlyOnce {
			text, _, _ := strings.Cut(f.Run.Failure.Error(), "\n")
			fmt.Fprintf(b, "\n  and the run did not come to its end: %s", text)
		}
	case f.Broken != "":
		fmt.Fprintf(b, "%s: %s", f.Broken, f.Message)
	case f.Unknown:
		b.WriteString("cannot be judged, which is no pass:")
		for _, u := range v.Unjudged {
			fmt.Fprintf(b, "\n  %s", u)
		}
		b.WriteString("\n  If the order of inputs does not matter, say so with AnyOrder or Alike; else give fewer inputs per key.")
	default:
		b.WriteString("passed.")
	}
}

// evidence tells one failure of the checker's, with the inputs that it concerns and where a reader saw it.
func (f *failure) evidence(b *strings.Builder, one *checker.Failure) {
	fmt.Fprintf(b, "\n  %v: %s", one.Kind, one.Text)
	for _, c := range one.Inputs {
		fmt.Fprintf(b, "\n      input  %s/%d offset %d, appended at %d ms: %.80q", c.Topic, c.Partition, c.Offset, ms(c.At), f.input(c))
	}
	for _, s := range one.Seen {
		verb := "seen at"
		if s.Absent {
			verb = "missing at"
		}
		fmt.Fprintf(b, "\n      %s  %s/%d offset %d, by %s at %d ms", verb, s.Topic, s.Partition, s.Offset, s.Reader, ms(s.Return))
	}
}

// input is the value of the record that a failure points to.
func (f *failure) input(c checker.Cause) []byte {
	for _, a := range f.Run.History.Appends {
		if a.Topic == c.Topic && int32(a.Partition) == c.Partition && len(a.Entries) > 0 {
			if i := c.Offset - int64(a.Entries[0].Offset); i >= 0 && i < int64(len(a.Entries)) {
				return a.Entries[i].Value
			}
		}
	}
	return nil
}

func ms(at int64) int64 { return at / int64(protocol.Millisecond) }

// tally is the faults by kind.
func tally(c *faults.Counts) string {
	var out []string
	for k := range faults.Kind(faults.Kinds) {
		if n := c.Of(k); n > 0 {
			out = append(out, fmt.Sprintf("%v %d", k, n))
		}
	}
	return strings.Join(out, ", ")
}

// moments tells the faults that strike at a moment of their own, by time.
func moments(b *strings.Builder, fired []sim.Fired) {
	told := 0
	for _, x := range fired {
		if !x.ID.Kind.Timed() {
			continue
		}
		if told++; told <= mostFaults {
			fmt.Fprintf(b, "\n  %6d ms  %v, phase %v", ms(int64(x.At)), x.ID.Kind, x.Phase)
		}
	}
	if told > mostFaults {
		fmt.Fprintf(b, "\n  and %d more", told-mostFaults)
	}
}

// command is what repeats the seed.
func (f *failure) command() string {
	run := "^" + strings.ReplaceAll(f.name, "/", "$/^") + "$"
	if f.old != nil {
		return fmt.Sprintf("go test %s -run '%s' -%s=%s", folder(), run, replayFlag, f.old.path)
	}
	return fmt.Sprintf("go test %s -run '%s' -%s=%#x", folder(), run, seedFlag, f.Seed)
}

// folder is the package under test, whose folder tests run in, as seen from the root of its module.
func folder() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for at := len(dir); at > 0; at = strings.LastIndexByte(dir[:at], os.PathSeparator) {
		if _, err := os.Stat(dir[:at] + "/go.mod"); err == nil {
			return "." + dir[at:]
		}
	}
	return "."
}
