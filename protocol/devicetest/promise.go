package devicetest

// Promise names one thing that a device must do. It is the name of the test too.
type Promise string

// The promises of the bucket.
const (
	StoreCreates       Promise = "store creates once"
	StoreReplaces      Promise = "store replaces the version it names"
	StoreNeedsPresence Promise = "store with a version needs an object"
	StoreRaces         Promise = "race to create has one winner"
	StoreSwapRaces     Promise = "race to replace has one winner"
	StoreBigRaces      Promise = "race to replace by big bodies has one winner"
	StoreShapes        Promise = "empty and big objects come back whole"
	LoadSees           Promise = "load sees what any process has stored"
	LoadWhole          Promise = "load beside replacements is one whole object, no older than its version"
	LoadMisses         Promise = "load of nothing is not-found"
	DeleteRepeats      Promise = "delete is idempotent and makes room"
	StoreSums          Promise = "stored tells size and sum of what it encoded"
	StoreSequences     Promise = "any sequence of calls is as in a map with versions"

	CopyReadsBack Promise = "copy reads back"
	CopyMisses    Promise = "copy that was not kept, or on another shelf, is not-found"
	CopyReplaces  Promise = "copy kept again is the new one"
	RetainRemoves Promise = "retain removes the others of its shelf only"
	CopyShapes    Promise = "any copy reads back under any name"
)

// The promises of the log.
const (
	SurveyAnswers      Promise = "survey tells topic id and ranges"
	SurveyMisses       Promise = "survey of no topic is not-found"
	FetchReads         Promise = "fetch reads from any offset, within its limit"
	FetchPassesGaps    Promise = "fetch passes control records and aborted ones"
	FetchIdles         Promise = "fetch with nothing to read answers, empty"
	FetchWaits         Promise = "fetch sees what comes while it waits"
	FetchOutOfRange    Promise = "fetch outside the log is out-of-range"
	FetchForeign       Promise = "fetch from a topic made anew is not-found"
	TxnHidden          Promise = "transaction is invisible until its end"
	TxnAborts          Promise = "aborted transaction is never visible"
	TxnOrdered         Promise = "produce keeps the order within a partition"
	TxnStable          Promise = "open transaction holds the stable offset"
	EndRepeats         Promise = "end repeated in its version is the same end"
	EndOnce            Promise = "end against the first end asks"
	EndForeign         Promise = "end of an unknown id asks"
	CommitByAnother    Promise = "another client commits what a dead one flushed"
	EndLate            Promise = "late end does not touch what the next owner has open"
	EndAfterZombie     Promise = "end repeated after a zombie's produce is the same end"
	FenceOnce          Promise = "fence asked once decides the abort"
	FenceAborts        Promise = "late commit after a fence asks and shows nothing"
	FenceRefuses       Promise = "produce after a fence fails"
	FenceFresh         Promise = "fence of an id never used"
	FenceKeeps         Promise = "fence after a commit keeps it"
	LedgerJudges       Promise = "ledger read tells present, absent, not yet"
	LedgerForeign      Promise = "ledger read of another topic is corrupt"
	OpenAborts         Promise = "open of an id aborts what it had open"
	OpenTwice          Promise = "one pair, one transaction"
	OpenUnknownTopic   Promise = "open for a topic that is not there is not OK"
	ZombieProduce      Promise = "produce after another client's end is never visible"
	ProduceDead        Promise = "produce and flush without a slot are unknown"
	FlushCloses        Promise = "flush closes the slot"
	FlushEmpty         Promise = "flush of nothing is OK, and there is nothing to commit"
	EraseAppends       Promise = "erase appends a tombstone, at once visible"
	ListOpen           Promise = "list shows open transactions of the prefix"
	StuckReleased      Promise = "open transaction of the dead holds readers until a fence"
	MarkerByHand       Promise = "commit of what was aborted by hand is OK, and the ledger misses it"
	TimeoutAborts      Promise = "transaction past its timeout is aborted, late commit asks"
	PartitionsTogether Promise = "one transaction spans partitions and topics"
)
