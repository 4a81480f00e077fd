package scenarios

import "testing"

// What failed once must not fail again. These come before all seeds, here and in weir fuzz.
func TestRegressions(t *testing.T) {
	list, err := Regressions()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 10 {
		t.Errorf("only %d files", len(list))
	}
	for i := range list {
		r := &list[i]
		t.Run(r.Name, func(t *testing.T) {
			o, err := r.Repeat()
			if err != nil {
				t.Errorf("%v\nrepeat: go run ./cmd/weir repro scenarios/regressions/%s.scenario", err, r.Name)
			}
			if len(r.Comment) == 0 || o.Run.Sealed == 0 {
				t.Errorf("it says nothing about what it is for, or seals nothing: %d checkpoints", o.Run.Sealed)
			}
		})
	}
}
