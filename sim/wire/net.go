package wire

import "weir/protocol"

// Request names one request of a process to a service, so that faults can be addressed to it.
type Request struct {
	Node    protocol.NodeID
	Kind    string            // the effect: "Store", "EndTxn", "Fetch" …
	Object  string            // object key, transactional id or topic
	Timeout protocol.Duration // without a reply by then, the client gives up
}

// Timer is a wait with an end. Most are over long before.
type Timer interface {
	// Over reports whether the wait has ended; then it stays so.
	Over() bool
	// Due ends it.
	Due()
}

// Net carries requests between processes and services, and is their clock. The world implements it with faults; a test
// with none.
type Net interface {
	Now() protocol.Time
	// After runs fn once, d later.
	After(d protocol.Duration, fn func())
	// Expire lets t come due once, d later, unless it is over by then.
	Expire(d protocol.Duration, t Timer)
	// Call carries a request. apply runs when it reaches the service: once, or twice (a request doubled on another
	// connection), or never (lost on the way), perhaps long after the client gave up. It returns what delivers the reply.
	// Exactly one of reply and lost runs, at most once, unless the process dies first: reply when the first reply gets
	// through in time, lost at the timeout otherwise.
	Call(req Request, apply func() (reply func()), lost func())
}
