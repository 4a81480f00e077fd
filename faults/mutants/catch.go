package mutants

// Never is Catch.Seeds of a bug that was not caught within the limit.
const Never = -1

// Catch is how a hunt for one mutant ended.
type Catch struct {
	Seeds    int    `json:"seeds"` // until the first failure, it included; or Never
	Seed     string `json:"seed,omitempty"`
	Scenario string `json:"scenario,omitempty"`
	Broken   string `json:"broken,omitempty"` // the invariant, verdict or panic
	Message  string `json:"message,omitempty"`
}

// Found is what the hunter prints.
type Found struct {
	With  Catch `json:"with"`  // with all invariants
	Alone Catch `json:"alone"` // by the exactly-once checker alone
}
