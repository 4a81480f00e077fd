package localfs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"weir/protocol"
)

const (
	lockDir  = own + "/lock"
	openLock = lockDir + "/open"
	tempRoot = own + "/tmp"
	locks    = 64
)

var (
	errNoLinks = errors.New("the file system has no hard links")
	errLocked  = errors.New("another process holds the object's lock")
)

// tempDir is where one device keeps unfinished files; lock is an flock on the folder that tells others it is alive.
type tempDir struct {
	path string
	lock *os.File
}

func (d *Device) makeLocks() error {
	for _, dir := range []string{lockDir, tempRoot} {
		if err := d.root.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	return nil
}

// lock takes the lock of a key, which excludes other processes and other goroutines of this one alike.
func (d *Device) lock(key protocol.ObjectKey) (unlock func(), err error) {
	h := fnv.New32a()
	h.Write([]byte(key))
	return d.lockFile(fmt.Sprintf("%s/%02x", lockDir, h.Sum32()%locks))
}

func (d *Device) lockFile(name string) (unlock func(), err error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(d.wait)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		err := tryFlock(f)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			f.Close()
			return nil, lockError(name, d.wait, err)
		}
		time.Sleep(pause)
	}
}

func lockError(name string, wait time.Duration, err error) error {
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w %s for over %v", errLocked, name, wait)
	}
	return fmt.Errorf("lock %s: %w", name, err)
}

// tryFlock takes an exclusive lock that ends when f is closed or the process dies.
func tryFlock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}

// claimTemp clears what dead devices left and makes a folder for this one. All of it happens under one lock, so that
// nobody takes a folder for dead between its making and its locking.
func (d *Device) claimTemp() (*tempDir, error) {
	unlock, err := d.lockFile(openLock)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := d.clearDead(); err != nil {
		return nil, err
	}
	name := path.Join(tempRoot, fmt.Sprintf("%d-%s", os.Getpid(), rand.Text()[:10]))
	if err := d.root.Mkdir(name, dirMode); err != nil {
		return nil, err
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	if err := tryFlock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return &tempDir{name, f}, nil
}

// clearDead removes the temporary folders whose owners are dead: their locks are free.
func (d *Device) clearDead() error {
	all, err := fs.ReadDir(d.root.FS(), tempRoot)
	if err != nil {
		return err
	}
	for _, e := range all {
		name := path.Join(tempRoot, e.Name())
		f, err := d.root.Open(name)
		if err != nil {
			continue // its owner has just closed
		}
		if tryFlock(f) == nil {
			err = d.root.RemoveAll(name)
		}
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
