package localfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/protocol"

	"pgregory.net/rapid"
)

type text string

func (s text) Encode(dst []byte) []byte { return append(dst, s...) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func open(t testing.TB, dir string) *Device {
	t.Helper()
	d, err := OpenWith(dir, Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// ask performs an effect and waits for its event.
func ask[E protocol.Event](t testing.TB, d *Device, ef protocol.Effect) E {
	t.Helper()
	ch := make(chan protocol.Event, 1)
	d.Perform(protocol.Address{}, ef, func(ev protocol.Event) { ch <- ev })
	select {
	case ev := <-ch:
		return ev.(E)
	case <-time.After(30 * time.Second):
		t.Fatalf("%T was not answered", ef)
		panic("unreachable")
	}
}

func store(t testing.TB, d *Device, key protocol.ObjectKey, body string, match protocol.Version) protocol.Stored {
	t.Helper()
	st := ask[protocol.Stored](t, d, protocol.Store{Op: 7, Key: key, Object: text(body), IfMatch: match})
	if st.Op != 7 || st.Size != int64(len(body)) || st.Sum != sha256.Sum256([]byte(body)) {
		t.Fatalf("store %q: %+v does not tell op, size and sum of what it encoded", key, st)
	}
	if (st.Outcome == protocol.OK) != (st.Version != "") {
		t.Fatalf("store %q: outcome %s with version %q", key, st.Outcome, st.Version)
	}
	return st
}

func wantStore(t testing.TB, d *Device, key protocol.ObjectKey, body string, match protocol.Version, want protocol.Outcome) protocol.Version {
	t.Helper()
	st := store(t, d, key, body, match)
	if st.Outcome != want {
		t.Fatalf("store %q if %q: %s, want %s", key, match, st.Outcome, want)
	}
	return st.Version
}

func wantLoad(t testing.TB, d *Device, key protocol.ObjectKey, want protocol.Outcome, body string) protocol.Version {
	t.Helper()
	ld := ask[protocol.Loaded](t, d, protocol.Load{Op: 9, Key: key})
	if ld.Op != 9 || ld.Outcome != want || string(ld.Body) != body {
		t.Fatalf("load %q: %s %.80q, want %s %.80q", key, ld.Outcome, ld.Body, want, body)
	}
	return ld.Version
}

func wantDelete(t testing.TB, d *Device, key protocol.ObjectKey, want protocol.Outcome) {
	t.Helper()
	if got := ask[protocol.Deleted](t, d, protocol.Delete{Op: 3, Key: key}); got.Outcome != want || got.Op != 3 {
		t.Fatalf("delete %q: %+v, want %s", key, got, want)
	}
}

func TestConditions(t *testing.T) {
	d := open(t, t.TempDir())
	wantLoad(t, d, "HEAD", protocol.NotFound, "")
	wantStore(t, d, "HEAD", "x", "no such version", protocol.Conflict)
	v1 := wantStore(t, d, "HEAD", "one", "", protocol.OK)
	wantStore(t, d, "HEAD", "other", "", protocol.Conflict)
	v2 := wantStore(t, d, "HEAD", "one", v1, protocol.OK)
	if v1 == v2 {
		t.Fatal("equal bytes were given equal versions: a stale writer could win")
	}
	wantStore(t, d, "HEAD", "three", v1, protocol.Conflict)
	if v := wantLoad(t, d, "HEAD", protocol.OK, "one"); v != v2 {
		t.Fatalf("load gives version %q, the store gave %q", v, v2)
	}
	wantDelete(t, d, "HEAD", protocol.OK)
	wantDelete(t, d, "HEAD", protocol.OK)
	wantStore(t, d, "HEAD", "four", v2, protocol.Conflict)
	wantStore(t, d, "HEAD", "one", "", protocol.OK)
	wantStore(t, d, "HEAD", "five", v1, protocol.Conflict)
}

func TestSurvivesReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	d := open(t, dir)
	v := wantStore(t, d, "data/1/2/3/4", strings.Repeat("body", 1<<18), "", protocol.OK)
	wantStore(t, d, "empty", "", "", protocol.OK)
	d.Close()
	d = open(t, dir)
	if got := wantLoad(t, d, "data/1/2/3/4", protocol.OK, strings.Repeat("body", 1<<18)); got != v {
		t.Fatalf("version %q became %q", v, got)
	}
	wantLoad(t, d, "empty", protocol.OK, "")
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "bucket"))
	for _, key := range []protocol.ObjectKey{"", "/", "/a", "a/", "a//b", "HEAD/", protocol.ObjectKey(strings.Repeat("x", 256)), protocol.ObjectKey(strings.Repeat("é", 50))} {
		wantStore(t, d, key, "x", "", protocol.Denied)
		if got := ask[protocol.Loaded](t, d, protocol.Load{Key: key}); got.Outcome != protocol.Denied {
			t.Errorf("load %q: %s", key, got.Outcome)
		}
		wantDelete(t, d, key, protocol.Denied)
	}
	for _, key := range []protocol.ObjectKey{"..", ".", "../../x", "a/../../../x", ".weir/lock/00", ".weir/tmp", "a b", "a\\b", "nul\x00", "%2E", "ü", "C:x"} {
		wantStore(t, d, key, "body of "+string(key), "", protocol.OK)
		wantLoad(t, d, key, protocol.OK, "body of "+string(key))
		wantDelete(t, d, key, protocol.OK)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Fatalf("a key led out of the folder: %v", all)
	}
}

func TestKeyPathsAreDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		pa, errA := pathOf(protocol.ObjectKey(a))
		pb, errB := pathOf(protocol.ObjectKey(b))
		if errA != nil || errB != nil {
			return
		}
		if (a == b) != (pa == pb) {
			t.Fatalf("%q and %q are at %q and %q", a, b, pa, pb)
		}
		if !filepath.IsLocal(pa) || strings.HasPrefix(pa, ".") || strings.Count(pa, "/") != strings.Count(a, "/") {
			t.Fatalf("%q is at %q", a, pa)
		}
	})
}

func TestSymlinkLeadsNowhere(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	d := open(t, dir)
	if err := os.Symlink(out, filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	if got := store(t, d, "data/x", "secret", "").Outcome; got == protocol.OK {
		t.Fatal("a symlink out of the folder was followed")
	}
	if all, _ := os.ReadDir(out); len(all) != 0 {
		t.Fatalf("written outside: %v", all)
	}
}

func TestKeyIsNoFolderOfAnother(t *testing.T) {
	d := open(t, t.TempDir())
	v := wantStore(t, d, "a/b/c", "x", "", protocol.OK)
	wantStore(t, d, "a/b", "x", "", protocol.Denied)
	wantStore(t, d, "a", "x", v, protocol.Conflict)
	wantStore(t, d, "a/b/c/d", "x", "", protocol.Denied)
	wantStore(t, d, "a/b/c/d", "x", v, protocol.Conflict)
	wantLoad(t, d, "a/b", protocol.NotFound, "")
	wantLoad(t, d, "a/b/c/d", protocol.NotFound, "")
	wantDelete(t, d, "a/b", protocol.OK)
	wantDelete(t, d, "a/b/c/d", protocol.OK)
	wantLoad(t, d, "a/b/c", protocol.OK, "x")
	wantDelete(t, d, "a/b/c", protocol.OK)
	wantStore(t, d, "a", "free again", "", protocol.OK)
}

func TestDamageIsCorrupt(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	v := wantStore(t, d, "HEAD", "the body", "", protocol.OK)
	file := filepath.Join(dir, "HEAD")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, bad []byte) {
		t.Helper()
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := ask[protocol.Loaded](t, d, protocol.Load{Key: "HEAD"}); got.Outcome != protocol.Corrupt && !(got.Version != v && string(got.Body) == "the body") {
			t.Fatalf("%s: %s %q", what, got.Outcome, got.Body)
		}
	}
	for i := range good {
		check(fmt.Sprintf("cut at %d", i), good[:i])
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			check(fmt.Sprintf("bit %d of byte %d", bit, i), bad)
		}
	}
	check("one byte more", append(bytes.Clone(good), 'x'))
	check("empty", nil)
	wantStore(t, d, "HEAD", "new", v, protocol.Unknown)
}

