package checker

// Spec says what a job should do. Its functions are pure: same arguments, same results, and nothing they are given is
// changed. A Spec needs Expect and Observe, or Folds, or all of them.
type Spec struct {
	// Expect appends to out the effects one input has by itself, in the order the job emits them, and returns out.
	// It is asked about aborted inputs too, to know whose effects must not appear.
	Expect func(in *Input, out []Effect) []Effect
	// Observe recognises an effect in an output record. The more of the record goes into the id, the more is checked.
	// ok=false takes the record out of the judgement by ids: for topics of Folds, or records that are none of the job's.
	Observe func(topic string, r *Record) (id []byte, ok bool)
	// Folds are the running aggregates to check.
	Folds []Fold
}

// Effect is one output record owed for one input. The slices may be parts of the input.
type Effect struct {
	// Topic is where the record must appear, in any partition.
	Topic string
	// ID names the effect within the topic. Inputs that share an id owe one record each.
	ID []byte
	// Key, unless nil, promises order: effects of one topic and key that come from one input partition appear in input
	// order within an output partition. An output topic that grows during a run moves keys: leave Key nil then, or
	// judge only drained runs.
	Key []byte
}

// Fold is a running aggregate per key: a sequential program that the job's output for the key must agree with.
type Fold struct {
	// Topic holds the values, all of one key in one partition.
	Topic string
	// Key tells to which key an input belongs; ok=false leaves the input out.
	Key func(in *Input) (key []byte, ok bool)
	// Apply folds one input into a state (nil at first) and returns the next state and the value the job would emit.
	// The two may be one slice, freshly made: state itself stays as it was.
	Apply func(state []byte, in *Input) (next, value []byte)
	// Observe reads key and value from an output record; nil means the record's key and value as they are.
	Observe func(r *Record) (key, value []byte, ok bool)
	// Order says what the order of a key's inputs matters to.
	Order Order
	// Emit says how many outputs there are.
	Emit Emit
}

// Order says how a fold depends on the order of its inputs. The less it does, the larger the keys that can be judged.
type Order uint8

const (
	// OrderMatters: different orders may lead to different values, as in a hash chain.
	OrderMatters Order = iota
	// OrderFree: once the same inputs have been folded the value is the same, as in a sum or a maximum.
	OrderFree
	// Alike: every input of a key does the same to the fold, as in a count.
	Alike
)

// Emit says which outputs a fold has.
type Emit uint8

const (
	// EmitEach: every input has exactly one output, with the value just after it.
	EmitEach Emit = iota
	// EmitLast: outputs come now and then, each with the value after some of the inputs; in a drained run the last one
	// shows all inputs. A window's result is such a fold, with the window as part of the key.
	EmitLast
	// EmitSome: as EmitLast, but nothing is promised about the last one.
	EmitSome
)
