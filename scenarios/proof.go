package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/checker"
	"weir/faults"
	"weir/protocol"
	"weir/sim"
)

// Proof is a failure in the words of the domain.
type Proof struct {
	Verdict  string   // one line
	Evidence []string // lines
	Model    string   // what was expected, where it can be said in one line
	Observed string
}

// readings are the oracle's own, of a history.
func (s *Scenario) readings(h *checker.History) []Reading {
	if s.Readings != nil {
		return s.Readings(h)
	}
	return []Reading{{*h, s.Spec}}
}

// proof says what is wrong with an outcome.
func (s *Scenario) proof(o *Outcome) Proof {
	judged := o.Verdict.Result == checker.Fail && len(o.Verdict.Failures) > 0
	stuck := o.Run.Failure != nil && o.Run.Failure.Class == "stuck"
	if !judged || o.Broken != ExactlyOnce && !stuck {
		return worldProof(o)
	}
	var tally []string
	for _, t := range o.Verdict.Tally {
		tally = append(tally, fmt.Sprintf("%d %v", t.N, t.Kind))
	}
	f := &o.Verdict.Failures[0]
	p := Proof{Verdict: "exactly-once is violated: " + strings.Join(tally, ", ") + fmt.Sprintf(", in the output of %d inputs", o.Verdict.Scope.Inputs)}
	if stuck {
		p.Verdict += fmt.Sprintf(", though the run waited for more until %s", seconds(int64(o.Run.Failure.At)))
	}
	p.Evidence = append(p.Evidence, f.Kind.String()+": "+f.Text)
	h := o.Run.History.Checker(true)
	for _, c := range f.Inputs {
		p.Evidence = append(p.Evidence, fmt.Sprintf("input %s/%d offset %d, appended at %s: %s", c.Topic, c.Partition, c.Offset, seconds(c.At), inputValue(&h, c)))
	}
	for _, v := range f.Seen {
		verb := "read"
		if v.Absent {
			verb = "missed"
		}
		p.Evidence = append(p.Evidence, fmt.Sprintf("%s at %s by %s: %s/%d offset %d", verb, seconds(v.Return), v.Reader, v.Topic, v.Partition, v.Offset))
	}
	if stuck {
		why, _, _ := strings.Cut(o.Run.Failure.Text, "\n")
		p.Evidence = append(p.Evidence, "and the run did not come to its end: "+why)
	}
	for _, r := range s.readings(&h) {
		if p.Model == "" {
			p.Model, p.Observed = values(&r.History, &r.Spec, f)
		}
	}
	return p
}

func worldProof(o *Outcome) Proof {
	p := Proof{Verdict: "it passes"}
	if o.Unknown {
		p.Verdict = "the checker reached a limit: " + o.Message
	}
	if f := o.Run.Failure; f != nil {
		p.Verdict = fmt.Sprintf("%s, at %s, in phase %v", inWords(f), seconds(int64(f.At)), f.Phase)
		if f.Class == "panic" {
			text, _, _ := strings.Cut(f.Text, "\n")
			p.Verdict += ": " + text
		}
		for line := range strings.Lines(f.Text) {
			p.Evidence = append(p.Evidence, strings.TrimRight(line, "\n"))
		}
	}
	return p
}

// inWords is the class and the name of a failure for people.
func inWords(f *sim.Failure) string {
	switch f.Class {
	case "stuck":
		return "the job is stuck: it does not come to an end, or does not seal a checkpoint"
	case "verdict":
		if f.Name == protocol.Exhausted.String() {
			return "the job gave up: it restarted again and again, and nothing came of it"
		}
		if f.Name == protocol.LostWork.String() {
			return "decided output is lost, and the job has ended for it"
		}
		return "the job ended as it should not: " + f.Name
	case "panic":
		return "a machine panics"
	case "invariant":
		return fmt.Sprintf("invariant %s is broken: %s", f.Name, invariantText(f.Name))
	}
	return f.Class + " " + f.Name
}

// invariantText is what an invariant demands.
func invariantText(name string) string {
	for _, t := range [][2]string{
		{sim.CheckCut.String(), "a snapshot holds what came before the barrier and nothing from behind it"},
		{sim.CheckOrigins.String(), "no record is on the wrong side of the source's position"},
		{sim.CheckFencing.String(), "a recovery fences every transactional id of older attempts, and nothing of theirs commits after it"},
		{sim.CheckManifests.String(), "a decided manifest refers to durable objects only"},
		{sim.CheckDeletes.String(), "nothing that HEAD's manifests list is deleted"},
		{sim.CheckBatches.String(), "a batch is given back once, by who holds it"},
		{sim.CheckWaits.String(), "every wait has an end"},
		{sim.CheckSettles.String(), "a job that has ended holds no reader up"},
		{sim.CheckAges.String(), "no ack makes a transaction younger than it is"},
		{sim.CheckCalm.String(), "nothing restarts before anything has gone wrong"},
	} {
		if t[0] == name {
			return t[1]
		}
	}
	return "as its name says"
}

