package job

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// wellFormed is the definition in doc.go. In latin1 below each byte is a character of its own.
const wellFormed = `(?s)^([^ ]+) ([^ ]+) ([^ ]+) \[([^\]]*)\] "([^ "\\]+) ([^ "\\]+) ([^ "\\]+)" ([0-9]{3}) ([0-9]{1,18}|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$`

// slow is parse by the definition.
type slow struct{ line *regexp.Regexp }

func newSlow() slow { return slow{regexp.MustCompile(wellFormed)} }

func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

func (s slow) parse(line []byte) (path, status string, sent int64, ok bool) {
	m := s.line.FindStringSubmatch(latin1(line))
	if m == nil {
		return "", "", 0, false
	}
	path, _, _ = bytesCut(m[6], '?')
	sent, _ = strconv.ParseInt(m[9], 10, 64)
	return path, m[8], sent, true
}

func bytesCut(s string, sep byte) (before, after string, found bool) {
	b, a, found := bytes.Cut([]byte(s), []byte{sep})
	return string(b), string(a), found
}

// agree fails unless parse and its definition say the same of a line.
func agree(t interface {
	Helper()
	Fatalf(string, ...any)
}, s slow, line []byte) bool {
	t.Helper()
	e, ok := parse(line)
	path, status, sent, want := s.parse(line)
	if ok != want || ok && (latin1(e.path) != path || latin1(e.status) != status || e.bytes != sent) {
		t.Fatalf("%q:\ngot  %q %q %d %t\nwant %q %q %d %t", line, e.path, e.status, e.bytes, ok, path, status, sent, want)
	}
	return ok
}

func realLines(t testing.TB) [][]byte {
	t.Helper()
	data, err := os.ReadFile("../logs/apache_logs.txt")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}

func TestParseRealLines(t *testing.T) {
	s := newSlow()
	var malformed []int
	lines := realLines(t)
	for i, line := range lines {
		if !agree(t, s, line) {
			malformed = append(malformed, i+1)
		}
	}
	if len(lines) != 10000 || len(malformed) != 1 || malformed[0] != 8899 {
		t.Errorf("%d lines, malformed: %v; want 10000, [8899]", len(lines), malformed)
	}
}

// Lines of the file that were bent in one place are judged as the definition says.
func TestParseBentLines(t *testing.T) {
	s, lines := newSlow(), realLines(t)
	rapid.Check(t, func(t *rapid.T) {
		line := bytes.Clone(rapid.SampledFrom(lines).Draw(t, "line"))
		for range rapid.IntRange(1, 3).Draw(t, "bends") {
			i := rapid.IntRange(0, len(line)-1).Draw(t, "at")
			switch c := rapid.SampledFrom([]byte("\" \\]?-9x\n\xe4")).Draw(t, "byte"); rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				line[i] = c
			case 1:
				line = bytes.Join([][]byte{line[:i], line[i:]}, []byte{c})
			default:
				line = append(line[:i:i], line[i+1:]...)
			}
		}
		agree(t, s, line)
	})
}

func TestParse(t *testing.T) {
	const head, tail = `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "`, ` "-" "agent"`
	cases := []struct {
		line, path, status string
		sent               int64
		ok                 bool
	}{
		{head + `GET /a HTTP/1.1" 200 5` + tail, "/a", "200", 5, true},
		{head + `GET /a?b=c?d HTTP/1.1" 304 -` + tail, "/a", "304", 0, true},
		{head + `GET ? HTTP/1.1" 200 0` + tail, "", "200", 0, true},
		{head + `OPTIONS * HTTP/1.0" 200 999999999999999999` + tail, "*", "200", 999999999999999999, true},
		{`::1 - frank [] "GET /a HTTP/1.1" 200 5 "a \" \xe4" "\\"`, "/a", "200", 5, true},
		{head + `GET /a HTTP/1.1" 200 1000000000000000000` + tail, "", "", 0, false},
		{head + `GET /a HTTP/1.1" 20 5` + tail, "", "", 0, false},
		{head + `GET /a HTTP/1.1" 2000 5` + tail, "", "", 0, false},
		{head + `GET /a b HTTP/1.1" 200 5` + tail, "", "", 0, false},
		{head + `GET /a" 200 5` + tail, "", "", 0, false},
		{head + `-" 408 -` + tail, "", "", 0, false},
		{head + `\x16\x03" 400 0` + tail, "", "", 0, false},
		{head + `GET /a HTTP/1.1" 200 5` + tail + " ", "", "", 0, false},
		{head + `GET /a HTTP/1.1" 200 5 "-" "no end`, "", "", 0, false},
		{head + `GET /a HTTP/1.1" 200 5 "-" "no end\"`, "", "", 0, false},
		{head + `GET /a HTTP/1.1" 200 5 "-"`, "", "", 0, false},
		{"", "", "", 0, false},
		{"\x00\xff", "", "", 0, false},
	}
	s := newSlow()
	for _, c := range cases {
		agree(t, s, []byte(c.line))
		if e, ok := parse([]byte(c.line)); ok != c.ok || ok && (string(e.path) != c.path || string(e.status) != c.status || e.bytes != c.sent) {
			t.Errorf("%s: got %q %q %d %t", c.line, e.path, e.status, e.bytes, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "agent"`))
	s := newSlow()
	f.Fuzz(func(t *testing.T, line []byte) { agree(t, s, line) })
}
