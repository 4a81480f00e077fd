package main

import (
	"io"
	"strings"
	"testing"

	"weir/scenarios"
)

// The page of a job a twentieth as large does not depend on how many runs there are at a time.
func TestFiftyPage(t *testing.T) {
	f := scenarios.DefaultFifty()
	f.Workers, f.Partitions, f.Octaves, f.Rate = 5, 10, 25, 50_000
	f.Model.BucketIn, f.Model.BucketOut = f.Model.BucketIn/20, f.Model.BucketOut/20
	var first string
	for _, workers := range []int{1, 3} {
		s := newFiftyStudy(f, 7)
		s.run(workers, io.Discard)
		if code := s.verdict(t.Output()); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		page := s.page()
		if first == "" {
			first = page
		}
		if page != first {
			t.Errorf("the page of %d workers differs:\n%s\n%s", workers, page, first)
		}
	}
	if n := strings.Count(first, "10 of 10, pass"); n != 6+len(fiftyIntervals) {
		t.Errorf("%d rows passed:\n%s", n, first)
	}
}
