package scenarios

import (
	"embed"
	"fmt"
	"strings"
)

//tidy:allow pkgvar the compiler fills it and nobody writes to it
//go:embed regressions/*.scenario
var regressions embed.FS

// Regression is a scenario file that is kept, because it failed once: it must come out as it says.
type Regression struct {
	Name string // of the file, without its ending
	*File
}

// Regressions are the files of folder regressions, by name.
func Regressions() (list []Regression, err error) {
	files, err := regressions.ReadDir("regressions")
	if err != nil {
		return nil, err
	}
	for _, each := range files {
		path := "scenarios/regressions/" + each.Name()
		text, err := regressions.ReadFile("regressions/" + each.Name())
		if err != nil {
			return nil, err
		}
		f, err := ParseFile(path, text)
		if err != nil {
			return nil, err
		}
		list = append(list, Regression{strings.TrimSuffix(each.Name(), ".scenario"), f})
	}
	return list, nil
}

// Repeat runs it and says how it comes out otherwise than it should, or nil.
func (r *Regression) Repeat() (Outcome, error) {
	o := r.Run(Watching{})
	switch {
	case o.Sort() != r.Expect:
		return o, fmt.Errorf("regression %s: it should come out as %q, and comes out as %q: %s", r.Name, r.Expect, o.Sort(), o.Message)
	case len(o.Run.Missed) > 0:
		return o, fmt.Errorf("regression %s is stale: %s did not strike; if the code has changed, weir repro --pin writes it anew", r.Name, o.Run.Missed[0].String())
	}
	return o, nil
}
