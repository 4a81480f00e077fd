package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/protocol"
	"weir/protocol/checkpoint"
	"weir/runtime/localfs"
)

func (w *world) bucket() string { return filepath.Join(w.dir, "bucket") }

// files are the objects of the bucket, sorted; what the device keeps for itself is none.
func (w *world) files() (list []string) {
	filepath.WalkDir(w.bucket(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		name, _ := filepath.Rel(w.bucket(), path)
		switch {
		case name == ".weir":
			return fs.SkipDir
		case !d.IsDir():
			list = append(list, name)
		}
		return nil
	})
	return list
}

// state [-headless] FILE writes down what is in the bucket and on the broker; headless: not what HEAD says.
func writeState(w *world, ts *testscript.TestScript, args []string) {
	var b bytes.Buffer
	for _, f := range w.files() {
		body, err := os.ReadFile(filepath.Join(w.bucket(), f))
		ts.Check(err)
		if f == string(checkpoint.HeadKey) && args[0] == "-headless" {
			body = nil
		}
		fmt.Fprintf(&b, "%s %d bytes %x\n", f, len(body), sha256.Sum256(body))
	}
	ts.Check(w.topics(&b))
	ts.Check(os.WriteFile(ts.MkAbs(args[len(args)-1]), b.Bytes(), 0o644))
}

// topics lists each partition with all that can change in it: logs are only appended to, and cut off at their start.
func (w *world) topics(b *bytes.Buffer) error {
	ctx := context.Background()
	topics, err := w.adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return err
	}
	starts, err := w.adm.ListStartOffsets(ctx)
	if err != nil {
		return err
	}
	ends, err := w.adm.ListEndOffsets(ctx)
	if err != nil {
		return err
	}
	stable, err := w.adm.ListCommittedOffsets(ctx)
	if err != nil {
		return err
	}
	for _, t := range topics.Sorted() {
		for _, p := range t.Partitions.Sorted() {
			start, _ := starts.Lookup(t.Topic, p.Partition)
			end, _ := ends.Lookup(t.Topic, p.Partition)
			lso, _ := stable.Lookup(t.Topic, p.Partition)
			fmt.Fprintf(b, "%s/%d id %s from %d to %d, stable %d\n", t.Topic, p.Partition, t.ID, start.Offset, end.Offset, lso.Offset)
		}
	}
	return nil
}

// head prints what HEAD says.
func head(w *world, ts *testscript.TestScript, _ []string) {
	w.with(ts, string(checkpoint.HeadKey), func(d *localfs.Device, ld protocol.Loaded) {
		h, err := checkpoint.DecodeHead(ld.Body)
		ts.Check(err)
		fmt.Fprintf(ts.Stdout(), "job=%s epoch=%d attempt=%d sealed=%d retained=%d finished=%t\n", h.Job, h.Epoch, h.Attempt, h.Sealed, len(h.Retained), h.Finished)
	})
}

// with opens the bucket and loads an object.
func (w *world) with(ts *testscript.TestScript, key string, f func(*localfs.Device, protocol.Loaded)) {
	d, err := localfs.Open(w.bucket())
	ts.Check(err)
	defer d.Close()
	ld := do(d, protocol.Load{Key: protocol.ObjectKey(key)}).(protocol.Loaded)
	if ld.Outcome != protocol.OK {
		ts.Fatalf("load %s: %s", key, ld.Outcome)
	}
	f(d, ld)
}

func do(d protocol.Device, ef protocol.Effect) protocol.Event {
	got := make(chan protocol.Event, 1)
	d.Perform(protocol.Address{}, ef, func(ev protocol.Event) { got <- ev })
	return <-got
}

type raw []byte

func (r raw) Encode(dst []byte) []byte { return append(dst, r...) }

// keep PREFIX keeps a copy of an object.
func keep(w *world, ts *testscript.TestScript, args []string) {
	name, err := w.find(args[0])
	ts.Check(err)
	path := filepath.Join(w.bucket(), name)
	w.kept[path], err = os.ReadFile(path)
	ts.Check(err)
}

// restore puts back what was kept.
func restore(w *world, ts *testscript.TestScript, _ []string) {
	for path, body := range w.kept {
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
		ts.Check(os.WriteFile(path, body, 0o644))
	}
}

// erase PREFIX removes an object.
func erase(w *world, ts *testscript.TestScript, args []string) {
	name, err := w.find(args[0])
	ts.Check(err)
	ts.Check(os.Remove(filepath.Join(w.bucket(), name)))
}

// tear flip|cut PREFIX damages the file of an object: the device sees it.
func tear(w *world, ts *testscript.TestScript, args []string) {
	name, err := w.find(args[1])
	ts.Check(err)
	path := filepath.Join(w.bucket(), name)
	body, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.WriteFile(path, spoil(args[0], body), 0o644))
}

// replace flip|cut|newer PREFIX replaces an object by a damaged one, or by one of a newer format: the device does not see it.
func replace(w *world, ts *testscript.TestScript, args []string) {
	name, err := w.find(args[1])
	ts.Check(err)
	w.with(ts, name, func(d *localfs.Device, ld protocol.Loaded) {
		ef := protocol.Store{Key: protocol.ObjectKey(name), Object: raw(spoil(args[0], ld.Body)), IfMatch: ld.Version}
		if st := do(d, ef).(protocol.Stored); st.Outcome != protocol.OK {
			ts.Fatalf("store %s: %s", name, st.Outcome)
		}
	})
}

func spoil(how string, body []byte) []byte {
	body = slices.Clone(body)
	switch how {
	case "flip":
		body[len(body)-20] ^= 4
	case "cut":
		body = body[:len(body)-20]
	case "newer": // magic, version, body, checksum: package codec has the format
		body = body[:len(body)-4]
		body[4]++
		body = binary.BigEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	default:
		panic(strings.ToUpper(how))
	}
	return body
}

// rot DIR turns a bit in the middle of every file below a folder, of which there is one at least.
func rot(w *world, ts *testscript.TestScript, args []string) {
	n := 0
	ts.Check(filepath.WalkDir(filepath.Join(w.dir, args[0]), func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil || len(body) == 0 {
			return err
		}
		body[len(body)/2] ^= 4
		n++
		return os.WriteFile(path, body, 0o600)
	}))
	if n == 0 {
		ts.Fatalf("there is no file below %s", args[0])
	}
}
