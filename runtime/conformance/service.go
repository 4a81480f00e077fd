package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Asked is the environment variable that names, separated by commas, what tests may start.
const Asked = "WEIR_CONFORMANCE"

// Need skips a test, with the reason, unless the environment asks for all these words.
func Need(t testing.TB, words ...string) {
	t.Helper()
	if !asked(words...) {
		t.Skipf("needs a real service that was not asked for: set %s=%s", Asked, strings.Join(words, ","))
	}
}

func asked(words ...string) bool {
	said := strings.Split(os.Getenv(Asked), ",")
	return !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(said, w) })
}

// runScript runs one of this folder's scripts and returns the last line that it prints.
func runScript(name string, env []string, args ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, "runtime", "conformance", name), args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], nil
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
			return "", errors.New("conformance: there is no go.mod at or above the working directory; run tests in weir's tree")
		}
	}
}

// freePort is a port that is free, and so are the ones above it by these distances. It lies below the ports that
// systems give to clients.
func freePort(distances ...int) int {
	for {
		port := 20000 + rand.IntN(10000)
		if !slices.ContainsFunc(append(distances, 0), func(d int) bool { return !free(port + d) }) {
			return port
		}
	}
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// owner makes a service end with this process.
func owner() string { return fmt.Sprintf("OWNER=%d", os.Getpid()) }

// tail is the end of a file, for the log of a test that failed.
func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}
