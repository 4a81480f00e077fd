package protocol

// Outcome says how an effect ended. Which outcomes an effect can have stands at its event.
type Outcome uint8

// The outcomes. Only OK means that the effect did what it says.
const (
	OK         Outcome = 1 + iota
	Unknown            // it may have happened, or may happen later
	Conflict           // a condition was not met: another version is there (HTTP 412)
	Retry              // it did not happen; the service says: again, the same
	Ask                // the service refuses in words that fit both "done" and "lost": ask the ledger
	NotFound           // there is no such object, topic or record
	OutOfRange         // the offset is not in the log
	Denied             // not allowed: nothing a retry would change
	Corrupt            // what was read is not what was written
)

// String is the outcome's name as traces print it.
func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Unknown:
		return "unknown"
	case Conflict:
		return "conflict"
	case Retry:
		return "retry"
	case Ask:
		return "ask"
	case NotFound:
		return "not-found"
	case OutOfRange:
		return "out-of-range"
	case Denied:
		return "denied"
	case Corrupt:
		return "corrupt"
	}
	return "none"
}
