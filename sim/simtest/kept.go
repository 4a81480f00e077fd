package simtest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"weir/scenarios"
)

const (
	// keptFolder is where a package's tests keep the runs that failed, each test in a folder of its own.
	keptFolder = "testdata/weir"
	keptSuffix = ".scenario"
	// mostRuns bounds a shrink beside its time.
	mostRuns = 1000
)

// kept is a run that failed once, in its file.
type kept struct {
	path string
	*scenarios.File
}

// folderOf is where the files of a test are.
func folderOf(test string) string {
	clean := func(r rune) rune {
		if strings.ContainsRune(`\:*?"<>| `, r) {
			return '_'
		}
		return r
	}
	return keptFolder + "/" + strings.Map(clean, strings.ReplaceAll(test, "..", "__"))
}

// read reads a file of this test. Errors name file and line.
func (c *check) read(path string) (k kept, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return k, err
	}
	if info.Size() > scenarios.MostBytes {
		return k, fmt.Errorf("%s: %d bytes are too many for a scenario, of at most %d", path, info.Size(), scenarios.MostBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return k, err
	}
	f, err := scenarios.ParseTest(path, text, &c.scenario)
	return kept{path, f}, err
}

// keptOnes reads all files of this test, by name.
func (c *check) keptOnes() (files []kept, err error) {
	folder := folderOf(c.t.Name())
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), keptSuffix) {
			continue
		}
		k, wrong := c.read(folder + "/" + e.Name())
		if wrong != nil {
			err = errors.Join(err, wrong)
			continue
		}
		files = append(files, k)
	}
	return files, err
}

// keep makes a failing seed as small as there is time for, and writes it into a file of this test.
func (c *check) keep(seed uint64) (k kept, told string, err error) {
	file, _ := c.scenario.File(seed, scenarios.Options{Limit: c.limit})
	s, err := scenarios.NewShrink(file, mostRuns)
	if err != nil {
		return k, "", err
	}
	s.Over = stopwatch(c.shrinkTime)
	s.Run()
	if err := s.Check(); err != nil {
		return k, "", err
	}
	o := s.Best.Run(scenarios.Watching{})
	s.Best.Comment = s.Best.Words(&o, s.String())
	sort := strings.ReplaceAll(strings.TrimPrefix(o.Sort(), "fail "), " ", "-")
	k = kept{fmt.Sprintf("%s/%s-%#x%s", folderOf(c.t.Name()), sort, seed, keptSuffix), s.Best}
	if err := os.MkdirAll(folderOf(c.t.Name()), 0o777); err != nil {
		return k, s.String(), err
	}
	return k, s.String(), os.WriteFile(k.path, []byte(k.String()), 0o666)
}

// rerun runs what failed before, first of all.
func (c *check) rerun(p *choice) {
	c.t.Helper()
	for _, k := range p.files {
		o, second := k.Run(scenarios.Watching{}), k.Run(scenarios.Watching{})
		f := &failure{Outcome: o, name: c.t.Name(), old: k.path, digest: second.Run.Digest}
		if told := k.Minimised(); told != "" {
			f.told = append(f.told, told)
		}
		switch {
		case o.Run.Digest != f.digest:
			f.differs = c.difference(k.Seed, scenarios.Options{Limit: c.limit})
			c.t.Fatal(f.String())
		case o.Broken != "":
			if o.Sort() != k.Expect {
				f.told = append(f.told, fmt.Sprintf("the file expects %q, and now it is %q", k.Expect, o.Sort()))
			}
			f.story = k.Explain(stopwatch(c.shrinkTime))
			c.t.Fatal(f.String())
		case o.Unknown:
			c.t.Fatal(f.String())
		}
		c.passed(&k, &o, p.strict)
	}
}

// passed tells what it means that a kept run passes.
func (c *check) passed(k *kept, o *scenarios.Outcome, strict bool) {
	c.t.Helper()
	gone := o.Run.Missed
	switch {
	case len(gone) > 0 && strict:
		c.t.Fatal(stale(k, o))
	case len(gone) > 0:
		c.t.Logf("%s", stale(k, o))
	case k.Expect != "pass":
		c.t.Logf("%s passes now, with all its %d faults: what failed once is mended; keep it as a test, or delete it", k.path, len(k.Plan))
	}
}

// stale says that a run shows nothing any more.
func stale(k *kept, o *scenarios.Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "STALE: %s passes, but %d of its %d faults do not strike any more: the job or weir has changed since, and it may show nothing. Delete it: if the bug is still there, a seed finds it anew.", k.path, len(o.Run.Missed), len(k.Plan))
	for i := range o.Run.Missed {
		fmt.Fprintf(&b, "\n  did not strike: %s", o.Run.Missed[i].String())
	}
	return b.String()
}

// stopwatch bounds what may take as long as the wall clock says. What is found within the bound is the same each time; how
// much is found depends on the machine.
func stopwatch(bound time.Duration) (over func() bool) {
	began := time.Now()                                     //tidy:allow clock tests are bounded by real time
	return func() bool { return time.Since(began) > bound } //tidy:allow clock tests are bounded by real time
}
