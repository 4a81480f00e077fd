package determinism

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestVet holds Vet to the comments of testdata/jobs.
func TestVet(t *testing.T) {
	findings, jobs, err := CheckJobs(".", "./testdata/jobs")
	if err != nil || jobs < 10 {
		t.Fatalf("%d functions, %v", jobs, err)
	}
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%s:%d: %s", filepath.Base(f.File), f.Line, f.Rule))
		t.Log(f)
	}
	want := wants(t, "testdata/jobs/jobs.go")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	src, _ := os.ReadFile("testdata/jobs/jobs.go")
	for _, rule := range []string{"go", "maprange", "clock", "random", "pkgvar", "captured", "allow"} {
		if !strings.Contains(string(src), "// want "+rule) {
			t.Errorf("no fixture makes rule %s fire", rule)
		}
	}
}

// weir's own jobs are clean, and a package without jobs is not taken for clean ones.
func TestVetOnOurOwn(t *testing.T) {
	findings, jobs, err := CheckJobs("../../..", "./cmd/accesslog/job", "./scenarios/jobs")
	if err != nil || len(findings) > 0 || jobs < 20 {
		t.Errorf("%d functions, %v, %v", jobs, findings, err)
	}
	if _, jobs, err := CheckJobs("../../..", "./protocol/align"); err != nil || jobs != 0 {
		t.Errorf("%d functions, %v", jobs, err)
	}
}