// seconds is a time of the world from the start of the run, to the millisecond.
func seconds(at int64) string { return faults.Span(int64(sinceStart(at)) / 1_000_000 * 1_000_000) }

func inputValue(h *checker.History, c checker.Cause) string {
	for i := range h.Inputs {
		if in := &h.Inputs[i]; in.Topic == c.Topic && in.Partition == c.Partition && in.Offset == c.Offset {
			return fmt.Sprintf("%.80q", in.Value)
		}
	}
	return "not found"
}

// values says what the model has and what was seen, of the key or the effect concerned; nothing of what is not there at all.
func values(h *checker.History, spec *checker.Spec, f *checker.Failure) (model, observed string) {
	for i := range spec.Folds {
		if fold := &spec.Folds[i]; f.Key != "" && f.ID == "" && strings.Contains(f.Text, fold.Topic) {
			want, got := folded(h, fold, f.Key), seenOf(h, fold, f.Key)
			return sideBySide(want, got)
		}
	}
	if f.ID == "" || spec.Observe == nil || f.Kind == checker.Reordered { // each is there once: the evidence has the order
		return "", ""
	}
	var want, got []string
	for i := range h.Inputs {
		if in := &h.Inputs[i]; in.Fate != checker.Aborted {
			for _, e := range spec.Expect(in, nil) {
				if string(e.ID) == f.ID {
					want = append(want, "once in "+e.Topic)
				}
			}
		}
	}
	for _, r := range records(h, "") {
		if id, ok := spec.Observe(r.topic, &r.Record); ok && string(id) == f.ID {
			got = append(got, fmt.Sprintf("%s/%d offset %d", r.topic, r.partition, r.Offset))
		}
	}
	if len(want)+len(got) == 0 {
		return "", ""
	}
	return cmp.Or(strings.Join(want, ", "), "nothing"), cmp.Or(strings.Join(got, ", "), "nothing")
}

// folded is the values of a key as the model has them, in the order in which its inputs were appended.
func folded(h *checker.History, fold *checker.Fold, key string) (out []string) {
	var state, value []byte
	for i := range h.Inputs {
		in := &h.Inputs[i]
		if k, ok := fold.Key(in); ok && in.Fate != checker.Aborted && string(k) == key {
			state, value = fold.Apply(state, in)
			out = append(out, string(value))
		}
	}
	return out
}

func seenOf(h *checker.History, fold *checker.Fold, key string) (out []string) {
	for _, r := range records(h, fold.Topic) {
		k, v, ok := r.Key, r.Value, true
		if fold.Observe != nil {
			k, v, ok = fold.Observe(&r.Record)
		}
		if ok && string(k) == key {
			out = append(out, string(bytes.TrimSpace(v)))
		}
	}
	return out
}

// outputRecord is a record with its place.
type outputRecord struct {
	checker.Record
	topic     string
	partition int32
}

// records is every output record that a reader saw, each once, in the order of the log; of one topic, or of all.
func records(h *checker.History, topic string) (out []outputRecord) {
	for i := range h.Fetches {
		f := &h.Fetches[i]
		if topic != "" && f.Topic != topic {
			continue
		}
		for _, r := range f.Records {
			out = append(out, outputRecord{r, f.Topic, f.Partition})
		}
	}
	slices.SortStableFunc(out, func(a, b outputRecord) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.Offset, b.Offset))
	})
	return slices.CompactFunc(out, func(a, b outputRecord) bool {
		return a.topic == b.topic && a.partition == b.partition && a.Offset == b.Offset
	})
}

// Bounds of the values shown of a list.
const (
	mostValues = 10
	mostValue  = 60 // bytes of each
)

// readable is a value as it is, if it can be printed on a line and is short.
func readable(v string) string {
	if len(v) > mostValue || v == "" || strings.ContainsFunc(v, func(c rune) bool { return !strconv.IsPrint(c) }) {
		return fmt.Sprintf("%.*q", mostValue, v)
	}
	return v
}

// sideBySide are two lists around their first difference.
func sideBySide(want, got []string) (string, string) {
	differ := 0
	for differ < min(len(want), len(got)) && want[differ] == got[differ] {
		differ++
	}
	from := max(0, differ-4)
	show := func(list []string) string {
		text := ""
		if from > 0 {
			text = "… "
		}
		upTo := min(len(list), from+mostValues)
		for _, v := range list[min(from, len(list)):upTo] {
			text += readable(v) + " "
		}
		text = strings.TrimSuffix(text, " ")
		if upTo < len(list) {
			text += " …"
		}
		return cmp.Or(text, "nothing")
	}
	return show(want), show(got)
}
