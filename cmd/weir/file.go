package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir/scenarios"
)

const (
	scenarioExt = ".scenario"
	// savedIn is the folder for what fails.
	savedIn = "weir-failures"
)

// fileArgs parses flags before and behind one file's name, which may be missing.
func fileArgs(fs *flag.FlagSet, args []string) (name string, err error) {
	for i, a := range args {
		if !strings.HasPrefix(a, "-") && (i == 0 || !takesValue(fs, args[i-1])) {
			return a, parse(fs, append(append([]string{}, args[:i]...), args[i+1:]...))
		}
	}
	return "", parse(fs, args)
}

// takesValue reports whether arg is a flag whose value is the next argument.
func takesValue(fs *flag.FlagSet, arg string) bool {
	f := fs.Lookup(strings.TrimLeft(arg, "-"))
	if f == nil || !strings.HasPrefix(arg, "-") {
		return false
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

// readFile reads a scenario file.
func readFile(name string) (*scenarios.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name a scenario file", name)
	}
	if info.Size() > scenarios.MostBytes {
		return nil, fmt.Errorf("%s: %d bytes are too many for a scenario, of at most %d", name, info.Size(), scenarios.MostBytes)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return scenarios.ParseFile(name, text)
}

// writeFile writes a scenario file, with the failure's words on top.
func writeFile(name string, f *scenarios.File, comment []string) error {
	f.Comment = comment
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(f.String()), 0o644)
}

// seedOrFile are the flags of commands that take a run: a file, or a scenario and a seed.
type seedOrFile struct {
	scenario string
	seed     seed
	given    bool
	file     string
}

func (r *seedOrFile) flags(fs *flag.FlagSet) {
	fs.StringVar(&r.scenario, "scenario", "", "the scenario, with --seed, in place of a file")
	fs.Func("seed", "the seed, decimal or 0x hex", func(text string) error { r.given = true; return r.seed.Set(text) })
}

func (r *seedOrFile) parse(fs *flag.FlagSet, args []string) (err error) {
	if r.file, err = fileArgs(fs, args); err != nil {
		return err
	}
	if seeded := r.scenario != "" && r.given; (r.file != "") == seeded || r.file != "" && (r.scenario != "" || r.given) {
		return errors.New("a FILE is needed, or --scenario and --seed")
	}
	return nil
}
