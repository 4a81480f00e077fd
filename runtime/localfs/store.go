package localfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"weir/protocol"
)

var (
	errConflict = errors.New("another version is there")
	errFolder   = errors.New("the key is a folder of another key, or the other way round")
	errSync     = errors.New("a folder could not be synced")
	errBroken   = errors.New("this device is out of use since the sync of a folder failed")
)

func (d *Device) store(ef protocol.Store) protocol.Stored {
	body := ef.Object.Encode(nil)
	h := newHeader(body)
	out := d.judge("store", ef.Key, d.put(ef.Key, ef.IfMatch, h, body))
	st := protocol.Stored{Op: ef.Op, Outcome: out, Size: h.size, Sum: h.sum}
	if out == protocol.OK {
		st.Version = h.version
	}
	return st
}

func (d *Device) load(ef protocol.Load) protocol.Loaded {
	h, body, err := d.get(ef.Key)
	ld := protocol.Loaded{Op: ef.Op, Outcome: d.judge("load", ef.Key, err)}
	if ld.Outcome == protocol.OK {
		ld.Version, ld.Body = h.version, body
	}
	return ld
}

func (d *Device) delete(ef protocol.Delete) protocol.Deleted {
	return protocol.Deleted{Op: ef.Op, Outcome: d.judge("delete", ef.Key, d.remove(ef.Key))}
}

// judge turns an error into an outcome, and logs it.
func (d *Device) judge(op string, key protocol.ObjectKey, err error) protocol.Outcome {
	if errors.Is(err, errSync) {
		d.broken.Store(true)
	} else if d.broken.Load() {
		err = errBroken
	}
	out := outcomeOf(err)
	if out != protocol.OK {
		d.warn(op, key, out, err)
	}
	return out
}

func outcomeOf(err error) protocol.Outcome {
	switch {
	case err == nil:
		return protocol.OK
	case errors.Is(err, errConflict):
		return protocol.Conflict
	case errors.Is(err, errDamaged):
		return protocol.Corrupt
	case errors.Is(err, errSync), errors.Is(err, errBroken):
		return protocol.Unknown
	case errors.Is(err, errKey), errors.Is(err, errFolder), errors.Is(err, syscall.ENAMETOOLONG),
		errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return protocol.Denied
	case errors.Is(err, fs.ErrNotExist):
		return protocol.NotFound
	}
	return protocol.Unknown
}

// hint is what the operator can do about an error of an effect.
func hint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free space on the folder's disk, or raise the quota; no object was replaced"
	case errors.Is(err, errSync), errors.Is(err, errBroken):
		return "look at the disk, then start the process anew; until then nothing is taken for stored"
	case errors.Is(err, syscall.EIO):
		return "look at the disk and the system's log"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "the process must be allowed to read and write the folder"
	case errors.Is(err, errDamaged):
		return "the file was changed or damaged outside of weir: check the disk, restore an older checkpoint"
	case errors.Is(err, errLocked):
		return "a stopped or hanging process is replacing this object: end it"
	}
	return ""
}

// pathOf begins every effect: nothing is touched any more once a sync has failed.
func (d *Device) pathOf(key protocol.ObjectKey) (string, error) {
	if d.broken.Load() {
		return "", errBroken
	}
	return pathOf(key)
}

func (d *Device) put(key protocol.ObjectKey, ifMatch protocol.Version, h header, body []byte) error {
	name, err := d.pathOf(key)
	if err != nil {
		return err
	}
	temp, err := d.writeTemp(h, body)
	if err != nil {
		return outside(err)
	}
	defer d.root.Remove(temp)
	if ifMatch == "" {
		return outside(d.create(temp, name))
	}
	return outside(d.replace(key, temp, name, ifMatch))
}

// outside hides that a file was missing which is not the object: to the caller that is no NotFound.
func outside(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a file of the device itself is gone: %v", err)
	}
	return err
}

