package weir

import (
	"fmt"
	"strings"

	"weir/protocol/batch"
)

// Job is a job while its factory puts it together.
type Job struct {
	name  string
	nodes []*node // in the order of creation, so that inputs come before users
	// Invariant: found holds the mistakes that later steps cannot see any more.
	found []error
}

// New is a job without operators. The name begins object keys and transactional ids: it must stay the same.
func New(name string) *Job { return &Job{name: name} }

// node is one call of the API.
type node struct {
	job   *Job
	index int
	verb  string // the function called
	id    string // empty: KeyBy and Union, which have neither state nor failures of their own
	in    []*node
	users []*node // in the order of creation; a user appears once per use
	// Invariant: stage is the index of the stage that begins here, or -1.
	stage          int
	topic          string
	bounded, keyed bool
	// root makes the code that begins a stage here; nil unless From, Aggregate or Process.
	root func(*chain) func(*batch.Batch)
	// enter makes the func(T) that takes a record of an input further; nil where a stage begins.
	enter func(*chain) any
}

// add appends a node for a call of the API on the streams in.
func (j *Job) add(verb, id string, in ...*node) *node {
	n := &node{job: j, index: len(j.nodes), verb: verb, id: id, in: in, stage: -1}
	j.nodes = append(j.nodes, n)
	for _, up := range in {
		if up.job != j {
			err := fmt.Errorf("%s takes a stream of job %q, %s, and one of job %q: a stream stays in its job", n, up.job.name, up, j.name)
			j.found, up.job.found = append(j.found, err), append(up.job.found, err)
		}
		up.users = append(up.users, n)
	}
	if verb != "KeyBy" && verb != "Union" {
		j.checkID(n)
	}
	return n
}

func (j *Job) checkID(n *node) {
	if n.id == "" || strings.ContainsAny(n.id, "/ \t\n") {
		j.errorf("%s: an id must not be empty and has no slash or space, because it names state and transactional ids", n)
		return
	}
	for _, other := range j.nodes[:n.index] {
		if other.id == n.id {
			j.errorf("%s: the id is taken by %s: ids name state and must be unique", n, other)
			return
		}
	}
}

func (j *Job) errorf(format string, args ...any) {
	j.found = append(j.found, fmt.Errorf(format, args...))
}

// must notes as a mistake that something the node needs is nil.
func (n *node) must(ok bool, what string) {
	if !ok {
		n.job.errorf("%s: %s is missing", n, what)
	}
}

// String is how errors speak of a node.
func (n *node) String() string {
	s := fmt.Sprintf("%s %q", n.verb, n.id)
	if n.id == "" && n.verb == "KeyBy" || n.verb == "Union" {
		s = n.verb
	}
	if n.id == "" && len(n.in) > 0 {
		s += " after " + n.in[0].String()
	}
	return s
}
