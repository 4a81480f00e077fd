package scenarios

import (
	"testing"

	"weir/faults"
	"weir/sim/broker"
)

// failing is the first seed with many faults of a job that forgets on every restart what it counted.
func failing(t *testing.T) *File {
	s := linear()
	s.Factory, s.Spec = forgetful, counted("linear-out")
	s.Outputs[0].Count = func(n int) int { return n }
	for seed := range uint64(200) {
		if f, o := s.File(seed, Options{Limit: faults.Full()}); o.Broken == ExactlyOnce && len(f.Plan) > 30 {
			return f
		}
	}
	t.Fatal("no seed fails")
	return nil
}

func TestShrink(t *testing.T) {
	f := failing(t)
	s, err := NewShrink(f, 1000)
	if err != nil {
		t.Fatal(err)
	}
	s.Run()
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	for _, p := range s.Passes {
		t.Logf("%+v", p)
	}
	t.Logf("%d runs, from %d faults:\n%s", s.Runs, len(f.Plan), s.Best)
	if len(s.Best.Plan) != 1 || s.Best.Records > 8 || s.Runs > 1000 || s.processes() > 5 {
		t.Errorf("one fault and a few records do: %d runs came to\n%s", s.Runs, s.Best)
	}
	if _, err := NewShrink(&File{Expect: "pass", Scenario: "linear", scenario: linear(), Records: 10, Fewer: 1, Kafka: broker.Kafka43, Horizon: 1e9, Jobs: f.Jobs}, 10); err == nil {
		t.Error("a run that passes is shrunk")
	}
}
