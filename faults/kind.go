package faults

// Kind is a family of faults.
type Kind uint8

// The kinds of fault.
const (
	CrashWorker Kind = iota
	CrashCoordinator
	CrashInEffects   // the effects of one step are cut at any index, then the process is gone
	Pause            // a process stands still past its timeouts and then wakes, a zombie
	Partition        // between nodes, or nodes and services; one way or both
	ChannelReset     // Lost at both ends
	ServiceOutage    // broker or bucket away for a while
	BucketSlow       // requests take long; objects are encoded late
	MessageLost      // a control message
	MessageDoubled   // …
	MessageReordered // passes messages sent later
	MessageDelayed   // by more than a heartbeat
	RequestLost      // never reaches the service
	ReplyLost        // applied, and the client never hears of it
	RequestLate      // applied long after the client gave up
	RequestDoubled   // applied twice, the second time later
	MarkerLate       // a transaction's markers are written long after its end was decided
	ClockJump        // a process's clock leaps ahead: its time-outs come early
	DiskFull         // a copy is not written: no space left
	DiskLost         // the power fails as well: copies that nobody synced are gone with the process
	DiskTorn         // … or only their beginnings are there
	DiskRot          // a copy reads as something else: a bit has turned, or it is another's
	DiskError        // a copy cannot be read
	DiskSlow         // … for so long that it may be too late

	Kinds = int(DiskSlow) + 1
)

// Timed reports whether k strikes at drawn moments; the others are consulted at every occasion.
func (k Kind) Timed() bool { return k <= BucketSlow || k == ClockJump }

// String is the kind's name, as plans and reports print it.
func (k Kind) String() string {
	names := [...]string{"crash-worker", "crash-coordinator", "crash-in-effects", "pause", "partition", "channel-reset",
		"service-outage", "bucket-slow", "message-lost", "message-doubled", "message-reordered", "message-delayed",
		"request-lost", "reply-lost", "request-late", "request-doubled", "marker-late", "clock-jump",
		"disk-full", "disk-lost", "disk-torn", "disk-rot", "disk-error", "disk-slow"}
	if int(k) < len(names) {
		return names[k]
	}
	return "none"
}

// ParseKind is the kind of a name.
func ParseKind(name string) (Kind, bool) {
	for k := range Kind(Kinds) {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// Phase says where the protocol stands, as an observer sees it.
type Phase uint8

// The phases.
const (
	Idle       Phase = iota // no checkpoint under way
	Triggered               // a checkpoint is triggered and no transaction of it prepared
	Prepared                // a sink has prepared, nothing is decided
	Decided                 // decided and not sealed
	Recovering              // an attempt is claimed and has not triggered yet

	Phases = int(Recovering) + 1
)

// String is the phase's name.
func (p Phase) String() string {
	names := [...]string{"idle", "triggered", "prepared", "decided", "recovering"}
	if int(p) < len(names) {
		return names[p]
	}
	return "none"
}

// Counts is how often each kind struck in each phase.
type Counts [Kinds][Phases]uint64

// Of is how often k struck.
func (c *Counts) Of(k Kind) (n uint64) {
	for _, v := range c[k] {
		n += v
	}
	return n
}

// Total is how many faults struck.
func (c *Counts) Total() (n uint64) {
	for k := range Kind(Kinds) {
		n += c.Of(k)
	}
	return n
}

// Add adds the counts of another run.
func (c *Counts) Add(d *Counts) {
	for k := range c {
		for p := range c[k] {
			c[k][p] += d[k][p]
		}
	}
}
