package localfs

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/protocol"
	"weir/protocol/devicetest"
)

// shelves is a folder of copies.
type shelves struct {
	*harness
	t *testing.T
	c *Copies
}

func openCopies(t *testing.T, dir string, log *slog.Logger) *shelves {
	t.Helper()
	c, err := OpenCopies(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &shelves{&harness{c, time.Now()}, t, c}
}

func TestCopies(t *testing.T) {
	devicetest.TestCopies(t, func(t *testing.T) devicetest.Harness {
		dir := t.TempDir()
		t.Cleanup(func() { // registered first: it runs when the device is closed
			if left, _ := os.ReadDir(filepath.Join(dir, "copies", temps)); len(left) > 0 {
				t.Errorf("%d unfinished files are left", len(left))
			}
			if out, _ := os.ReadDir(dir); len(out) != 1 {
				t.Errorf("something was written outside of the folder: %v", out)
			}
		})
		return openCopies(t, filepath.Join(dir, "copies"), quiet())
	})
}

func (h *shelves) kept(key, body string) {
	h.t.Helper()
	h.Start(protocol.Address{}, protocol.Keep{Shelf: "s", Key: protocol.ObjectKey(key), Object: text(body)})
	h.c.work.busy.Wait()
}

func (h *shelves) recalled(key string) protocol.Recalled {
	h.t.Helper()
	return h.Start(protocol.Address{}, protocol.Recall{Op: 1, Shelf: "s", Key: protocol.ObjectKey(key)})().(protocol.Recalled)
}

func TestCopiesOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	h := openCopies(t, dir, quiet())
	h.kept("k", "body")
	os.WriteFile(filepath.Join(dir, temps, "unfinished"), []byte("half"), fileMode)
	if ev := openCopies(t, dir, quiet()).recalled("k"); string(ev.Body) != "body" {
		t.Fatalf("another process reads %v %q", ev.Outcome, ev.Body)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, temps)); len(left) > 0 {
		t.Errorf("a dead process's unfinished files are left: %v", left)
	}
}

// A disk that cannot be written costs copies, not the job; it is told once, and once more when it is over.
func TestCopiesThatCannotBeWritten(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	h := openCopies(t, dir, slog.New(slog.NewTextHandler(&log, nil)))
	os.Remove(filepath.Join(dir, temps))
	h.kept("a", "body")
	h.kept("b", "body")
	if ev := h.recalled("a"); ev.Outcome != protocol.NotFound {
		t.Errorf("a copy that could not be written: %v", ev.Outcome)
	}
	os.Mkdir(filepath.Join(dir, temps), dirMode)
	h.kept("c", "body")
	if text := log.String(); strings.Count(text, "state is not copied") != 1 || strings.Count(text, "again") != 1 {
		t.Errorf("told:\n%s", text)
	}
}

func TestCopyThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	h := openCopies(t, dir, quiet())
	os.MkdirAll(filepath.Join(dir, "s", "k"), dirMode) // reading a folder fails, for root too
	if ev := h.recalled("k"); ev.Outcome != protocol.Unknown || ev.Body != nil {
		t.Errorf("%+v", ev)
	}
}

func TestOpenCopiesRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, fileMode)
	if _, err := OpenCopies(filepath.Join(file, "x"), quiet()); err == nil || !strings.Contains(err.Error(), "name a folder") {
		t.Errorf("a folder in a file: %v", err)
	}
}

// What is asked of a device that is closed is answered, and not done.
func TestCopiesOfAClosedDevice(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	h := openCopies(t, dir, slog.New(slog.NewTextHandler(&log, nil)))
	h.kept("k", "body")
	h.c.Close()
	h.kept("late", "body")
	if ev := h.recalled("k"); ev.Outcome != protocol.Unknown {
		t.Errorf("recalled %v", ev.Outcome)
	}
	if ev := openCopies(t, dir, quiet()).recalled("late"); ev.Outcome != protocol.NotFound {
		t.Errorf("kept after the end: %v", ev.Outcome)
	}
	if log.Len() > 0 { // an operator need not hear of it
		t.Errorf("told:\n%s", log.String())
	}
}
