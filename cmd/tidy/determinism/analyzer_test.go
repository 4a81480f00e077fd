package determinism

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFixture holds the analyzer to the comments of testdata/a: "want" and the
// rules that fire on its line, and no others.
func TestFixture(t *testing.T) {
	findings, err := Check(".", "./testdata/a")
	if err != nil {
		t.Fatal(err)
	}
	var got []string // as wants prints them
	fired := map[string]bool{}
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%s:%d: %s", filepath.Base(f.File), f.Line, f.Rule))
		fired[f.Rule] = true
		t.Log(f)
	}
	want := append(wants(t, "testdata/a/a.go"), "tagged.go:1: buildtag")
	slices.Sort(got)
	slices.Sort(want)
	if len(got) != len(want) {
		t.Errorf("got %d findings, want %d", len(got), len(want))
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("unwanted: %s", g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("missing:  %s", w)
		}
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`(?m)^//\t(\w+)  `).FindAllSubmatch(doc, -1)
	if len(rules) != 9 {
		t.Errorf("doc.go lists the rules %s, want 9", rules)
	}
	for _, r := range rules {
		if !fired[string(r[1])] {
			t.Errorf("no fixture makes rule %s fire", r[1])
		}
	}
}

// wants reads the comments of a fixture: "file:line: rule" for each.
func wants(t *testing.T, name string) (out []string) {
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(src), "\n") {
		_, rules, _ := strings.Cut(line, "want ")
		rules, _, _ = strings.Cut(rules, "*/")
		for _, r := range strings.Fields(rules) {
			out = append(out, fmt.Sprintf("%s:%d: %s", filepath.Base(name), i+1, r))
		}
	}
	return out
}

func TestBroken(t *testing.T) {
	findings, err := Check(".", "./testdata/broken", "./testdata/missing")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, f := range findings {
		rules = append(rules, fmt.Sprintf("%s:%d: %s", filepath.Base(f.File), f.Line, f.Rule))
	}
	if want := []string{"broken.go:4: typecheck", ".:1: typecheck"}; !slices.Equal(rules, want) {
		t.Errorf("got %q, want %q", rules, want)
	}
}
