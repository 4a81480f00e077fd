package localfs

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"weir/protocol"
)

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logBuffer) want(t *testing.T, parts ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range parts {
		if !strings.Contains(l.buf.String(), p) {
			t.Errorf("the log does not say %q:\n%s", p, l.buf.String())
		}
	}
}

// spy stands between the device and fsync. It notes what is synced, and fails on names that have bad in them.
type spy struct {
	mu    sync.Mutex
	names []string
	bad   string
}

func (s *spy) sync(f *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := f.Name()
	if strings.Contains(name, own) {
		name = "file"
	}
	s.names = append(s.names, name)
	if s.bad != "" && name == s.bad {
		return &os.PathError{Op: "sync", Path: name, Err: syscall.EIO}
	}
	return f.Sync()
}

func (s *spy) take() []string {
	defer func() { s.names = nil }()
	return s.names
}

// TestSyncsBeforeOK checks that every outcome a caller may build on comes after the syncs that make it last.
func TestSyncsBeforeOK(t *testing.T) {
	dir := t.TempDir()
	d, s := open(t, dir), &spy{}
	d.sync = s.sync
	want := func(what string, names []string) {
		t.Helper()
		got := s.take()
		for i := range got {
			if got[i] != "file" {
				got[i] = relative(dir, got[i])
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s synced %q, want %q", what, got, names)
		}
	}
	v := wantStore(t, d, "data/1/x", "x", "", protocol.OK)
	want("create", []string{"file", "data/1", "data", "."})
	wantStore(t, d, "data/1/x", "y", "", protocol.Conflict)
	want("conflict", []string{"file", "data/1", "data", "."})
	wantStore(t, d, "data/1/x", "y", v, protocol.OK)
	want("replace", []string{"file", "data/1", "data", "."})
	wantLoad(t, d, "data/1/x", protocol.OK, "y")
	want("load", []string{"data/1", "data", "."})
	wantDelete(t, d, "data/1/x", protocol.OK)
	want("delete", []string{"data/1"})
}

func relative(dir, name string) string {
	if filepath.IsAbs(name) {
		name, _ = filepath.Rel(dir, name)
	}
	return filepath.Clean(name)
}

func TestFailedSyncOfFile(t *testing.T) {
	log := &logBuffer{}
	d, err := OpenWith(t.TempDir(), Options{Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	v := wantStore(t, d, "HEAD", "old", "", protocol.OK)
	s := &spy{bad: "file"}
	d.sync = s.sync
	wantStore(t, d, "HEAD", "new", v, protocol.Unknown)
	log.want(t, "input/output error", "HEAD", "look at the disk")
	wantLoad(t, d, "HEAD", protocol.OK, "old")
	s.bad = ""
	wantStore(t, d, "HEAD", "new", v, protocol.OK)
}

// TestFailedSyncOfFolder: the second sync of a folder may succeed though the first one lost the name, so the device must
// not believe it.
func TestFailedSyncOfFolder(t *testing.T) {
	log := &logBuffer{}
	dir := t.TempDir()
	d, err := OpenWith(dir, Options{Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	v := wantStore(t, d, "a/HEAD", "old", "", protocol.OK)
	s := &spy{}
	d.sync = func(f *os.File) error { return s.sync(f) }
	s.bad = filepath.Join(dir, "a")
	wantStore(t, d, "a/HEAD", "new", v, protocol.Unknown)
	s.bad = ""
	wantStore(t, d, "other", "x", "", protocol.Unknown)
	wantDelete(t, d, "other", protocol.Unknown)
	if got := ask[protocol.Loaded](t, d, protocol.Load{Key: "a/HEAD"}); got.Outcome != protocol.Unknown || got.Body != nil {
		t.Errorf("load after a failed sync: %s %q", got.Outcome, got.Body)
	}
	log.want(t, "start the process anew", "out of use")
	again := open(t, dir)
	if got := ask[protocol.Loaded](t, again, protocol.Load{Key: "a/HEAD"}); got.Outcome != protocol.OK {
		t.Errorf("another device: %s", got.Outcome)
	}
}

func TestOutcomeOfErrors(t *testing.T) {
	for err, want := range map[error]protocol.Outcome{
		syscall.ENOSPC: protocol.Unknown, syscall.EDQUOT: protocol.Unknown, syscall.EIO: protocol.Unknown, syscall.EMFILE: protocol.Unknown,
		syscall.EACCES: protocol.Denied, syscall.EPERM: protocol.Denied, syscall.EROFS: protocol.Denied,
		errLocked: protocol.Unknown, errors.New("else"): protocol.Unknown,
	} {
		if got := outcomeOf(&os.PathError{Err: err}); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

func BenchmarkReplaceHEAD(b *testing.B) {
	for _, c := range []struct {
		name   string
		unsafe bool
	}{{"fsync", false}, {"unsafe", true}} {
		b.Run(c.name, func(b *testing.B) {
			d, err := OpenWith(b.TempDir(), Options{Logger: quiet(), Unsafe: c.unsafe})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			body := strings.Repeat("h", 1000)
			v := wantStore(b, d, "job/HEAD", body, "", protocol.OK)
			for b.Loop() {
				v = wantStore(b, d, "job/HEAD", body, v, protocol.OK)
			}
		})
	}
}
