package faults

import (
	"fmt"
	"strconv"
	"strings"
)

// units are those of spans, from the longest.
func units() []struct {
	name string
	ns   int64
} {
	return []struct {
		name string
		ns   int64
	}{{"s", 1_000_000_000}, {"ms", 1_000_000}, {"us", 1000}, {"ns", 1}}
}

// Span is a time in ns as text, exact: "1.25s", "300us".
func Span(ns int64) string {
	if ns < 0 {
		return "-" + Span(-ns)
	}
	for _, u := range units() {
		if ns < u.ns {
			continue
		}
		text := strconv.FormatInt(ns/u.ns, 10)
		if rest := ns % u.ns; rest > 0 {
			text += "." + strings.TrimRight(strconv.FormatInt(u.ns+rest, 10)[1:], "0")
		}
		return text + u.name
	}
	return "0s"
}

// mostSpan is above every time that a run can last.
const mostSpan = 1_000_000 * 1_000_000_000

// ParseSpan reads what Span writes, of at most a million seconds.
func ParseSpan(text string) (int64, error) {
	at := strings.IndexFunc(text, func(c rune) bool { return (c < '0' || c > '9') && c != '.' })
	for _, u := range units() {
		if at <= 0 || text[at:] != u.name {
			continue
		}
		whole, fraction, dot := strings.Cut(text[:at], ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		digits := len(strconv.FormatInt(u.ns, 10)) - 1
		if err != nil || n > mostSpan/u.ns || len(fraction) > digits || dot && fraction == "" {
			break
		}
		rest, err := strconv.ParseInt("0"+fraction+strings.Repeat("0", digits-len(fraction)), 10, 64)
		if err != nil {
			break
		}
		return n*u.ns + rest, nil
	}
	return 0, fmt.Errorf("%q is not a time such as 1.25s, 300ms, 20us or 7ns, of at most a million seconds", text)
}
