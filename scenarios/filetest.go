package scenarios

import (
	"fmt"
	"regexp"
	"strings"
)

// ParseTest is ParseFile for a run of a user's test. If the file is of another one, the error wraps OtherTest.
func ParseTest(name string, text []byte, test *Scenario) (*File, error) {
	return parseFile(name, text, test)
}

// OtherTest is the name of the test that a file is of, if it is not the one that reads it.
type OtherTest string

func (o OtherTest) Error() string {
	return fmt.Sprintf("it is a run of test %q, which alone knows the job: repeat it in the folder of its package, go test -run '%s' -weir.replay=FILE", string(o), RunPattern(string(o)))
}

// RunPattern is what go test -run takes for one test or subtest; it can stand between single quotes.
func RunPattern(test string) string {
	parts := strings.Split(test, "/")
	for i := range parts {
		parts[i] = "^" + strings.ReplaceAll(regexp.QuoteMeta(parts[i]), "'", ".") + "$"
	}
	return strings.Join(parts, "/")
}

// tested binds a file to the test that reads it, which alone knows the job.
func (r *fileReader) tested(name string) error {
	if name == "" || len(name) > mostName || strings.ContainsAny(name, " \t") {
		return fmt.Errorf("%.40q is no name of a test, of 1 to %d bytes without spaces", name, mostName)
	}
	if r.test == nil || r.test.Name != name {
		return OtherTest(name)
	}
	return r.bind(r.test)
}

func (r *fileReader) bind(s *Scenario) error {
	if r.scenario != nil {
		return fmt.Errorf("a file is of one run: this is the second scenario or test that is named")
	}
	r.f.Scenario, r.f.scenario, r.scenario = s.Name, s, s
	return nil
}

// subject is the word that has named what the file is a run of.
func (r *fileReader) subject() string {
	if r.test != nil {
		return "test"
	}
	return "scenario"
}
