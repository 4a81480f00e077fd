package localfs

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"weir/protocol"
)

const (
	fileMode = 0o640
	dirMode  = 0o750
	maxName  = 255 // bytes in one part of a path, on the usual file systems
	own      = ".weir"
)

var errKey = errors.New("bad key")

// pathOf is the file of a key, relative to the folder. Every part of a key between slashes is a folder or file; a byte
// that is not harmless in a file name is written as %XX, and so is a leading dot: no key leads out of the folder or into .weir.
func pathOf(key protocol.ObjectKey) (string, error) {
	parts := strings.Split(string(key), "/")
	for i, p := range parts {
		if p == "" {
			return "", fmt.Errorf("%w %q: it has an empty part", errKey, string(key))
		}
		if parts[i] = escape(p); len(parts[i]) > maxName {
			return "", fmt.Errorf("%w %q: part %d is %d bytes long on disk; at most %d", errKey, string(key), i+1, len(parts[i]), maxName)
		}
	}
	return path.Join(parts...), nil
}

func escape(part string) string {
	var b strings.Builder
	for i := range len(part) {
		if c := part[i]; harmless(c) && (c != '.' || i > 0) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func harmless(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.=+", c) >= 0
}
