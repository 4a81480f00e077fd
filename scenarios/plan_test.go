package scenarios

import (
	"testing"

	"weir/faults"
	"weir/sim"
)

// What a seed drew, written down as a plan and read back, is the same run, step for step.
func TestPlanIsTheRun(t *testing.T) {
	struck := make(map[faults.Kind]int)
	for i, s := range All() {
		for n := range uint64(12) {
			seed := n*uint64(len(All())) + uint64(i)
			cfg := s.config(seed, Options{Limit: faults.Full()})
			want := sim.Run(cfg)
			cfg = s.config(seed, Options{Limit: faults.Full()})
			cfg.Record = true
			recorded := sim.Run(cfg)
			var plan faults.Plan
			for _, f := range recorded.Plan {
				back, err := faults.ParseFault(f.String())
				if err != nil {
					t.Fatal(err)
				}
				plan = append(plan, back)
				struck[f.ID.Kind]++
			}
			cfg = s.config(seed, Options{})
			cfg.Plan = append(faults.Plan{}, plan...)
			got := sim.Run(cfg)
			if want.Digest != recorded.Digest || got.Digest != want.Digest || len(got.Missed) > 0 {
				t.Errorf("%s %#x: digest %x, recording %x, following %x; steps %d, %d, %d; missed %v of\n%v", s.Name, seed, want.Digest, recorded.Digest, got.Digest, want.Steps, recorded.Steps, got.Steps, got.Missed, plan)
				t.Log(want.Fired)
				t.Log(got.Fired)
				return
			}
		}
	}
	for k := range faults.Kind(faults.Kinds) {
		if struck[k] == 0 {
			t.Errorf("no plan has a %v", k)
		}
	}
}
