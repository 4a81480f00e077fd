package plant

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/faults/mutants"
	"weir/scenarios"
)

// TestRegressionsCatch: a scenario file that is kept for a planted bug fails with it. With WEIR_MUTANTS=all: each builds
// a program.
func TestRegressionsCatch(t *testing.T) {
	if os.Getenv("WEIR_MUTANTS") != "all" {
		t.Skip("set WEIR_MUTANTS=all")
	}
	list, err := scenarios.Regressions()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	planted := 0
	for _, r := range list {
		m, ok := mutants.Named(r.Name)
		if !ok {
			continue
		}
		planted++
		weir, err := f.BuildProgram(&m, "./cmd/weir")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(f.root, "scenarios", "regressions", r.Name+".scenario")
		if said := string(either(t, weir, "repro", file)); !strings.Contains(said, "\nFAIL ") {
			t.Errorf("%s passes with its bug:\n%s", r.Name, said)
		}
	}
	if planted < 10 {
		t.Errorf("only %d files are kept for planted bugs", planted)
	}
}
