package protocoltest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"weir/protocol"
)

// The text of a trace is protocol.Format's, made shorter without losing what a reader needs: sums and topic ids to 8
// digits, op numbers to set.number, a scope to epoch.attempt#incarnation, an address to the machine's name, times to
// seconds, objects that were read to their length; a record's hash is left out. A long line is broken where its longest
// list or struct begins.
var (
	reSum     = regexp.MustCompile(`\b([0-9a-f]{8})(?:[0-9a-f]{56}|[0-9a-f]{24})\b`)
	reOp      = regexp.MustCompile(`\bop=(\d{10,})`)
	reScope   = regexp.MustCompile(`\{job=[^ {}]+ epoch=(\d+) attempt=(\d+)(?: incarnation=(\d+))?\}`)
	reBytes   = regexp.MustCompile(`\b(body|value)="(?:[^"\\]|\\.)*"`)
	reSpan    = regexp.MustCompile(`\b(timeout|age|deadline|at)=(\d{6,})`)
	reOrigin  = regexp.MustCompile(`"@(\d+):(-?\d+)#\d+`)
	reAddress = regexp.MustCompile(`\b(to|from|coordinator|self)=\{node=(\d+)(?: task=(\d+))?\}`)
)

// wide is where a line is too long.
const wide = 130

// text is v on one line.
func (s *script) text(v any) string {
	t := reSum.ReplaceAllString(protocol.Format(v), "$1")
	t = reOp.ReplaceAllStringFunc(t, func(op string) string {
		n, _ := strconv.ParseUint(op[3:], 10, 64)
		return fmt.Sprintf("op=%d.%d", n>>56, n&(1<<56-1))
	})
	t = reScope.ReplaceAllStringFunc(t, func(scope string) string {
		m := reScope.FindStringSubmatch(scope)
		if m[3] == "" {
			return m[1] + "." + m[2]
		}
		return m[1] + "." + m[2] + "#" + m[3]
	})
	t = reBytes.ReplaceAllStringFunc(t, func(body string) string {
		name, quoted, _ := strings.Cut(body, "=")
		plain, _ := strconv.Unquote(quoted)
		return fmt.Sprintf("%s=%d-bytes", name, len(plain))
	})
	t = reSpan.ReplaceAllStringFunc(t, func(span string) string {
		name, digits, _ := strings.Cut(span, "=")
		n, _ := strconv.ParseInt(digits, 10, 64)
		return fmt.Sprintf("%s=%gs", name, float64(n/int64(protocol.Microsecond))/1e6)
	})
	t = reOrigin.ReplaceAllString(t, `"@$1:$2`)
	return reAddress.ReplaceAllStringFunc(t, func(address string) string {
		m := reAddress.FindStringSubmatch(address)
		node, _ := strconv.ParseUint(m[2], 10, 32)
		task, _ := strconv.ParseUint(m[3], 10, 32)
		return m[1] + "=" + s.w.Name(protocol.Address{Node: protocol.NodeID(node), Task: protocol.TaskID(task)})
	})
}

// block is a line, broken and indented if it is too long.
func block(indent, line string) string {
	if len(indent)+len(line) <= wide {
		return indent + line + "\n"
	}
	head, parts, tail := split(line)
	if len(parts) == 0 {
		return indent + line + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", indent, head)
	for _, p := range parts {
		b.WriteString(block(indent+"    ", p))
	}
	if tail = strings.TrimSpace(tail); tail != strings.TrimLeft(tail, "]}") {
		b.WriteString(indent + tail + "\n")
	}
	return b.String()
}

// split takes a line apart at its longest list or struct: what is before its fields or entries, those, what is behind.
func split(line string) (head string, parts []string, tail string) {
	from, to := 0, 0
	var open []int
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case quoted:
		case c == '{' || c == '[':
			open = append(open, i)
		case c == '}' || c == ']':
			at := open[len(open)-1]
			open = open[:len(open)-1]
			if i-at > to-from {
				from, to = at, i
			}
		}
	}
	if to == 0 {
		return line, nil, ""
	}
	return line[:from+1], fields(line[from+1 : to]), line[to:]
}

// fields takes the inside of a struct or list apart.
func fields(s string) (list []string) {
	depth, from, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ' ' && depth == 0:
			list = append(list, s[from:i])
			from = i + 1
		}
	}
	return join(append(list, s[from:]))
}

// join puts short fields that follow each other on one line.
func join(list []string) (lines []string) {
	for _, f := range list {
		n := len(lines)
		if n > 0 && !strings.HasPrefix(f, "{") && !strings.HasPrefix(lines[n-1], "{") && len(lines[n-1])+len(f) < wide/2 {
			lines[n-1] += " " + f
			continue
		}
		lines = append(lines, f)
	}
	return lines
}

// plumbing reports whether an effect says nothing of the protocol.
func plumbing(ef protocol.Effect) bool {
	switch ef.(type) {
	case protocol.Resume, protocol.Wake, protocol.Release, protocol.Grant:
		return true
	}
	return false
}
