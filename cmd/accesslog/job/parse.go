package job

import "bytes"

// entry is the part of a line that the job uses; it aliases the line.
type entry struct {
	path, status []byte
	bytes        int64
}

// scanner takes a line apart from its left end.
type scanner struct {
	rest []byte
	// Invariant: bad is set when something was not as it must be, and stays.
	bad bool
}

// parse takes apart a line in the combined log format; doc.go says which lines are well-formed.
func parse(line []byte) (e entry, ok bool) {
	s := scanner{rest: line}
	s.word()
	s.word()
	s.word()
	s.expect('[')
	s.until(']')
	s.expect(']')
	s.expect(' ')
	s.expect('"')
	target := s.request()
	s.expect('"')
	s.expect(' ')
	e.path, _, _ = bytes.Cut(target, []byte("?"))
	e.status = s.digits(3, 3)
	s.expect(' ')
	e.bytes = s.sent()
	s.expect(' ')
	s.quoted()
	s.expect(' ')
	s.quoted()
	return e, !s.bad && len(s.rest) == 0
}

// take returns the first n bytes.
func (s *scanner) take(n int) []byte {
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

func (s *scanner) expect(c byte) {
	if len(s.rest) == 0 || s.rest[0] != c {
		s.bad = true
		return
	}
	s.rest = s.rest[1:]
}

// until takes what comes before the first c.
func (s *scanner) until(c byte) []byte {
	n := bytes.IndexByte(s.rest, c)
	if n < 0 {
		s.bad = true
		return nil
	}
	return s.take(n)
}

// word takes some bytes that are not spaces, and a space.
func (s *scanner) word() {
	s.bad = s.bad || len(s.until(' ')) == 0
	s.expect(' ')
}

// request takes method, target and protocol, and returns the target.
func (s *scanner) request() (target []byte) {
	s.part()
	s.expect(' ')
	target = s.part()
	s.expect(' ')
	s.part()
	return target
}

// part takes some bytes that are neither space, quote nor backslash.
func (s *scanner) part() []byte {
	n := 0
	for n < len(s.rest) && s.rest[n] != ' ' && s.rest[n] != '"' && s.rest[n] != '\\' {
		n++
	}
	s.bad = s.bad || n == 0
	return s.take(n)
}

// digits takes all digits there are, which must be from least to most.
func (s *scanner) digits(least, most int) []byte {
	n := 0
	for n < len(s.rest) && '0' <= s.rest[n] && s.rest[n] <= '9' {
		n++
	}
	s.bad = s.bad || n < least || n > most
	return s.take(n)
}

// sent takes the number of bytes sent. It has at most 18 digits, so that it is in range.
func (s *scanner) sent() (sum int64) {
	if len(s.rest) > 0 && s.rest[0] == '-' {
		s.take(1)
		return 0
	}
	for _, c := range s.digits(1, 18) {
		sum = sum*10 + int64(c-'0')
	}
	return sum
}

// quoted takes a quoted text, in which a backslash quotes the next byte.
func (s *scanner) quoted() {
	s.expect('"')
	end := bytes.IndexByte(s.rest, '"')
	if end >= 0 && bytes.IndexByte(s.rest[:end], '\\') >= 0 {
		end = unescaped(s.rest)
	}
	if end < 0 {
		s.bad = true
		return
	}
	s.take(end + 1)
}

// unescaped is where the first quote stands that no backslash quotes, or -1.
func unescaped(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