func TestConcurrentCreateAndDelete(t *testing.T) {
	a, dir := (*Device)(nil), t.TempDir()
	a, b := open(t, dir), open(t, dir)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			d := a
			if g%2 == 1 {
				d = b
			}
			key := protocol.ObjectKey(fmt.Sprintf("data/1/2/%d", g))
			for i := range 100 {
				if got := store(t, d, key, "x", "").Outcome; got != protocol.OK {
					t.Errorf("round %d: %q: %s though only this goroutine writes it", i, key, got)
					return
				}
				if got := ask[protocol.Loaded](t, d, protocol.Load{Key: key}).Outcome; got != protocol.OK {
					t.Errorf("round %d: load %q: %s", i, key, got)
				}
				if got := ask[protocol.Deleted](t, d, protocol.Delete{Key: key}).Outcome; got != protocol.OK {
					t.Errorf("round %d: delete %q: %s", i, key, got)
				}
			}
		})
	}
	wg.Wait()
	if left, _ := os.ReadDir(filepath.Join(dir, "data")); len(left) != 0 {
		t.Errorf("empty folders are left: %v", left)
	}
}

func TestPerformNeverBlocks(t *testing.T) {
	dir := t.TempDir()
	d, err := OpenWith(dir, Options{Logger: quiet(), LockTimeout: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	v := wantStore(t, d, "HEAD", "x", "", protocol.OK)
	unlock, err := open(t, dir).lock("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make(chan protocol.Outcome, 3*Workers)
	begin := time.Now()
	for range cap(outcomes) {
		d.Perform(protocol.Address{}, protocol.Store{Key: "HEAD", Object: text("y"), IfMatch: v}, func(ev protocol.Event) { outcomes <- ev.(protocol.Stored).Outcome })
	}
	if took := time.Since(begin); took > 25*time.Millisecond {
		t.Errorf("Perform blocked: %v", took)
	}
	for range cap(outcomes) {
		if got := <-outcomes; got != protocol.Unknown {
			t.Errorf("locked object: %s, want unknown", got)
		}
	}
	unlock()
	wantStore(t, d, "HEAD", "y", v, protocol.OK)
	d.Close()
	if st := ask[protocol.Stored](t, d, protocol.Store{Key: "k", Object: text("y")}); st.Outcome != protocol.Unknown {
		t.Errorf("after Close: %+v", st)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if err := d.Probe(context.Background()); err != nil {
		t.Fatal(err)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("the probe left something: %v", all)
	}
	d.sync = func(*os.File) error { return syscall.EIO }
	if err := d.Probe(context.Background()); err == nil || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("a folder that cannot be synced: %v", err)
	}
	d.Close()
	if err := d.Probe(context.Background()); err == nil {
		t.Error("a closed device was probed")
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unwritable := "/proc/sys" // even root may not create files here
	if os.Getuid() != 0 {
		unwritable = filepath.Join(dir, "ro")
		if err := os.Mkdir(unwritable, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ dir, want string }{
		{file, "name a folder"},
		{filepath.Join(file, "x"), "name a folder"},
		{unwritable, ""},
		{"", ""},
	} {
		d, err := Open(c.dir)
		if err == nil {
			d.Close()
			t.Errorf("%q was opened", c.dir)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", c.dir)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: unclear: %v", c.dir, err)
		}
	}
	if h := openHint(&os.PathError{Err: syscall.EACCES}); !strings.Contains(h, "allowed") {
		t.Errorf("no hint on a folder that may not be written: %q", h)
	}
	if errors.Is(errNoLinks, errLocked) || openHint(errNoLinks) == "" {
		t.Error("no hint on a file system without links")
	}
}
