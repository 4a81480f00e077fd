package faults

import (
	"fmt"
	"strconv"
	"strings"
)

// bounds of what a text may ask for.
const (
	mostTimes = 1_000_000
	mostWays  = 256
	mostText  = 200 // bytes of a place's words
)

// ParseFault reads what Fault.String writes: the fault's identity, a colon, then clauses behind commas.
func ParseFault(text string) (f Fault, err error) {
	name, rest, ok := strings.Cut(text, ":")
	if f.ID, err = ParseID(name); err != nil || !ok {
		return f, fmt.Errorf("a fault begins with kind#number and a colon, such as %q, where the kind is one of %s", "pause#0:", kindNames())
	}
	seen := make(map[string]bool)
	for _, c := range strings.Split(rest, ",") {
		word, err := f.clause(strings.TrimSpace(c))
		if err != nil {
			return f, fmt.Errorf("fault %v: %w", f.ID, err)
		}
		if seen[word] {
			return f, fmt.Errorf("fault %v: it says %q twice", f.ID, word)
		}
		seen[word] = true
	}
	return f, f.complete()
}

func kindNames() string {
	var out []string
	for k := range Kind(Kinds) {
		out = append(out, k.String())
	}
	return strings.Join(out, " ")
}

// clause reads one clause and returns its word.
func (f *Fault) clause(text string) (word string, err error) {
	word, rest, _ := strings.Cut(text, " ")
	number := func(most int) (n int) {
		if n, err = strconv.Atoi(rest); err == nil && (n < 1 || n > most) {
			err = fmt.Errorf("%q: it must be a number from 1 to %d", text, most)
		}
		return n
	}
	switch word {
	case "job":
		f.Job = number(2) - 1
	case "node":
		f.Node = uint32(number(1_000_000))
	case "of":
		f.Service, err = rest, oneOf(rest, "broker", "bucket")
	case "channel":
		f.Channel, err = parseWay(rest)
	case "ways":
		f.Ways, err = parseWays(rest)
	case "for":
		f.For, err = ParseSpan(rest)
	case "at":
		f.At, err = ParseSpan(rest)
	case "after", "in":
		word, err = "after", f.step(rest)
	case "on":
		f.Place.What, err = rest, words(rest)
	case "time":
		f.Place.Time = number(mostTimes)
	case "before":
		f.Before, err = rest, words(rest)
	case "skip":
		f.Skip = number(mostTimes)
	default:
		return f.later(word, text, rest)
	}
	return word, err
}

// later reads "1.2ms after out[1] Flushed".
func (f *Fault) later(word, text, rest string) (string, error) {
	behind, ok := strings.CutPrefix(rest, "after ")
	if !ok {
		return word, fmt.Errorf("%q is none of: job, node, of, channel, ways, for, at, [time] after, in, on, time, before, skip", text)
	}
	d, err := ParseSpan(word)
	if err != nil {
		return word, err
	}
	f.After = d
	return "after", f.step(behind)
}

// step reads "out[1] Flushed(checkpoint 4)".
func (f *Fault) step(text string) error {
	who, what, ok := strings.Cut(text, " ")
	if !ok {
		return fmt.Errorf("%q is not a machine and an event, such as %q", text, "out[1] Flushed(checkpoint 4)")
	}
	f.Place.Who, f.Place.What = who, what
	if err := words(who); err != nil {
		return err
	}
	return words(what)
}

// complete checks what the clauses say together.
func (f *Fault) complete() error {
	k := f.ID.Kind
	timed, on := f.Place.Who != "", f.Place.What != "" && f.Place.Who == ""
	if f.Place.What != "" && f.Place.Time == 0 {
		f.Place.Time = 1
	}
	switch {
	case !k.Timed() && !on:
		return fmt.Errorf("fault %v: say the occasion: on …", f.ID)
	case k.Timed() && on:
		return fmt.Errorf("fault %v: it has no occasion, but a moment: at …, or after …", f.ID)
	case k == CrashInEffects && (!timed || f.After > 0 || f.At > 0):
		return fmt.Errorf("fault %v: say the step that it cuts: in …", f.ID)
	case k.Timed() && timed && f.At > 0 || !k.Timed() && (f.At > 0 || f.Place.Who != ""):
		return fmt.Errorf("fault %v: it strikes at one moment, not at two", f.ID)
	case k != CrashInEffects && f.Before != "" || f.Skip > 0 && f.Before == "":
		return fmt.Errorf("fault %v: before and skip say where %v cuts a step", f.ID, CrashInEffects)
	case f.Place.Time > 1 && f.Place.What == "":
		return fmt.Errorf("fault %v: time says which of several equal places: there is none", f.ID)
	}
	return f.fits()
}

// fits checks that the clauses belong to the kind.
func (f *Fault) fits() error {
	k := f.ID.Kind
	for _, c := range []struct {
		given bool
		word  string
		kinds []Kind
	}{
		{f.Node > 0, "node", []Kind{CrashWorker, CrashCoordinator, CrashInEffects, Pause, Partition, ClockJump}},
		{f.Service != "", "of", []Kind{ServiceOutage}},
		{f.Channel != Way{}, "channel", []Kind{ChannelReset}},
		{len(f.Ways) > 0, "ways", []Kind{Partition}},
		{f.For > 0, "for", []Kind{Pause, ClockJump, Partition, ServiceOutage, BucketSlow, MessageDoubled, MessageReordered, MessageDelayed, RequestLate, RequestDoubled, MarkerLate, DiskSlow}},
	} {
		ok := !c.given
		var names []string
		for _, each := range c.kinds {
			ok = ok || each == k
			names = append(names, each.String())
		}
		if !ok {
			return fmt.Errorf("fault %v: %q is for %s", f.ID, c.word, strings.Join(names, ", "))
		}
	}
	return nil
}

func oneOf(text string, allowed ...string) error {
	for _, a := range allowed {
		if text == a {
			return nil
		}
	}
	return fmt.Errorf("%q is none of %s", text, strings.Join(allowed, ", "))
}

// words checks text that names a place: it must read back as it was.
func words(text string) error {
	bad := strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c > '~' || c == ',' }) >= 0
	if bad || text == "" || len(text) > mostText || strings.TrimSpace(text) != text {
		return fmt.Errorf("%q is not a place's name: up to %d printable ASCII characters and no comma", text, mostText)
	}
	return nil
}

func parseWay(text string) (Way, error) {
	from, to, ok := strings.Cut(text, ">")
	if !ok || words(from) != nil || words(to) != nil || strings.ContainsAny(from+to, " >") {
		return Way{}, fmt.Errorf("%q is not from>to", text)
	}
	return Way{from, to}, nil
}

func parseWays(text string) (out []Way, err error) {
	for _, each := range strings.Fields(text) {
		w, err := parseWay(each)
		if err != nil {
			return nil, err
		}
		if out = append(out, w); len(out) > mostWays {
			return nil, fmt.Errorf("more than %d ways", mostWays)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("ways: say which, from>to")
	}
	return out, nil
}
