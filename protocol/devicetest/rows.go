package devicetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Row is a line of testdata/codes.txt, or a cell of testdata/cells.txt: requests about one transactional id, and the
// answers that may come.
type Row struct {
	Name, Do string
	Wants    []string // before and after the markers, if that makes a difference
	Differs  string   // why it does not matter that this kind of cluster answers otherwise; empty: it does not
}

// Kinds of clusters that answer a row each in their own way.
const (
	Kafka   = "kafka" // 4.3 at transaction.version 2
	Earlier = "4.1"   // 4.1 at transaction.version 2
	Before  = "old"   // at transaction.version 1, and 3.9
	Fake    = "kfake"
)

// Rows are the rows as one kind of cluster answers them.
func Rows(kind string) []Row {
	return append(codeRows(read("codes.txt"), kind), cellRows(read("cells.txt"), kind)...)
}

// Slow reports whether a row needs a cluster that forgets within seconds, or takes a minute.
func (r Row) Slow() bool {
	return r.Forgets() || strings.Contains(r.Do, "edge")
}

// Forgets reports whether a row needs a cluster whose expirations take seconds.
func (r Row) Forgets() bool {
	return strings.Contains(r.Do, "idle") || strings.Contains(r.Do, "lull")
}

// Needs reports whether a row needs version 5 of EndTxn.
func (r Row) Needs(version string) bool { return strings.Contains(r.Do, version) }

// read reads a file of testdata, from whatever package of the module the test is in.
func read(name string) string {
	dir, err := os.Getwd()
	for err == nil {
		var text []byte
		if text, err = os.ReadFile(filepath.Join(dir, "protocol", "devicetest", "testdata", name)); err == nil {
			return string(text)
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir, err = parent, nil
		}
	}
	panic(fmt.Sprintf("devicetest: run tests in weir's tree: %v", err))
}

func codeRows(text, kind string) (out []Row) {
	for line := range strings.Lines(text) {
		f := fields(line)
		switch {
		case f == nil:
		case isKind(f[0]):
			if f[0] == kind {
				last := &out[len(out)-1]
				last.Wants, last.Differs = ways(f[1]), f[2]
			}
		case len(f) == 3:
			out = append(out, Row{Name: f[0], Do: f[1], Wants: ways(f[2])})
		default:
			panic(fmt.Sprintf("devicetest: not a row: %q", line))
		}
	}
	return out
}

func isKind(word string) bool { return word == Earlier || word == Before || word == Fake }

// fields takes a line apart; nil: there is nothing in it.
func fields(line string) []string {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return nil
	}
	f := strings.Split(line, "|")
	for i := range f {
		f[i] = strings.TrimSpace(f[i])
	}
	return f
}

// ways takes "OK CT/OK" apart to "OK CT" and "OK OK".
func ways(want string) []string {
	n := 1
	for word := range strings.FieldsSeq(want) {
		n = max(n, strings.Count(word, "/")+1)
	}
	out := make([]string, n)
	for word := range strings.FieldsSeq(want) {
		either := strings.Split(word, "/")
		for i := range out {
			out[i] = strings.TrimSpace(out[i] + " " + either[min(i, len(either)-1)])
		}
	}
	return out
}

// column is a state of a transactional id: its name, how it comes about, and what that was answered.
type column struct{ name, setup, answers string }

// cellRows are the cells of the table: a column for each state, a line for each request. Where the markers of an end
// are still to be written, the answer may as well be that of the state that comes then: the column after it.
func cellRows(text, kind string) (out []Row) {
	var columns []column
	at := map[string]int{}
	for line := range strings.Lines(text) {
		f := fields(line)
		switch {
		case f == nil:
		case f[0] == "state":
			columns = append(columns, column{f[1], f[2], f[3]})
		case isKind(f[0]): // kind | request | state | answer | why
			if f[0] == kind {
				row := &out[at[f[1]+" in "+f[2]]]
				row.Wants, row.Differs = []string{f[3]}, f[4]
			}
		default:
			for i, c := range columns {
				at[f[0]+" in "+c.name] = len(out)
				out = append(out, cell(columns, f, i))
			}
		}
	}
	return out
}

func cell(columns []column, f []string, i int) Row {
	c := columns[i]
	row := Row{Name: f[0] + " in " + c.name, Do: c.setup + " " + f[0] + " markers state", Wants: []string{join(c.answers, f[1+i])}}
	if strings.HasPrefix(c.name, "Prepare") {
		if then := join(c.answers, f[2+i]); then != row.Wants[0] {
			row.Wants = append(row.Wants, then)
		}
	}
	return row
}

func join(answers, cell string) string { return strings.TrimSpace(answers + " " + cell) }
