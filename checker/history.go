package checker

// History is what a bystander saw of one run. Times are nanoseconds of one clock, real or virtual, for the whole history.
type History struct {
	// Inputs holds every record of the input logs, in any order.
	Inputs []Input
	// Fetches holds every fetch by an outside reader that came back; each reader's own fetches are in the order it made
	// them. At least one reader of every output partition starts where the run's output starts.
	Fetches []Fetch
	// Complete says that the run was drained: the job had time to handle all inputs, and the readers to read the output.
	// Then a missing effect is a failure. Without it only safety is judged: no doubles, no phantoms, order, no holes.
	// In a drained run a reader whose last fetch of a partition came back empty claims to have read to its end.
	Complete bool
}

// Fate says what became of the transaction that wrote an input record.
type Fate uint8

const (
	// Committed inputs must have their effects exactly once; so must inputs written without a transaction.
	Committed Fate = iota
	// Aborted inputs must have no effect.
	Aborted
	// Unsure inputs may have their effects once or not at all, but not in part. Read the input log back to avoid them:
	// a key with more than four is not judged.
	Unsure
)

// Input is one record of an input log.
type Input struct {
	Topic     string
	Partition int32
	Offset    int64
	// At is a moment not later than the one from which the job could read the record, such as when the append began.
	At         int64
	Fate       Fate
	Key, Value []byte
}

// Fetch is one answer to an outside reader.
type Fetch struct {
	// Reader names who asked. A reader that starts again at an earlier position takes a new name.
	Reader    string
	Topic     string
	Partition int32
	// Call and Return are when the reader asked and when it had the answer.
	Call, Return int64
	// From is the offset asked for. It may lie beyond the last record returned before: transaction markers and aborted
	// records use up offsets.
	From    int64
	Records []Record
}

// Record is one record of an output log as a reader got it.
type Record struct {
	Offset     int64
	Key, Value []byte
}

// place is one partition of one topic.
type place struct {
	topic     string
	partition int32
}
