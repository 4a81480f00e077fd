package simtest

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"weir/scenarios"
)

const (
	seedFlag   = "weir.seed"
	seedEnv    = "WEIR_SEED"
	seedsFlag  = "weir.seeds"
	seedsEnv   = "WEIR_SEEDS"
	timeFlag   = "weir.time"
	timeEnv    = "WEIR_TIME"
	replayFlag = "weir.replay"
	replayEnv  = "WEIR_REPLAY"
	strictFlag = "weir.strict"
	strictEnv  = "WEIR_STRICT"
	shrinkFlag = "weir.shrinktime"
	shrinkEnv  = "WEIR_SHRINKTIME"

	// usualShrink is how long a failing seed is shrunk.
	usualShrink = 5 * time.Second
)

func init() {
	flag.String(seedFlag, "", "simtest: run this seed only, decimal or 0x hex (or "+seedEnv+")")
	flag.String(seedsFlag, "", "simtest: seeds of each test (or "+seedsEnv+")")
	flag.String(timeFlag, "", "simtest: run seeds of each test for so long, such as 10m, however many they are (or "+timeEnv+")")
	flag.String(replayFlag, "", "simtest: run this scenario file only, or all that the test keeps (or "+replayEnv+")")
	flag.String(strictFlag, "", "simtest: true fails a test that never reached what Sometimes names, or a fault that may strike, or keeps a stale file (or "+strictEnv+")")
	flag.String(shrinkFlag, "", "simtest: how long to make a failure smaller, 5s without it (or "+shrinkEnv+")")
}

// setting is what a flag says or, if it is not given, its twin in the environment; by is which of them.
func setting(name, env string) (text, by string) {
	if text = flag.Lookup(name).Value.String(); text != "" {
		return text, "-" + name
	}
	return os.Getenv(env), env
}

// choice is what a Check runs.
type choice struct {
	first  uint64
	seeds  int           // zero with a time, or with files only
	time   time.Duration // zero: so many seeds
	strict bool
	files  []kept // first
}

// choose reads the flags.
func (c *check) choose() (p choice, err error) {
	if c.shrinkTime, err = period(shrinkFlag, shrinkEnv, usualShrink); err != nil {
		return p, err
	}
	if p.time, err = period(timeFlag, timeEnv, 0); err != nil {
		return p, err
	}
	if text, by := setting(strictFlag, strictEnv); text != "" {
		if p.strict, err = strconv.ParseBool(text); err != nil {
			return p, fmt.Errorf("%s is %q: it must be true or false", by, text)
		}
	}
	if text, by := setting(replayFlag, replayEnv); text != "" {
		p.time, p.strict = 0, true // what is asked for must show something
		p.files, err = c.chosen(text, by)
		return p, err
	}
	if text, by := setting(seedFlag, seedEnv); text != "" {
		p.seeds, p.time = 1, 0
		if p.first, err = strconv.ParseUint(text, 0, 64); err != nil {
			return p, fmt.Errorf("%s is %q: it must be a seed, decimal or 0x hex, below 2^64", by, text)
		}
		return p, nil
	}
	if p.seeds, err = c.number(); p.time > 0 {
		p.seeds = 0
	}
	if err == nil {
		p.files, err = c.keptOnes()
	}
	return p, err
}

// number is how many seeds are run.
func (c *check) number() (n int, err error) {
	n = c.seeds
	if testing.Short() {
		n = cmp.Or(n/5, 1)
	}
	if text, by := setting(seedsFlag, seedsEnv); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			return 0, fmt.Errorf("%s is %q: it must be a number of seeds above zero", by, text)
		}
	}
	return n, nil
}

// chosen is the files that -weir.replay names; a test that it does not name is skipped.
func (c *check) chosen(text, by string) (files []kept, err error) {
	var other scenarios.OtherTest
	if text == "all" {
		files, err = c.keptOnes()
	} else if k, wrong := c.read(text); errors.As(wrong, &other) {
		c.t.Skipf("%s=%s is a run of test %s", by, text, other)
	} else if wrong != nil {
		err = fmt.Errorf("%s: %w", by, wrong)
	} else {
		files = append(files, k)
	}
	if err == nil && len(files) == 0 {
		c.t.Skipf("%s=%s: this test keeps no file", by, text)
	}
	return files, err
}

// period reads a time such as 10s.
func period(name, env string, usual time.Duration) (time.Duration, error) {
	text, by := setting(name, env)
	if text == "" {
		return usual, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s is %q: it must be a time such as 10s, not below zero", by, text)
	}
	return d, nil
}
