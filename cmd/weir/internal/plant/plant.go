package plant

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"weir/faults/mutants"
)

// hunter is the program that is built.
const hunter = "./faults/mutants/hunter"

// Field is where the bugs are planted: the source of this module, with Go's tools at hand.
type Field struct {
	root string
	dir  string // for overlays and programs
	// Invariant: reach[k] is the furthest seed that caught a bug, counted from start k.
	reach []int
}

// Open finds the module that contains the working directory. Call Close when done.
func Open() (*Field, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "faults", "mutants", "hunter")); err == nil {
			break
		}
		up := filepath.Dir(root)
		if up == root {
			return nil, errors.New("mutants are built from source: run this inside a checkout of weir")
		}
		root = up
	}
	dir, err := os.MkdirTemp("", "weir-mutants-")
	return &Field{root: root, dir: dir}, err
}

// Close removes what was built.
func (f *Field) Close() { os.RemoveAll(f.dir) }

// Build builds the hunter with m planted, or with nothing for nil, and returns the path of the program.
func (f *Field) Build(m *mutants.Mutant) (string, error) { return f.BuildProgram(m, hunter) }

// BuildProgram builds a program of this module, such as "./cmd/weir", with m planted, or with nothing for nil.
func (f *Field) BuildProgram(m *mutants.Mutant, program string) (string, error) {
	name := "none"
	args := []string{"build", "-buildvcs=false", "-ldflags=-s -w"}
	if m != nil {
		name = m.Name
		overlay, err := f.overlay(m)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	out := filepath.Join(f.dir, name)
	if program != hunter {
		out += "-" + filepath.Base(program)
	}
	cmd := exec.Command("go", append(args, "-o", out, program)...)
	cmd.Dir = f.root
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s with mutant %s: %w\n%s", program, name, err, said)
	}
	return out, nil
}

// overlay writes m's sources and the file that tells the compiler to take them.
func (f *Field) overlay(m *mutants.Mutant) (string, error) {
	list, err := m.Apply(func(file string) ([]byte, error) { return os.ReadFile(f.path(file)) })
	if err != nil {
		return "", err
	}
	var o struct{ Replace map[string]string }
	o.Replace = map[string]string{}
	for i, s := range list {
		to := filepath.Join(f.dir, fmt.Sprintf("%s-%d.go", m.Name, i))
		if err := os.WriteFile(to, s.Text, 0o600); err != nil {
			return "", err
		}
		o.Replace[f.path(s.File)] = to
	}
	text, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	to := filepath.Join(f.dir, m.Name+".json")
	return to, os.WriteFile(to, text, 0o600)
}

func (f *Field) path(file string) string { return filepath.Join(f.root, filepath.FromSlash(file)) }

// Hunt says from where and how far a program hunts.
type Hunt struct {
	Seeds   int // at most, from each start
	Starts  int
	Workers int
	// Alone also hunts with the exactly-once checker alone.
	Alone bool
}

// Start is the first seed of hunt k. Starts lie far apart and begin with different scenarios.
func Start(k int) uint64 { return uint64(k) * 0x1_0000_0001 }

// Run lets program hunt from start k over seeds[k] seeds, and returns what each hunt found.
func (h *Hunt) Run(program string, seeds []int) ([]mutants.Found, error) {
	starts := len(seeds)
	found, errs := make([]mutants.Found, starts), make([]error, starts)
	var next, escaped atomic.Int32
	var wait sync.WaitGroup
	for range min(h.Workers, starts) {
		wait.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= starts {
					return
				}
				// Once it has escaped from most starts the median is known: never.
				alone := h.Alone && int(escaped.Load()) <= starts/2
				found[k], errs[k] = one(program, Start(k), seeds[k], alone)
				if found[k].Alone.Seeds == mutants.Never {
					escaped.Add(1)
				}
			}
		})
	}
	wait.Wait()
	return found, errors.Join(errs...)
}

// one lets program hunt from one start.
func one(program string, first uint64, seeds int, alone bool) (f mutants.Found, err error) {
	cmd := exec.Command(program, strconv.FormatUint(first, 10), strconv.Itoa(seeds), strconv.FormatBool(alone))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("hunt from seed %#x: %w", first, err)
	}
	return f, json.Unmarshal(out, &f)
}
