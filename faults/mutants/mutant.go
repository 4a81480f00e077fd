package mutants

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Mutant is one planted bug.
type Mutant struct {
	Name      string
	Breaks    string // the rule that no longer holds, and what follows
	StandsFor string // the real bug it is like, by id or source; "" if we made it up
	Unseen    string // why no reader of the output can see it; "" if one can
	Edits     []Edit
}

// Edit replaces a text that occurs exactly once in a file.
type Edit struct {
	File     string // path from the module's root, with slashes
	Old, New string
}

// Source is a file as a mutant makes it.
type Source struct {
	File string
	Text []byte
}

// All is every mutant that must be caught: the first ones, which each test run hunts, then the others.
func All() []Mutant {
	return slices.Concat(First(), Commits(), Barriers(), Recoveries(), More(), Others())
}

// Named is the mutant of a name.
func Named(name string) (Mutant, bool) {
	for _, m := range All() {
		if m.Name == name {
			return m, true
		}
	}
	return Mutant{}, false
}

// Files lists the files that m changes, each once.
func (m *Mutant) Files() (list []string) {
	for _, e := range m.Edits {
		if !slices.Contains(list, e.File) {
			list = append(list, e.File)
		}
	}
	return list
}

// Apply makes m's sources from the files that read reads.
func (m *Mutant) Apply(read func(file string) ([]byte, error)) (list []Source, err error) {
	for _, file := range m.Files() {
		text, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
		}
		out, err := m.patch(file, string(text))
		if err != nil {
			return nil, fmt.Errorf("mutant %s does not fit %s any more, patch it anew: %w", m.Name, file, err)
		}
		list = append(list, Source{file, []byte(out)})
	}
	return list, nil
}

func (m *Mutant) patch(file, text string) (string, error) {
	for _, e := range m.Edits {
		if e.File != file {
			continue
		}
		switch n := strings.Count(text, e.Old); {
		case n != 1:
			return "", fmt.Errorf("this occurs %d times, not once:\n%s", n, e.Old)
		case e.Old == e.New:
			return "", errors.New("an edit changes nothing")
		}
		text = strings.Replace(text, e.Old, e.New, 1)
	}
	return text, nil
}
