package sim

import (
	"strconv"

	"weir/checker"
)

// Checker is the history as package checker takes it. Complete says that the job had time to handle all input; a run
// that passed its liveness phase, or finished, did.
func (h *History) Checker(complete bool) checker.History {
	inputs := 0
	for i := range h.Appends {
		inputs += len(h.Appends[i].Entries)
	}
	out := checker.History{Complete: complete, Fetches: make([]checker.Fetch, 0, len(h.Fetches)), Inputs: make([]checker.Input, 0, inputs)}
	for i := range h.Appends {
		a := &h.Appends[i]
		fate := checker.Committed
		if a.Fate == Aborted {
			fate = checker.Aborted
		}
		for _, e := range a.Entries {
			out.Inputs = append(out.Inputs, checker.Input{Topic: a.Topic, Partition: int32(a.Partition), Offset: e.Offset, At: int64(a.At), Fate: fate, Key: e.Key, Value: e.Value})
		}
	}
	names := make(map[[2]int]string)
	for i := range h.Fetches {
		f := &h.Fetches[i]
		who := [2]int{f.Reader, f.Life}
		if names[who] == "" {
			names[who] = "reader " + strconv.Itoa(f.Reader) + "." + strconv.Itoa(f.Life)
		}
		out.Fetches = append(out.Fetches, f.checker(names[who]))
	}
	return out
}

func (f *Fetch) checker(reader string) checker.Fetch {
	return checker.Fetch{
		Reader: reader, Topic: f.Topic, Partition: int32(f.Partition), Call: int64(f.At), Return: int64(f.At), From: int64(f.From),
		Records: f.Entries,
	}
}
