package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fidelity:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, "reports", "fidelity")
	switch {
	case len(args) == 2 && args[0] == "record":
		return record(os.Stdin, os.Stderr, dir, args[1])
	case len(args) == 1 && args[0] == "write":
		r, err := read(dir)
		if err != nil {
			return err
		}
		text, err := r.render()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(root, "reports", "fidelity.md"), []byte(text), 0o644)
	}
	fmt.Fprintln(os.Stderr, "usage: fidelity record ARM <verdicts-of-go-test-json | fidelity write")
	os.Exit(2)
	return nil
}

// moduleRoot is the folder of go.mod, at or above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("there is no go.mod at or above the working directory; run it in weir's tree")
		}
	}
}
