package checker

import (
	"fmt"
	"strings"
)

// maxPerKind bounds the failures of one kind that are kept with their evidence; the rest is only counted.
const maxPerKind = 8

// Result is the short form of a Verdict.
type Result uint8

const (
	// Unknown means that the history could not be judged, wholly or in part. It is not a pass.
	Unknown Result = iota
	// Pass means that everything the Spec defines was judged and holds.
	Pass
	// Fail means that the history is impossible for a job that is exactly-once.
	Fail
)

// String returns "unknown", "pass" or "fail".
func (r Result) String() string {
	switch r {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	}
	return "unknown"
}

// MarshalText makes a Result readable in JSON.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Kind is a class of failure.
type Kind uint8

const (
	// Lost: an input's effect is missing for good, for all readers or for one.
	Lost Kind = iota + 1
	// Doubled: an effect is there twice, or an input counted twice in a fold.
	Doubled
	// Reordered: effects of one key, or offsets within one reader, came in the wrong order.
	Reordered
	// AbortedRead: the effect of an aborted input, or a record that was there for one reader and not for a later one.
	AbortedRead
	// Torn: of one input's several effects some are there and some are missing for good.
	Torn
	// Phantom: an output that no input explains, or that was there before its input.
	Phantom
)

// kinds is one more than the highest Kind.
const kinds = Phantom + 1

// String returns the kind in lower case, "aborted read" with a space.
func (k Kind) String() string {
	switch k {
	case Lost:
		return "lost"
	case Doubled:
		return "doubled"
	case Reordered:
		return "reordered"
	case AbortedRead:
		return "aborted read"
	case Torn:
		return "torn"
	case Phantom:
		return "phantom"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// MarshalText makes a Kind readable in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Verdict is the answer of Check.
type Verdict struct {
	Result Result `json:"result"`
	// Failures are the first few of each kind, with evidence, in the order they were found.
	Failures []Failure `json:"failures,omitempty"`
	// Tally counts all failures by kind, also those that are not in Failures.
	Tally []Tally `json:"tally,omitempty"`
	// Unjudged says what could not be judged and why.
	Unjudged []string `json:"unjudged,omitempty"`
	// Scope is how much was looked at: a pass over nothing says nothing.
	Scope Scope `json:"scope"`
}

// Tally is how often one kind of failure was found.
type Tally struct {
	Kind Kind `json:"kind"`
	N    int  `json:"n"`
}

// Scope counts what a verdict rests on.
type Scope struct {
	Inputs   int `json:"inputs"`   // input records that were not aborted
	Aborted  int `json:"aborted"`  // input records that were
	Records  int `json:"records"`  // different output records seen by at least one reader
	Effects  int `json:"effects"`  // output records matched with an expected effect
	Keys     int `json:"keys"`     // keys of folds
	Values   int `json:"values"`   // output records judged as values of folds
	Searches int `json:"searches"` // keys given to the linearizability search
}

// Failure is one proof that the run was not exactly-once.
type Failure struct {
	Kind Kind `json:"kind"`
	// Text tells what happened, in one sentence.
	Text string `json:"text"`
	// Key and ID are the key and the effect concerned, where there is one.
	Key string `json:"key,omitempty"`
	ID  string `json:"id,omitempty"`
	// Inputs are the input records concerned.
	Inputs []Cause `json:"inputs,omitempty"`
	// Seen are the fetches that prove it.
	Seen []Sighting `json:"seen,omitempty"`
}

// Cause points to an input record.
type Cause struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	At        int64  `json:"at"`
}

// Sighting is one record, or its absence, as one reader's fetch showed it.
type Sighting struct {
	Reader    string `json:"reader"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Absent    bool   `json:"absent,omitempty"` // the fetch went past the offset, or ended there, without the record
	Call      int64  `json:"call"`
	Return    int64  `json:"return"`
}

// String renders the failure with its evidence, one line each.
func (f Failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %s", f.Kind, f.Text)
	for _, c := range f.Inputs {
		fmt.Fprintf(&b, "\n    input %s/%d offset %d, appended at %d", c.Topic, c.Partition, c.Offset, c.At)
	}
	for _, s := range f.Seen {
		fmt.Fprintf(&b, "\n    %v", s)
	}
	return b.String()
}

// String renders the sighting on one line.
func (s Sighting) String() string {
	verb := "got"
	if s.Absent {
		verb = "did not get"
	}
	return fmt.Sprintf("reader %s %s %s/%d offset %d, fetch from %d to %d", s.Reader, verb, s.Topic, s.Partition, s.Offset, s.Call, s.Return)
}

// String renders the verdict: the result, then failures and what was not judged.
func (v Verdict) String() string {
	var b strings.Builder
	b.WriteString(v.Result.String())
	for _, t := range v.Tally {
		fmt.Fprintf(&b, ", %d %v", t.N, t.Kind)
	}
	for _, f := range v.Failures {
		fmt.Fprintf(&b, "\n  %v", f)
	}
	for _, u := range v.Unjudged {
		fmt.Fprintf(&b, "\n  not judged: %s", u)
	}
	return b.String()
}

// Count returns how many failures of kind k were found.
func (v Verdict) Count(k Kind) int {
	for _, t := range v.Tally {
		if t.Kind == k {
			return t.N
		}
	}
	return 0
}
