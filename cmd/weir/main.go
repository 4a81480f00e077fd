package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// command is a subcommand; run returns the exit code, or an error of usage.
type command struct {
	name, about string
	run         func(args []string, stdout, stderr io.Writer) (int, error)
}

const exitUsage = 2

func commands() []command {
	return []command{
		{"demo", "run a job on a broker and a folder, kill it, verify its output, then hunt the same job in the simulator", demo},
		{"fuzz", "run seeds of scenarios in the simulator", fuzz},
		{"repro", "repeat one seed, or a scenario file", repro},
		{"shrink", "make a failing scenario file smaller", shrink},
		{"explain", "tell why a scenario file or a seed fails", explain},
		{"scenarios", "list the scenarios", list},
		{"vet", "report what the functions of jobs may not do, without running them", vet},
		{"mutants", "plant known bugs and count the seeds until each is caught", mutants},
		{"fifty", "run 50 workers with 1 TB of state in virtual time, and write the page about it", fifty},
		{"broker", "run the embedded broker in this process, until its standard input ends", serve},
		{"doctor", "ask brokers and bucket for what a job builds on, and judge", examine},
		{"txn", "list or abort the open transactions of jobs", transactions},
	}
}

func main() {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild(os.Args[1:]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		if len(args) == 1 {
			usage(stdout)
			return 0
		}
		args = append(args[1:], "-h")
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		code, err := c.run(args[1:], stdout, stderr)
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		if err != nil {
			fmt.Fprintf(stderr, "weir %s: %v\n", c.name, err)
			return exitUsage
		}
		return code
	}
	fmt.Fprintf(stderr, "weir: there is no command %q; see weir help\n", args[0])
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "weir runs stream jobs exactly once, and proves it in a seeded simulator.\n\nusage: weir COMMAND [flags]")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.about)
	}
	fmt.Fprintln(w, "\nexit codes: 0 pass, 1 violation, 2 usage, 3 unknown, 4 nondeterministic, 5 stale scenario, 6 vacuous, 130 interrupted\ndoctor: 0 clean, 1 a finding breaks exactly-once, 2 a job would not start or something could not be asked")
}

// flags is a flag set that reports problems as errors, and help to stderr.
func flags(name string, stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("weir "+name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	return fs
}

// parse parses args, of which none may be left over. Package flag would tell an error and all flags before it returns
// the error: it is told once.
func parse(fs *flag.FlagSet, args []string) error {
	stderr := fs.Output()
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	fs.SetOutput(stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.Usage()
		return err
	case err != nil:
		return fmt.Errorf("%w; see %s -h", err, fs.Name())
	case fs.NArg() > 0:
		return fmt.Errorf("argument %q is not a flag; see %s -h", fs.Arg(0), fs.Name())
	}
	return nil
}

// seed is a flag that reads decimal or 0x hex.
type seed uint64

// String implements flag.Value.
func (s *seed) String() string { return hex(uint64(*s)) }

// Set implements flag.Value.
func (s *seed) Set(text string) error {
	digits, base := text, 10
	if rest, ok := strings.CutPrefix(text, "0x"); ok {
		digits, base = rest, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return errors.New("a seed is a number of 64 bits, decimal or 0x hex")
	}
	*s = seed(n)
	return nil
}
