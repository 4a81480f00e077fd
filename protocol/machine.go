package protocol

// A Machine is a deterministic state machine that performs no I/O.
//
// Given equal sequences of (now, event), two equal machines append equal effects.
type Machine interface {
	Step(now Time, ev Event, out *Effects)
	// Pending lists what the machine waits for, each entry with its deadline.
	Pending() []Wait
}

// Wait is one entry of a machine's pending work.
type Wait struct {
	What     string // the effect or message owed, as a person reads it
	Op       OpID   // zero where the answer is a message
	Deadline Time   // when the machine stops waiting and acts without the answer
}

// A Device performs one family of effects and reports each outcome, at most once, through done.
// It never calls back into the machine that is stepping.
type Device interface {
	Perform(from Address, ef Effect, done func(Event))
}

// Effects is an ordered list, owned by the driver and reused across steps.
type Effects struct{ list []Effect }

// Append adds an effect at the end.
func (e *Effects) Append(ef Effect) { e.list = append(e.list, ef) }

// All is the list; it is valid until Reset.
func (e *Effects) All() []Effect { return e.list }

// Reset empties the list and keeps its memory.
func (e *Effects) Reset() { clear(e.list); e.list = e.list[:0] }

// Broken is what Assert panics with. Whoever recovers from panics of user code panics with it again.
type Broken string

// Error says what is broken.
func (b Broken) Error() string { return "protocol: broken invariant: " + string(b) }

// Assert panics with Broken when a programming error shows: it is on in production too, because going on would be worse.
func Assert(ok bool, what string) {
	if !ok {
		panic(Broken(what))
	}
}
