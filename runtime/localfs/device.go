package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/protocol"
)

// Workers is how many effects one device performs at a time; more wait their turn.
const Workers = 8

// Options are what OpenWith takes; the zero value is what Open uses.
type Options struct {
	Logger *slog.Logger // nil: slog.Default()
	// LockTimeout bounds the wait for another process that is replacing the same object. Zero: 10 s.
	LockTimeout time.Duration
	// Unsafe skips every fsync: a power cut may then take back, or tear, what was answered OK. For demonstrations only.
	Unsafe bool
}

// Device performs Store, Load and Delete on a folder. Its methods may be called from any goroutine.
type Device struct {
	dir  string
	root *os.Root
	temp *tempDir
	log  *slog.Logger
	wait time.Duration
	sync func(*os.File) error

	slots chan struct{} // holds one token per running effect
	names atomic.Uint64 // of temporary files
	// Invariant: once set, no outcome but Unknown is ever reported, because a folder's sync has failed.
	broken atomic.Bool

	work work
}

var _ protocol.Device = (*Device)(nil)

// work is what a device has begun.
type work struct {
	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup
}

// enter begins something, unless the device is closed.
func (w *work) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.busy.Add(1)
	}
	return !w.closed
}

// close lets nothing more begin, and waits for what has. It reports whether it is the first to do so.
func (w *work) close() (first bool) {
	w.mu.Lock()
	first = !w.closed
	w.closed = true
	w.mu.Unlock()
	w.busy.Wait()
	return first
}

// Open makes a device of dir, which is created if it is not there, and removes what dead processes left unfinished.
// Several devices, of one or more processes, may be open on one folder.
func Open(dir string) (*Device, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(dir string, o Options) (*Device, error) {
	d := &Device{dir: dir, log: o.Logger, wait: o.LockTimeout, sync: (*os.File).Sync, slots: make(chan struct{}, Workers)}
	if d.log == nil {
		d.log = slog.Default()
	}
	if d.wait == 0 {
		d.wait = 10 * time.Second
	}
	if o.Unsafe {
		d.sync = func(*os.File) error { return nil }
	}
	if err := d.open(); err != nil {
		d.release()
		return nil, fmt.Errorf("localfs: open %q: %w%s", dir, err, openHint(err))
	}
	return d, nil
}

func (d *Device) open() error {
	if err := d.makeDir(filepath.Clean(d.dir)); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return err
	}
	d.root = root
	if err := d.makeLocks(); err != nil {
		return err
	}
	if d.temp, err = d.claimTemp(); err != nil {
		return err
	}
	return errors.Join(d.tryLink(), d.syncAbove("x"))
}

// makeDir makes the folder and those above it, and makes their names durable.
func (d *Device) makeDir(dir string) error {
	err := os.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		if err = d.makeDir(filepath.Dir(dir)); err == nil {
			err = os.Mkdir(dir, dirMode)
		}
	}
	if st, e := os.Stat(dir); e == nil && !st.IsDir() {
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer f.Close()
	return d.sync(f)
}

// tryLink finds out whether the file system can do what creating an object needs.
func (d *Device) tryLink() error {
	a, b := d.temp.path+"/a", d.temp.path+"/b"
	f, err := d.root.OpenFile(a, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	f.Close()
	defer d.root.Remove(a)
	if err := d.root.Link(a, b); err != nil {
		return fmt.Errorf("%w (%w)", errNoLinks, err)
	}
	return d.root.Remove(b)
}

// openHint is what the operator can do about an error of Open.
func openHint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return "; it, or a part of its path, is a file: name a folder"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "; the process must be allowed to create files and folders in it"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "; free space on its disk, or raise the quota"
	case errors.Is(err, errNoLinks):
		return "; name a folder on a local file system such as ext4, xfs, btrfs, apfs or tmpfs"
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOLCK):
		return "; its file system has no file locks: name a folder on a local one"
	}
	return ""
}

// Perform begins a Store, Load or Delete and returns at once; done is called once, from another goroutine.
func (d *Device) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	if !d.work.enter() {
		go done(unknown(ef))
		return
	}
	go func() {
		defer d.work.busy.Done()
		d.slots <- struct{}{}
		ev := d.perform(ef)
		<-d.slots
		done(ev)
	}()
}

func (d *Device) perform(ef protocol.Effect) protocol.Event {
	switch ef := ef.(type) {
	case protocol.Store:
		return d.store(ef)
	case protocol.Load:
		return d.load(ef)
	case protocol.Delete:
		return d.delete(ef)
	}
	return unknown(ef)
}

// unknown answers an effect that was not even begun.
func unknown(ef protocol.Effect) protocol.Event {
	switch ef := ef.(type) {
	case protocol.Store:
		return protocol.Stored{Op: ef.Op, Outcome: protocol.Unknown}
	case protocol.Load:
		return protocol.Loaded{Op: ef.Op, Outcome: protocol.Unknown}
	case protocol.Delete:
		return protocol.Deleted{Op: ef.Op, Outcome: protocol.Unknown}
	}
	panic(fmt.Sprintf("localfs: %T is not an effect on a bucket", ef))
}

// Close waits for the effects that were begun, then gives the folder up. What is asked later is answered Unknown.
func (d *Device) Close() error {
	if d.work.close() {
		d.release()
	}
	return nil
}

func (d *Device) release() {
	if d.temp != nil {
		d.root.RemoveAll(d.temp.path)
		d.temp.lock.Close()
	}
	if d.root != nil {
		d.root.Close()
	}
}

// warn logs what failed, on what, and why.
func (d *Device) warn(op string, key protocol.ObjectKey, out protocol.Outcome, err error) {
	level := slog.LevelWarn
	if out == protocol.Conflict || out == protocol.NotFound {
		level = slog.LevelDebug
	}
	d.log.Log(context.Background(), level, "localfs: "+op+" failed", "key", string(key), "folder", d.dir,
		"outcome", out.String(), "cause", err, "hint", hint(err))
}
