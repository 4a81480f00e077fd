package localfs

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"sync/atomic"

	"weir/protocol"
)

// temps is where copies are written before they get their names.
const temps = ".tmp"

// Copies performs Keep, Recall and Retain in a folder of this machine, a folder for each shelf. Nothing is synced: what a
// power cut tears is found out by who reads it. Its methods may be called from any goroutine, also of several processes.
type Copies struct {
	dir   string
	root  *os.Root
	log   *slog.Logger
	slots chan struct{} // holds one token per running effect
	work  work
	// Invariant: failing says that the last write failed; it is told once, not for every copy.
	failing atomic.Bool
}

var _ protocol.Device = (*Copies)(nil)

// OpenCopies opens a folder for copies, which is created if it is not there. It must be this job's and this machine's alone.
func OpenCopies(dir string, log *slog.Logger) (*Copies, error) {
	c := &Copies{dir: dir, log: log, slots: make(chan struct{}, Workers)}
	err := os.MkdirAll(dir, dirMode)
	if err == nil {
		c.root, err = os.OpenRoot(dir)
	}
	if err == nil {
		err = c.tryWrite()
	}
	if err != nil {
		return nil, fmt.Errorf("localfs: open %q for copies of state: %w%s", dir, err, openHint(err))
	}
	return c, nil
}

// tryWrite clears what dead processes left unfinished, and writes a file.
func (c *Copies) tryWrite() error {
	c.root.RemoveAll(temps)
	if err := c.root.Mkdir(temps, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	name, err := c.writeTemp(nil)
	return errors.Join(err, c.root.Remove(name))
}

// Perform implements protocol.Device.
func (c *Copies) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	if !c.work.enter() {
		if r, ok := ef.(protocol.Recall); ok {
			go done(protocol.Recalled{Op: r.Op, Outcome: protocol.Unknown})
		}
		return
	}
	go func() {
		defer c.work.busy.Done()
		c.slots <- struct{}{}
		defer func() { <-c.slots }()
		switch ef := ef.(type) {
		case protocol.Keep:
			c.keep(ef)
		case protocol.Recall:
			done(c.recall(ef))
		case protocol.Retain:
			c.retain(ef)
		}
	}()
}

// Close waits for what was begun. What is asked later is not done, and a Recall answered Unknown.
func (c *Copies) Close() error {
	if c.work.close() {
		return c.root.Close()
	}
	return nil
}

func (c *Copies) keep(ef protocol.Keep) {
	err := c.write(escape(ef.Shelf), escape(string(ef.Key)), ef.Object.Encode(nil))
	switch told := c.failing.Swap(err != nil); {
	case err != nil && !told:
		c.log.Warn("localfs: state is not copied to this machine's disk: restores read it from the bucket", "folder", c.dir, "key", string(ef.Key), "cause", err, "hint", hint(err))
	case err == nil && told:
		c.log.Info("localfs: state is copied to this machine's disk again", "folder", c.dir)
	}
}

func (c *Copies) write(shelf, name string, body []byte) error {
	temp, err := c.writeTemp(body)
	if err != nil {
		return err
	}
	if err := c.root.Mkdir(shelf, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return errors.Join(err, c.root.Remove(temp))
	}
	if err := c.root.Rename(temp, path.Join(shelf, name)); err != nil {
		return errors.Join(err, c.root.Remove(temp))
	}
	return nil
}

// writeTemp writes a file of a name that no other process of this machine uses now.
func (c *Copies) writeTemp(body []byte) (name string, err error) {
	f, err := os.CreateTemp(path.Join(c.dir, temps), "")
	if err != nil {
		return "", err
	}
	name = path.Join(temps, path.Base(f.Name()))
	_, err = f.Write(body)
	if err = errors.Join(err, f.Close()); err != nil {
		c.root.Remove(name)
	}
	return name, err
}

func (c *Copies) recall(ef protocol.Recall) protocol.Recalled {
	body, err := c.root.ReadFile(path.Join(escape(ef.Shelf), escape(string(ef.Key))))
	switch {
	case err == nil:
		return protocol.Recalled{Op: ef.Op, Outcome: protocol.OK, Body: body}
	case errors.Is(err, fs.ErrNotExist):
		return protocol.Recalled{Op: ef.Op, Outcome: protocol.NotFound}
	}
	c.log.Warn("localfs: a copy of state cannot be read: it is read from the bucket", "folder", c.dir, "key", string(ef.Key), "cause", err, "hint", hint(err))
	return protocol.Recalled{Op: ef.Op, Outcome: protocol.Unknown}
}

// retain removes all files of a shelf but those of some keys. What cannot be removed now is tried again next time.
func (c *Copies) retain(ef protocol.Retain) {
	keep := make(map[string]bool, len(ef.Keys))
	for _, k := range ef.Keys {
		keep[escape(string(k))] = true
	}
	shelf := escape(ef.Shelf)
	files, err := fs.ReadDir(c.root.FS(), shelf)
	if err != nil {
		return
	}
	for _, f := range files {
		if !keep[f.Name()] {
			c.root.RemoveAll(path.Join(shelf, f.Name()))
		}
	}
}
