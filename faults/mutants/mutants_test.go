package mutants

import (
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func read(file string) ([]byte, error) {
	return os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
}

// TestApply fails when a line that a mutant names has changed. Patch the mutant anew, so that it breaks the same rule.
func TestApply(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range slices.Concat(All(), Harmless(), Adapters()) {
		if m.Name == "" || m.Breaks == "" || seen[m.Name] {
			t.Errorf("mutant %q: name and rule must be there, and the name unique", m.Name)
		}
		seen[m.Name] = true
		list, err := m.Apply(read)
		if err != nil {
			t.Error(err)
		}
		for _, s := range list {
			if text, err := format.Source(s.Text); err != nil || string(text) != string(s.Text) {
				t.Errorf("mutant %s: %s is not gofmt'ed: %v", m.Name, s.File, err)
			}
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	text := func(string) ([]byte, error) { return []byte("a b a"), nil }
	for _, e := range []Edit{{"f", "a", "c"}, {"f", "x", "c"}, {"f", "b", "b"}} {
		if _, err := (&Mutant{Name: "m", Edits: []Edit{e}}).Apply(text); err == nil {
			t.Errorf("%q for %q: applied", e.New, e.Old)
		}
	}
	list, err := (&Mutant{Name: "m", Edits: []Edit{{"f", "b", "c"}, {"f", "a c", "d"}}}).Apply(text)
	if err != nil || len(list) != 1 || string(list[0].Text) != "d a" {
		t.Errorf("two edits of one file: %v %v", list, err)
	}
}
