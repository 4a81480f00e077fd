// Package logs holds 10,000 real lines of a web server's access log; LICENCE.txt says where they come from.
package logs

import (
	_ "embed"
	"strings"
)

//go:embed apache_logs.txt
var text string

// Lines are the lines in their order, without ends of line.
func Lines() []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
