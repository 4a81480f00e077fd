package checkpoint

import "weir/protocol"

// owes is the set of tasks that have not answered.
type owes struct {
	// Invariant: open[t] means task t owes an answer.
	open []bool
	left int
}

func newOwes(tasks []protocol.TaskID, highest protocol.TaskID) owes {
	o := owes{open: make([]bool, highest+1)}
	for _, t := range tasks {
		o.open[t] = true
		o.left++
	}
	return o
}

// settle takes t off; false: it owed nothing.
func (o *owes) settle(t protocol.TaskID) bool {
	if int(t) >= len(o.open) || !o.open[t] {
		return false
	}
	o.open[t] = false
	o.left--
	return true
}

func (o *owes) done() bool { return o.left == 0 }

// each calls f for every task that owes, in order.
func (o *owes) each(f func(protocol.TaskID)) {
	for t, open := range o.open {
		if open {
			f(protocol.TaskID(t))
		}
	}
}
