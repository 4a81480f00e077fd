package simtest

import (
	"flag"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name                                   string
		seedFlag, seedEnv, seedsFlag, seedsEnv string
		first                                  uint64
		n                                      int
		wrong                                  string
	}{
		{name: "default", n: 50},
		{name: "seed, hex", seedFlag: "0x2a", first: 42, n: 1},
		{name: "seed, decimal", seedFlag: "42", first: 42, n: 1},
		{name: "seed, the largest", seedEnv: "0xffffffffffffffff", first: 1<<64 - 1, n: 1},
		{name: "seed, both", seedFlag: "1", seedEnv: "2", first: 1, n: 1},
		{name: "seed and seeds", seedEnv: "7", seedsFlag: "9", first: 7, n: 1},
		{name: "seeds", seedsFlag: "9", n: 9},
		{name: "seeds, environment", seedsEnv: "10", n: 10},
		{name: "seeds, both", seedsFlag: "9", seedsEnv: "10", n: 9},
		{name: "no seed", seedFlag: "x", wrong: `-weir.seed is "x": it must be a seed`},
		{name: "no seed, environment", seedEnv: "-1", wrong: `WEIR_SEED is "-1": it must be a seed`},
		{name: "no number", seedsFlag: "1e3", wrong: `-weir.seeds is "1e3": it must be a number`},
		{name: "no seeds", seedsEnv: "0", wrong: `WEIR_SEEDS is "0": it must be a number`},
	} {
		t.Run(c.name, func(t *testing.T) {
			set(t, "weir.seed", c.seedFlag)
			set(t, "weir.seeds", c.seedsFlag)
			set(t, "test.short", "false")
			t.Setenv("WEIR_SEED", c.seedEnv)
			t.Setenv("WEIR_SEEDS", c.seedsEnv)
			p, err := (&check{t: t, seeds: 50}).choose()
			first, n := p.first, p.seeds
			switch {
			case c.wrong != "":
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("got %v, want %q", err, c.wrong)
				}
			case first != c.first || n != c.n || err != nil:
				t.Errorf("got %d seeds from %#x, %v; want %d from %#x", n, first, err, c.n, c.first)
			}
		})
	}
}

func TestShort(t *testing.T) {
	set(t, "test.short", "true")
	set(t, "weir.seeds", "")
	for seeds, want := range map[int]int{200: 40, 4: 1} {
		p, _ := (&check{t: t, seeds: seeds}).choose()
		if n := p.seeds; n != want {
			t.Errorf("%d of %d seeds, want %d", n, seeds, want)
		}
	}
}

// set sets a flag for the test.
func set(t *testing.T, name, text string) {
	f := flag.Lookup(name)
	old := f.Value.String()
	if err := f.Value.Set(text); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Value.Set(old) })
}

func TestCommandOfASubtest(t *testing.T) {
	f := failure{name: "TestX/a_case"}
	f.Seed = 1 << 63
	if got, want := f.again()[0], `again  go test ./sim/simtest -run '^TestX$/^a_case$' -weir.seed=0x8000000000000000`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	t.Chdir("../..")
	if got := folder(); got != "." {
		t.Errorf("the root of the module is %q", got)
	}
	t.Chdir("/")
	if got := folder(); got != "." {
		t.Errorf("outside a module: %q", got)
	}
}
