package wire

import "weir/protocol"

// Request names one request of a process to a service, so that faults can be addressed to it.
type Request struct {
	Node    protocol.NodeID
	Kind    string            // the effect: "Store", "EndTxn", "Fetch" …
	Object  string            // object key, transactional id or topic
	Timeout protocol.Duration // without a reply by then, the client gives up
}

// Exchange is a request as its client knows it.
type Exchange interface {
	// Apply is the request reaching the service: once, or twice (a request doubled on another connection), or never (lost
	// on the way), perhaps long after the client gave up. It returns the reply; nil: there is none.
	Apply() Reply
	// Lost is the client giving up.
	Lost()
}

// Reply is what came of one Apply.
type Reply interface {
	// Deliver is the reply reaching the client.
	Deliver()
}

// Funcs is an Exchange made of functions, for requests so rare that it does not matter what they cost.
func Funcs(apply func() (reply func()), lost func()) Exchange { return &funcs{apply, lost} }

type funcs struct {
	apply func() (reply func())
	lost  func()
}

// Apply implements Exchange.
func (f *funcs) Apply() Reply {
	if r := f.apply(); r != nil {
		return reply(r)
	}
	return nil
}

// Lost implements Exchange.
func (f *funcs) Lost() { f.lost() }

type reply func()

// Deliver implements Reply.
func (r reply) Deliver() { r() }

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
	// Call carries a request. x is told exactly once what came of it, unless the process dies first: by the first reply
	// when it gets through in time, or else, at the timeout, by Lost.
	Call(req Request, x Exchange)
}
