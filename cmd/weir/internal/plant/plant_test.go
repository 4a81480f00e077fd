package plant

import (
	"os"
	"slices"
	"testing"

	"weir/faults/mutants"
	"weir/reports"
)

// TestMutants hunts the first eight bugs from one start. With WEIR_MUTANTS=all it hunts all, as weir mutants does. If
// one escapes, the simulator no longer gets to where it does harm, or no longer looks.
func TestMutants(t *testing.T) {
	list, h := mutants.First(), Hunt{Seeds: 3000, Starts: 1, Workers: 1}
	if os.Getenv("WEIR_MUTANTS") == "all" {
		list, h = mutants.All(), Hunt{Seeds: 10_000, Starts: 5, Workers: 2}
	}
	if testing.Short() {
		t.Skip("builds a program for each bug")
	}
	f, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = f.All(&h, list, func(m *mutants.Mutant, found []mutants.Found) {
		if r := Row(m, found); r.Caught {
			t.Log(r.Row())
		} else {
			t.Errorf("%s was not caught from every start in %d seeds: %s", m.Name, h.Seeds, m.Breaks)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Unpatched(&h); err != nil || got != reports.Pass {
		t.Errorf("without a bug: %s %v", got, err)
	}
}

func TestRow(t *testing.T) {
	for _, c := range []struct {
		with, alone []int
		want        []int // median and maximum of each
		caught      bool
	}{
		{[]int{7}, []int{9}, []int{7, 7, 9, 9}, true},
		{[]int{5, 1, 3}, []int{mutants.Never, 4, 2}, []int{3, 5, 4, mutants.Never}, true},
		{[]int{5, mutants.Never, 3}, []int{mutants.Never, mutants.Never, 2}, []int{5, mutants.Never, mutants.Never, mutants.Never}, false},
	} {
		var found []mutants.Found
		for i := range c.with {
			found = append(found, mutants.Found{With: mutants.Catch{Seeds: c.with[i], Broken: "cut"}, Alone: mutants.Catch{Seeds: c.alone[i]}})
		}
		r := Row(&mutants.Mutant{Name: "m"}, found)
		if got := []int{r.SeedsMedian, r.SeedsMax, r.AloneMedian, r.AloneMax}; !slices.Equal(got, c.want) || r.Caught != c.caught || len(r.CaughtBy) != 1 {
			t.Errorf("%v %v: %+v", c.with, c.alone, r)
		}
	}
}

// TestBuildRefuses: a bug that does not compile says so and names itself.
func TestBuildRefuses(t *testing.T) {
	f, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := mutants.Mutant{Name: "nonsense", Edits: []mutants.Edit{{File: "protocol/align/doc.go", Old: "package align", New: "package other"}}}
	if _, err := f.Build(&m); err == nil {
		t.Error("built")
	}
}
