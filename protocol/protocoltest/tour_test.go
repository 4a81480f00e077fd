package protocoltest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTour: the guided tour in ARCHITECTURE.md leads through every trace, once, and every trace says first what it is about.
func TestTour(t *testing.T) {
	page, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(page), "## The guided tour\n")
	tour, _, _ = strings.Cut(tour, "\n## ")
	visits := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^- .*?`(\\d\\d)`").FindAllStringSubmatch(tour, -1) {
		visits[m[1]]++
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile("testdata/" + f.Name())
		number, _, _ := strings.Cut(f.Name(), "_")
		if err != nil || !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not begin with a comment, %v", f.Name(), err)
		}
		if visits[number] != 1 {
			t.Errorf("the tour visits %s %d times", f.Name(), visits[number])
		}
		delete(visits, number)
	}
	for number := range visits {
		t.Errorf("the tour visits %s, which is not there", number)
	}
}
