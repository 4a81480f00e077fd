package simtest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"weir/faults"
)

const (
	// failFolder is where the fail files of a package's tests are, a folder for each test.
	failFolder = "testdata/weir"
	failSuffix = ".fail"
	failHead   = "weir fail file 1"
)

// failFile is a seed that failed once, with the faults that it needs. Everything about how that stands in a file is here.
type failFile struct {
	path   string
	test   string
	seed   uint64
	broken string // the invariant
	faults []faults.ID
}

// folderOf is where fail files of a test are.
func folderOf(test string) string {
	clean := func(r rune) rune {
		if strings.ContainsRune(`\:*?"<>| `, r) {
			return '_'
		}
		return r
	}
	return failFolder + "/" + strings.Map(clean, strings.ReplaceAll(test, "..", "__"))
}

// String is the file's text.
func (f *failFile) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\ntest %s\nseed %#x\nbroken %s\n", failHead, f.test, f.seed, f.broken)
	for _, id := range f.faults {
		fmt.Fprintf(&b, "fault %v\n", id)
	}
	return b.String()
}

// write writes the file into the folder of its test.
func (f *failFile) write() error {
	dir := folderOf(f.test)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	f.path = fmt.Sprintf("%s/%#x%s", dir, f.seed, failSuffix)
	return os.WriteFile(f.path, []byte(f.String()), 0o666)
}

// readFail reads a fail file. Errors name file and line.
func readFail(path string) (*failFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &failFile{path: path}
	lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	if strings.TrimSpace(lines[0]) != failHead {
		return nil, fmt.Errorf("%s:1: a fail file begins with %q", path, failHead)
	}
	seeded := false
	for i, line := range lines[1:] {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		seeded = seeded || word == "seed"
		if err := f.field(word, strings.TrimSpace(rest)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+2, err)
		}
	}
	if !seeded || f.test == "" {
		return nil, fmt.Errorf("%s:1: a test and a seed are needed", path)
	}
	return f, nil
}

func (f *failFile) field(word, rest string) (err error) {
	switch word {
	case "", "#":
	case "test":
		f.test = rest
	case "seed":
		if f.seed, err = strconv.ParseUint(rest, 0, 64); err != nil {
			err = fmt.Errorf("seed %q is no number below 2^64", rest)
		}
	case "broken":
		f.broken = rest
	case "fault":
		var id faults.ID
		id, err = faults.ParseID(rest)
		f.faults = append(f.faults, id)
	default:
		err = fmt.Errorf("there is no field %q: test, seed, broken and fault are known", word)
	}
	return err
}

// failsOf reads all fail files of a test, by name.
func failsOf(test string) (files []*failFile, err error) {
	entries, err := os.ReadDir(folderOf(test))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), failSuffix) {
			continue
		}
		f, wrong := readFail(folderOf(test) + "/" + e.Name())
		if wrong != nil {
			err = errors.Join(err, wrong)
			continue
		}
		files = append(files, f)
	}
	return files, err
}
