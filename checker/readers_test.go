package checker

import (
	"strconv"
	"strings"
	"testing"
)

// fetch is one answer about out/0; each record is "offset value".
func fetch(reader string, from, call, ret int64, recs ...string) Fetch {
	f := Fetch{Reader: reader, Topic: "out", From: from, Call: call, Return: ret}
	for _, r := range recs {
		off, value, _ := strings.Cut(r, " ")
		n, _ := strconv.ParseInt(off, 10, 64)
		f.Records = append(f.Records, Record{Offset: n, Value: []byte(value)})
	}
	return f
}

// anything accepts whatever is in the output, if only the readers agree.
var anything = Spec{
	Expect:  func(_ *Input, out []Effect) []Effect { return out },
	Observe: func(string, *Record) ([]byte, bool) { return nil, false },
}

func TestReadersMustAgree(t *testing.T) {
	for _, c := range []struct {
		name     string
		complete bool
		want     string // kinds, "pass" or "unknown"
		fetches  []Fetch
	}{
		{"both see the same", true, "pass", []Fetch{
			fetch("a", 0, 0, 1, "0 x", "1 y"), fetch("b", 0, 0, 2, "0 x"), fetch("b", 1, 3, 4, "1 y"), fetch("a", 2, 5, 6, "5 z"), fetch("b", 3, 5, 7), fetch("b", 5, 8, 9, "5 z")}},
		{"one stops early", true, "pass", []Fetch{fetch("a", 0, 0, 1, "0 x", "1 y"), fetch("b", 0, 2, 3, "0 x")}},
		{"one starts late", true, "pass", []Fetch{fetch("a", 0, 0, 1, "0 x", "1 y"), fetch("b", 1, 0, 2, "1 y")}},
		{"one offset twice in a fetch", false, "doubled", []Fetch{fetch("a", 0, 0, 1, "0 x", "0 x")}},
		{"one offset again in a later fetch", false, "doubled", []Fetch{fetch("a", 0, 0, 1, "0 x", "1 y"), fetch("a", 2, 2, 3, "1 y", "2 z")}},
		{"an offset that had been passed over", false, "reordered", []Fetch{fetch("a", 0, 0, 1, "0 x", "2 z"), fetch("a", 3, 2, 3, "1 y", "3 w")}},
		{"an offset below what was asked for", false, "reordered", []Fetch{fetch("a", 5, 0, 1, "3 x", "5 y")}},
		{"different records at one offset", false, "aborted read", []Fetch{fetch("a", 0, 0, 1, "0 x"), fetch("b", 0, 2, 3, "0 y")}},
		{"there for one, passed over by a later one", false, "aborted read", []Fetch{fetch("a", 0, 0, 1, "0 x", "1 y"), fetch("b", 0, 2, 3, "1 y")}},
		{"there for one, skipped by a later one's position", false, "aborted read", []Fetch{fetch("a", 0, 0, 1, "0 x"), fetch("b", 0, 2, 3), fetch("b", 2, 4, 5)}},
		{"passed over by one, there for a later one", false, "lost", []Fetch{fetch("a", 0, 0, 1, "1 y"), fetch("b", 0, 2, 3, "0 x", "1 y")}},
		{"the end found too early", true, "lost", []Fetch{fetch("a", 0, 0, 1, "0 x", "1 y"), fetch("b", 0, 2, 3, "0 x"), fetch("b", 1, 4, 5)}},
		{"an empty fetch in a run that goes on", false, "pass", []Fetch{fetch("a", 0, 0, 1, "0 x", "1 y"), fetch("b", 0, 2, 3, "0 x"), fetch("b", 1, 4, 5)}},
		{"the end found before there was more", true, "pass", []Fetch{fetch("b", 0, 0, 1, "0 x"), fetch("b", 1, 2, 3), fetch("a", 0, 4, 5, "0 x", "1 y")}},
		{"a reader that seeks back", false, "unknown", []Fetch{fetch("a", 0, 0, 1, "0 x", "1 y"), fetch("a", 0, 2, 3, "0 x", "1 y")}},
		{"an answer before the question", false, "unknown", []Fetch{fetch("a", 0, 2, 1, "0 x")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Check(&History{Fetches: c.fetches, Complete: c.complete}, anything)
			wantVerdict(t, v, c.want)
		})
	}
}

// wantVerdict compares with a result, or with the kinds of failure.
func wantVerdict(t *testing.T, v Verdict, want string) {
	t.Helper()
	got := v.Result.String()
	if v.Result == Fail {
		got = kindsOf(v)
	}
	if got != want {
		t.Fatalf("want %s, got %s: %v", want, got, v)
	}
	for _, f := range v.Failures {
		if f.Text == "" || len(f.Inputs)+len(f.Seen) == 0 {
			t.Fatalf("no evidence: %v", f)
		}
	}
}
