package mutants

import (
	"go/format"
	"testing"
)

// TestAdaptersApply fails when a line of an adapter that a mutant names has changed. Patch the mutant anew.
func TestAdaptersApply(t *testing.T) {
	for _, m := range Adapters() {
		if _, twice := Named(m.Name); twice || m.Name == "" || m.Breaks == "" {
			t.Errorf("mutant %q: name and rule must be there, and the name unique", m.Name)
		}
		list, err := m.Apply(read)
		if err != nil || len(list) == 0 {
			t.Errorf("%s: %d files, %v", m.Name, len(list), err)
		}
		for _, s := range list {
			if text, err := format.Source(s.Text); err != nil || string(text) != string(s.Text) {
				t.Errorf("mutant %s: %s is not gofmt'ed: %v", m.Name, s.File, err)
			}
		}
	}
}
