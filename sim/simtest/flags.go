package simtest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
)

const (
	seedFlag  = "weir.seed"
	seedEnv   = "WEIR_SEED"
	seedsFlag = "weir.seeds"
	seedsEnv  = "WEIR_SEEDS"
)

func init() {
	flag.String(seedFlag, "", "simtest: run this seed only, decimal or 0x hex (or "+seedEnv+")")
	flag.String(seedsFlag, "", "simtest: seeds of each test (or "+seedsEnv+")")
}

// setting is what a flag says or, if it is not given, its twin in the environment; by is which of them.
func setting(name, env string) (text, by string) {
	if text = flag.Lookup(name).Value.String(); text != "" {
		return text, "-" + name
	}
	return os.Getenv(env), env
}

// choose returns the first seed and the number of seeds.
func (c *check) choose() (first uint64, n int, err error) {
	if text, by := setting(seedFlag, seedEnv); text != "" {
		if first, err = strconv.ParseUint(text, 0, 64); err != nil {
			return 0, 0, fmt.Errorf("%s is %q: it must be a seed, decimal or 0x hex, below 2^64", by, text)
		}
		return first, 1, nil
	}
	n = c.seeds
	if testing.Short() {
		n = cmp.Or(n/5, 1)
	}
	if text, by := setting(seedsFlag, seedsEnv); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			return 0, 0, fmt.Errorf("%s is %q: it must be a number of seeds above zero", by, text)
		}
	}
	return 0, n, nil
}
