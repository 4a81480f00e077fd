package scenarios

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weir/checker"
	"weir/faults"
)

// Proof is a failure in the words of the domain.
type Proof struct {
	Verdict  string   // one line
	Evidence []string // lines
	Model    string   // what was expected, where it can be said in one line
	Observed string
}

// model is the oracle's own reading of the job.
func (s *Scenario) model() checker.Spec {
	if s.Judge != nil && s.Name == AccessLog().Name {
		return AccessLogSpec()
	}
	return s.Spec
}

// proof says what is wrong with an outcome.
func (s *Scenario) proof(o *Outcome) Proof {
	if o.Broken != ExactlyOnce || len(o.Verdict.Failures) == 0 {
		return worldProof(o)
	}
	var tally []string
	for _, t := range o.Verdict.Tally {
		tally = append(tally, fmt.Sprintf("%d %v", t.N, t.Kind))
	}
	f := &o.Verdict.Failures[0]
	p := Proof{Verdict: "exactly-once is violated: " + strings.Join(tally, ", ") + fmt.Sprintf(", of %d inputs", o.Verdict.Scope.Inputs), Evidence: []string{f.Kind.String() + ": " + f.Text}}
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
	spec := s.model()
	p.values(&h, &spec, f)
	return p
}

func worldProof(o *Outcome) Proof {
	p := Proof{Verdict: "it passes"}
	if o.Unknown {
		p.Verdict = "the checker reached a limit: " + o.Message
	}
	if f := o.Run.Failure; f != nil {
		what := map[string]string{"invariant": "invariant %q is broken", "stuck": "the job is stuck: %s", "verdict": "the job ended as it should not: %s", "panic": "a machine panics (%s)"}[f.Class]
		if what == "" {
			what = f.Class + " %s"
		}
		p.Verdict = fmt.Sprintf(what, f.Name) + fmt.Sprintf(", at %s, in phase %v", seconds(int64(f.At)), f.Phase)
		for line := range strings.Lines(f.Text) {
			p.Evidence = append(p.Evidence, strings.TrimRight(line, "\n"))
		}
	}
	return p
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

// values says what the model has and what was seen, of the key or the effect concerned.
func (p *Proof) values(h *checker.History, spec *checker.Spec, f *checker.Failure) {
	for i := range spec.Folds {
		if fold := &spec.Folds[i]; f.Key != "" && f.ID == "" && strings.Contains(f.Text, fold.Topic) {
			want, got := folded(h, fold, f.Key), seenOf(h, fold, f.Key)
			p.Model, p.Observed = sideBySide(want, got)
			return
		}
	}
	if f.ID == "" || spec.Observe == nil {
		return
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
	p.Model, p.Observed = cmp.Or(strings.Join(want, ", "), "nothing"), cmp.Or(strings.Join(got, ", "), "nothing")
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

// mostValues bounds the values shown of a list.
const mostValues = 10

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
		text += strings.Join(list[min(from, len(list)):upTo], " ")
		if upTo < len(list) {
			text += " …"
		}
		return cmp.Or(text, "nothing")
	}
	return show(want), show(got)
}
