package simtest

import (
	"fmt"
	"os"
	"strings"

	"weir/faults"
	"weir/scenarios"
)

// failure is a seed or a file that failed.
type failure struct {
	scenarios.Outcome
	name    string
	nth, of int
	digest  uint64 // of the second run
	differs string // where the two begin to differ
	told    []string
	story   *scenarios.Story
	kept    string // the file's path
	keptErr error
	old     string // the path of the file that was run again
}

// String tells the verdict, what led to it, and how to repeat it.
func (f *failure) String() string {
	head := ""
	if f.old != "" {
		head = f.old + " fails again: "
	}
	switch {
	case f.digest != f.Run.Digest:
		return head + f.nondeterministic()
	case f.story != nil:
		return head + strings.TrimRight(f.story.Text(f.told, f.again()), "\n")
	case f.Unknown:
		head += "cannot be judged, which is no pass:"
		for _, u := range f.Verdict.Unjudged {
			head += "\n  " + u
		}
		head += "\n  If the order of inputs does not matter, say so with AnyOrder or Alike; else give fewer inputs per key."
	default:
		head += f.Broken + ": " + f.Message
	}
	return head + "\n\n" + strings.Join(append(f.told, f.again()...), "\n")
}

// nondeterministic tells that the job is nothing that a seed can repeat.
func (f *failure) nondeterministic() string {
	return "not deterministic: two runs of the same seed differ, so that nothing they show can be repeated.\n" +
		"A function of the job depends on something that a seed does not fix: a clock, randomness, the order of a map, or a variable that outlives a call of the factory.\n" +
		f.differs + "\n\nMost of these are found, by file and line, by\n  go run weir/cmd/weir vet PACKAGES\n\n" + strings.Join(append(f.told, f.again()...), "\n")
}

// place is which one of the test's seeds this is.
func (f *failure) place() string {
	if f.of == 0 {
		return fmt.Sprintf("seed %#x (the %dth)", f.Seed, f.nth+1)
	}
	return fmt.Sprintf("seed %#x (%d of %d)", f.Seed, f.nth+1, f.of)
}

// again is what repeats the seed or the file.
func (f *failure) again() []string {
	run := fmt.Sprintf("go test %s -run '%s'", folder(), scenarios.RunPattern(f.name))
	switch {
	case f.old != "":
		return []string{fmt.Sprintf("again  %s -%s=%s", run, replayFlag, f.old)}
	case f.keptErr != nil:
		return []string{fmt.Sprintf("again  %s -%s=%#x", run, seedFlag, f.Seed), fmt.Sprintf("it could not be kept in a file: %v", f.keptErr)}
	case f.kept != "":
		return []string{
			fmt.Sprintf("again  %s -%s=%s", run, replayFlag, f.kept),
			fmt.Sprintf("whole  %s -%s=%#x   (the seed as it was, not minimised)", run, seedFlag, f.Seed),
			"kept   in that file, which this test runs first from now on: commit it",
		}
	}
	return []string{fmt.Sprintf("again  %s -%s=%#x", run, seedFlag, f.Seed)}
}

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
