package localfs

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/protocol"
)

const (
	magic     = "weir-object 1"
	maxHeader = 160 // bytes, newline included
)

var errDamaged = errors.New("damaged object")

// header is an object's first line.
type header struct {
	version protocol.Version
	size    int64
	sum     protocol.Sum
}

// newVersion is random: not even an object that was deleted and created anew gets an old version again.
func newVersion() protocol.Version {
	var b [16]byte
	rand.Read(b[:])
	return protocol.Version(hex.EncodeToString(b[:]))
}

func newHeader(body []byte) header {
	return header{newVersion(), int64(len(body)), sha256.Sum256(body)}
}

func (h header) line() []byte {
	return fmt.Appendf(nil, "%s %s %d %x\n", magic, h.version, h.size, h.sum[:])
}

// parseHeader reads the first line of b and returns what follows it.
func parseHeader(b []byte) (h header, rest []byte, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxHeader)], '\n')
	if end < 0 {
		return h, nil, fmt.Errorf("%w: its first line is not a header", errDamaged)
	}
	line := string(b[:end+1])
	f := strings.Fields(line)
	if len(f) == 5 {
		h.version = protocol.Version(f[2])
		h.size, _ = strconv.ParseInt(f[3], 10, 64)
		hex.Decode(h.sum[:], []byte(f[4])[:min(len(f[4]), 2*len(h.sum))])
	}
	if string(h.line()) != line { // whatever was wrong above shows here
		return header{}, nil, fmt.Errorf("%w: its first line is not a header", errDamaged)
	}
	return h, b[end+1:], nil
}

// parseObject takes a whole file apart and checks the body by length and SHA-256.
func parseObject(b []byte) (header, []byte, error) {
	h, body, err := parseHeader(b)
	if err != nil {
		return h, nil, err
	}
	if int64(len(body)) != h.size {
		return h, nil, fmt.Errorf("%w: it has %d bytes and should have %d", errDamaged, len(body), h.size)
	}
	if sum := protocol.Sum(sha256.Sum256(body)); sum != h.sum {
		return h, nil, fmt.Errorf("%w: its SHA-256 is %s… and should be %s…", errDamaged, sum, h.sum)
	}
	return h, body, nil
}
