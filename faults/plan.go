package faults

import (
	"fmt"
	"slices"
	"strings"
)

// Place is where in a run something happens, in the words of the protocol: a machine's step, a message, a request.
type Place struct {
	// Who is the machine whose step it is; empty for messages, requests and markers.
	Who string
	// What is the event, the message or the request, such as "Flushed(checkpoint 4)" or "Ack(checkpoint 4) from out[1] to coordinator".
	What string
	// Time says which one it is of those that read the same, from 1.
	Time int
}

// Fault is one fault of a plan. What it leaves open is drawn as its ID says.
type Fault struct {
	ID ID
	// Job is the job that it strikes, by index.
	Job int
	// Node is the process that it strikes; zero: drawn.
	Node uint32
	// Service is "broker" or "bucket", for outages.
	Service string
	// Channel is a pair of tasks, for resets.
	Channel Way
	// Ways are what a partition blocks.
	Ways []Way
	// For is how long it lasts, or by how much it delays, in ns; zero: drawn.
	For int64
	// Place is the step after which a timed fault strikes, the one that CrashInEffects cuts, or the occasion of another one.
	Place Place
	// After is how long after the step it strikes; At is the time from the start of the run if Place is not given. In ns.
	After, At int64
	// Before is the effect before which CrashInEffects cuts the step, Skip how many such effects come before it; empty: behind all effects.
	Before string
	Skip   int
	// Seen is when it struck in the run that recorded it, from the start. It is no part of the text.
	Seen int64
}

// Way is a direction between two places: nodes by number, services by name, tasks by theirs.
type Way struct{ From, To string }

// Plan is the faults of a run: explicit, in the order in which they begin to strike.
type Plan []Fault

// String is one line per fault, as ParseFault reads it.
func (p Plan) String() string {
	var b strings.Builder
	for i := range p {
		b.WriteString(p[i].String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Has reports whether a fault of k is in the plan.
func (p Plan) Has(k Kind) bool {
	return slices.ContainsFunc(p, func(f Fault) bool { return f.ID.Kind == k })
}

// String is the fault as ParseFault reads it.
func (f *Fault) String() string {
	var c []string
	add := func(format string, args ...any) { c = append(c, fmt.Sprintf(format, args...)) }
	if f.Job > 0 {
		add("job %d", f.Job+1)
	}
	if f.Node > 0 {
		add("node %d", f.Node)
	}
	if f.Service != "" {
		add("of %s", f.Service)
	}
	if f.Channel != (Way{}) {
		add("channel %v", f.Channel)
	}
	if len(f.Ways) > 0 {
		add("ways %s", joinWays(f.Ways))
	}
	if f.For > 0 {
		add("for %s", Span(f.For))
	}
	f.moment(add)
	return f.ID.String() + ": " + strings.Join(c, ", ")
}

// moment writes when the fault strikes.
func (f *Fault) moment(add func(string, ...any)) {
	p := f.Place
	switch {
	case !f.ID.Kind.Timed():
		add("on %s", p.What)
	case p == Place{}:
		add("at %s", Span(f.At))
	case f.ID.Kind == CrashInEffects:
		add("in %s %s", p.Who, p.What)
	case f.After > 0:
		add("%s after %s %s", Span(f.After), p.Who, p.What)
	default:
		add("after %s %s", p.Who, p.What)
	}
	if p.Time > 1 {
		add("time %d", p.Time)
	}
	if f.Before != "" {
		add("before %s", f.Before)
	}
	if f.Skip > 0 {
		add("skip %d", f.Skip)
	}
}

// String is from>to.
func (w Way) String() string { return w.From + ">" + w.To }

func joinWays(ways []Way) string {
	var out []string
	for _, w := range ways {
		out = append(out, w.String())
	}
	return strings.Join(out, " ")
}

// Strike are the draws of a fault that strikes, apart from those that decided when.
func (i *Injector) Strike(id ID) Stream { return seeded(i.seed, kindPurpose(id.Kind, id.N|1<<43)) }

// Draws are the draws of an occasion's fault.
func (i *Injector) Draws(id ID) Stream { return seeded(i.seed, kindPurpose(id.Kind, id.N)) }