// writeTemp writes and syncs a complete object under a name of no meaning.
func (d *Device) writeTemp(h header, body []byte) (string, error) {
	name := fmt.Sprintf("%s/%d", d.temp.path, d.names.Add(1))
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return "", err
	}
	_, err = f.Write(h.line())
	if err == nil {
		_, err = f.Write(body)
	}
	if err == nil {
		err = d.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		d.root.Remove(name)
		return "", err
	}
	return name, nil
}

// create gives the object its name if that is free.
func (d *Device) create(temp, name string) error {
	if err := d.link(temp, name); err != nil {
		return err
	}
	return d.syncAbove(name)
}

// link makes the folders and the name. A Delete elsewhere may remove a folder that has become empty at any moment, and
// then MkdirAll fails with "exists" as well as with "does not exist": only what Link says is about the object.
func (d *Device) link(temp, name string) (err error) {
	for range 100 {
		if err = d.root.MkdirAll(path.Dir(name), dirMode); err == nil {
			if err = d.root.Link(temp, name); err == nil {
				return nil
			}
			if errors.Is(err, fs.ErrExist) {
				return d.taken(name)
			}
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) { // a part of the way is a file
		return fmt.Errorf("%w (%w)", errFolder, err)
	}
	return err
}

// taken says why a name is not free. What is there is made durable first: the caller may find it to be its own.
func (d *Device) taken(name string) error {
	if st, err := d.root.Lstat(name); err == nil && st.IsDir() {
		return errFolder
	}
	if err := d.syncAbove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errConflict
}

// replace renames the temporary file over the object if the object's version is still ifMatch.
func (d *Device) replace(key protocol.ObjectKey, temp, name string, ifMatch protocol.Version) error {
	unlock, err := d.lock(key)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := d.versionOf(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && now != ifMatch {
		return errConflict
	}
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("the present version is not to be read: %v", err)
	}
	if err != nil {
		return err
	}
	if err := d.root.Rename(temp, name); err != nil {
		return err
	}
	return d.syncAbove(name)
}

// versionOf reads an object's first line.
func (d *Device) versionOf(name string) (protocol.Version, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return "", notDir(err)
	}
	defer f.Close()
	line := make([]byte, maxHeader)
	n, err := io.ReadFull(f, line)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", notDir(err)
	}
	h, _, err := parseHeader(line[:n])
	return h.version, err
}

func (d *Device) get(key protocol.ObjectKey) (header, []byte, error) {
	name, err := d.pathOf(key)
	if err != nil {
		return header{}, nil, err
	}
	raw, err := d.root.ReadFile(name)
	if err != nil {
		return header{}, nil, notDir(err)
	}
	h, body, err := parseObject(raw)
	if err != nil {
		return header{}, nil, err
	}
	return h, body, d.syncAbove(name) // a folder that is gone means that the object was deleted since
}

// notDir turns "this is a folder" and "that above it is a file" into what they mean for a key: there is no such object.
func notDir(err error) error {
	if errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w (%v)", fs.ErrNotExist, err)
	}
	return err
}

func (d *Device) remove(key protocol.ObjectKey) error {
	name, err := d.pathOf(key)
	if err != nil {
		return err
	}
	unlock, err := d.lock(key)
	if err != nil {
		return outside(err)
	}
	defer unlock()
	if st, err := d.root.Lstat(name); err != nil || st.IsDir() {
		return gone(err)
	}
	if err := gone(d.root.Remove(name)); err != nil {
		return err
	}
	if err := d.syncDir(path.Dir(name)); err != nil {
		return gone(err)
	}
	for dir := path.Dir(name); dir != "." && d.root.Remove(dir) == nil; dir = path.Dir(dir) {
	}
	return nil
}

// gone drops the error that what was to be removed is not there.
func gone(err error) error {
	if err = notDir(err); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// syncAbove makes the names on the way to an object durable.
func (d *Device) syncAbove(name string) error {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if err := d.syncDir(dir); err != nil || dir == "." {
			return err
		}
	}
}

func (d *Device) syncDir(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.sync(f); err != nil {
		return fmt.Errorf("%w: %w", errSync, err)
	}
	return nil
}
