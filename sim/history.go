package sim

import (
	"strconv"

	"weir/checker"
)

// Checker is the history as package checker takes it. Complete says that the job had time to handle all input; a run
// that passed its liveness phase, or finished, did.
func (h *History) Checker(complete bool) checker.History {
	out := checker.History{Complete: complete}
	for _, a := range h.Appends {
		fate := checker.Committed
		if a.Fate == Aborted {
			fate = checker.Aborted
		}
		for _, e := range a.Entries {
			out.Inputs = append(out.Inputs, checker.Input{Topic: a.Topic, Partition: int32(a.Partition), Offset: int64(e.Offset), At: int64(a.At), Fate: fate, Key: e.Key, Value: e.Value})
		}
	}
	for i := range h.Fetches {
		out.Fetches = append(out.Fetches, h.Fetches[i].checker())
	}
	return out
}

func (f *Fetch) checker() checker.Fetch {
	out := checker.Fetch{
		Reader: "reader " + strconv.Itoa(f.Reader) + "." + strconv.Itoa(f.Life), Topic: f.Topic, Partition: int32(f.Partition),
		Call: int64(f.At), Return: int64(f.At), From: int64(f.From),
	}
	for _, e := range f.Entries {
		out.Records = append(out.Records, checker.Record{Offset: int64(e.Offset), Key: e.Key, Value: e.Value})
	}
	return out
}
