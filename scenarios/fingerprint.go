package scenarios

import (
	"fmt"
	"strings"

	"weir/checker"
)

// Fingerprint is the same for failures that look the same: of one scenario, one invariant, one kind.
func (o *Outcome) Fingerprint() string {
	print := o.Scenario + ": " + o.Sort()
	switch {
	case o.Broken == ExactlyOnce:
		for k := checker.Lost; k <= checker.Phantom; k++ {
			if o.Verdict.Count(k) > 0 {
				print += fmt.Sprintf(", %v", k)
			}
		}
	case o.Run.Failure != nil && o.Run.Failure.Class != "stuck":
		print += ": " + faceless(o.Run.Failure.Text)
	}
	return print
}

// faceless is the first line of a text without what differs from run to run: digits and what is quoted.
func faceless(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	var b strings.Builder
	quoted, digits := false, false
	for _, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
			if quoted {
				b.WriteByte('~')
			}
			continue
		case quoted:
			continue
		}
		digit := c >= '0' && c <= '9' || digits && (c >= 'a' && c <= 'f' || c == 'x')
		if digit && !digits {
			b.WriteByte('#')
		}
		if !digit {
			b.WriteRune(c)
		}
		digits = digit
	}
	return b.String()
}
