package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestTree holds this repository to its rules.
func TestTree(t *testing.T) {
	found, err := check("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range found {
		t.Error(b)
	}
}

// TestFixtures runs every rule over the small modules in testdata. Each archive
// ends in the file "want", which has what must be found, and nothing else may be.
func TestFixtures(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range archives {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a := txtar.Parse([]byte(expand(string(src))))
		want := a.Files[len(a.Files)-1]
		all.Write(want.Data)
		t.Run(filepath.Base(name), func(t *testing.T) {
			found, err := check(extract(t, a))
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, b := range found {
				got.WriteString(b.String() + "\n")
			}
			if got.String() != string(want.Data) {
				t.Errorf("got:\n%s\nwant:\n%s", got.String(), want.Data)
			}
		})
	}
	for _, rule := range documented(t, "doc.go") {
		if !strings.Contains(all.String(), ": "+rule+": ") {
			t.Errorf("no fixture makes rule %s fire", rule)
		}
	}
}

// expand lets a fixture hold what no file here may hold, or what is long:
// "<>" vanishes, and "@500 text" stands for 500 lines of text.
func expand(s string) string {
	s = strings.ReplaceAll(s, "<>", "")
	return regexp.MustCompile(`(?m)^@(\d+) (.*\n)`).ReplaceAllStringFunc(s, func(m string) string {
		count, line, _ := strings.Cut(m[1:], " ")
		n, _ := strconv.Atoi(count)
		return strings.Repeat(line, n)
	})
}

func extract(t *testing.T, a *txtar.Archive) (root string) {
	root = t.TempDir()
	a.Files = append(a.Files[:len(a.Files)-1], txtar.File{Name: "go.mod", Data: []byte("module weir\n\ngo 1.26\n")})
	for _, f := range a.Files {
		name := filepath.Join(root, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// documented returns the rules that the package comment lists.
func documented(t *testing.T, name string) (rules []string) {
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w+)  `).FindAllSubmatch(src, -1) {
		rules = append(rules, string(m[1]))
	}
	if len(rules) < 5 {
		t.Fatalf("%s lists the rules %q only", name, rules)
	}
	return rules
}

func TestPolicyGrammar(t *testing.T) {
	for _, c := range []struct{ text, fails string }{
		{"NONE < a < b; a, b < c; b !< a; c !< ...;", ""},
		{"NONE < a < a/b < c; a/... < d; d !< a/...; c !< d; # a/b below d\n", ""},
		{"NONE < a, ab; a/... < c; ab !< c;", ""},
		{"NONE < a < b;\n\n... < c;\na !< c;", "policy.txt:4: a !< c does not hold"},
		{"NONE < a < a/b < c; a/... !< c;", "a/b !< c does not hold"},
		{"NONE < a; b < c;", "b is not defined yet"},
		{"a !< b; NONE < a;", "b is not defined yet"},
		{"NONE < a; x/... < b;", "x/... is not defined yet"},
		{"NONE < a; NONE < a;", "a can't be defined here"},
		{"NONE < a; a < a/...;", "a/... can't be defined here"},
		{"NONE < a; a < NONE;", "NONE can't be defined here"},
		{"NONE < a; a < b", "want a < b; got"},
		{"NONE < a; a b;", "want a < b; got"},
		{"NONE < a; a < b c;", "want one name between commas"},
		{"NONE < a; a,, < b;", "want one name between commas"},
	} {
		_, err := parsePolicy(c.text)
		if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s\ngot %v, want %q", c.text, err, c.fails)
		}
	}
}

// TestPolicyText asks policy.txt about the edges that the design lives by. The
// edges that must not be stand in policy.txt itself.
func TestPolicyText(t *testing.T) {
	p, err := parsePolicy(policyText)
	if err != nil {
		t.Fatal(err)
	}
	for _, edge := range []string{
		"protocol protocol/batch", "sim protocol/job", "sim checker", "scenarios sim", "scenarios cmd/accesslog/job", "scenarios/jobs weir",
		"sim/simtest scenarios", "runtime/host weir", "runtime/embed runtime/localfs", "reports checker", "cmd/weir sim/simtest", "cmd/weir runtime/host",
	} {
		from, to, _ := strings.Cut(edge, " ")
		if !p.below[from][to] {
			t.Errorf("%s may not import %s", from, to)
		}
	}
}
