package faults

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawFault is a fault that a run could record.
func drawFault(t *rapid.T) (f Fault) {
	k := Kind(rapid.IntRange(0, Kinds-1).Draw(t, "kind"))
	f.ID = ID{k, rapid.Uint64().Draw(t, "n")}
	f.Job = rapid.IntRange(0, 1).Draw(t, "job")
	word := rapid.StringMatching(`[A-Za-z][A-Za-z0-9.-]{0,8}(\[[0-9]\])?`)
	what := rapid.StringMatching(`[A-Z][a-z]{1,8}( unknown)?(\(checkpoint [0-9]{1,3}\))?( from [a-z]{1,8}\[[0-9]\])?`)
	span := rapid.Int64Range(1, mostSpan-1)
	way := func(label string) Way { return Way{word.Draw(t, label+" from"), word.Draw(t, label+" to")} }
	switch k {
	case CrashWorker, CrashCoordinator, CrashInEffects, Pause, ClockJump:
		f.Node = uint32(rapid.IntRange(0, 1000).Draw(t, "node"))
	case Partition:
		for range rapid.IntRange(0, 4).Draw(t, "ways") {
			f.Ways = append(f.Ways, way("way"))
		}
	case ServiceOutage:
		f.Service = rapid.SampledFrom([]string{"broker", "bucket"}).Draw(t, "service")
	case ChannelReset:
		f.Channel = way("channel")
	}
	if k >= MessageDoubled && k != RequestLost && k != ReplyLost && (k < DiskFull || k == DiskSlow) || k == Pause {
		f.For = span.Draw(t, "for")
	}
	f.Place = Place{What: what.Draw(t, "what"), Time: rapid.IntRange(1, 3).Draw(t, "time")}
	switch {
	case k == CrashInEffects:
		f.Place.Who = word.Draw(t, "who")
		if rapid.Bool().Draw(t, "cut") {
			f.Before, f.Skip = what.Draw(t, "before"), rapid.IntRange(0, 3).Draw(t, "skip")
		}
	case k.Timed() && rapid.Bool().Draw(t, "by the clock"):
		f.Place, f.At = Place{}, span.Draw(t, "at")
	case k.Timed():
		f.Place.Who, f.After = word.Draw(t, "who"), rapid.Int64Range(0, mostSpan-1).Draw(t, "after")
	}
	return f
}

func TestFaultText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFault(t)
		got, err := ParseFault(f.String())
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Fatalf("%s\nis read as %+v, %v\nit was    %+v", f.String(), got, err, f)
		}
	})
}

func TestSpanText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64Range(0, mostSpan).Draw(t, "ns")
		if got, err := ParseSpan(Span(ns)); err != nil || got != ns {
			t.Fatalf("%d is written %s and read as %d, %v", ns, Span(ns), got, err)
		}
	})
	for _, bad := range []string{"", "s", "1", ".5s", "1.s", "-1s", "1.2345ns", "1000001s", "99999999999999999999s", "1e3s", "1 s", "1.5.5s"} {
		if ns, err := ParseSpan(bad); err == nil {
			t.Errorf("%q is read as %d", bad, ns)
		}
	}
}

// What is wrong is said in words that tell what would be right.
func TestParseFaultRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                                   "kind#number",
		"melt-down#1: at 3s":                 "crash-worker crash-coordinator",
		"pause#0":                            "colon",
		"pause#0: ":                          "none of: job, node",
		"pause#0: node 0, at 1s":             "from 1 to",
		"pause#0: node 1":                    "",
		"pause#0: node 1, node 2, at 1s":     "twice",
		"pause#0: on Ack":                    "a moment",
		"pause#0: at 1s, after out[1] Woken": "at one moment",
		"pause#0: at soon":                   "1.25s",
		"message-lost#0: at 1s":              "on …",
		"message-lost#0: on Ack, for 1s":     "is for pause",
		"crash-worker#0: in out[1] Flushed, before Tell Ack": "where crash-in-effects cuts",
		"crash-in-effects#0: at 3s":                          "in …",
		"service-outage#0: of moon, at 1s":                   "broker, bucket",
		"partition#0: ways 1, at 1s":                         "from>to",
		"channel-reset#0: channel a>b>c, at 1s":              "from>to",
		"pause#0: after out[1], at 1s":                       "a machine and an event",
		"message-lost#0: on " + strings.Repeat("x", 300):     "printable ASCII",
	} {
		f, err := ParseFault(text)
		if says == "" {
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: read as %+v, %v; want an error that says %q", text, f, err, says)
		}
	}
}

// FuzzParseFault: strangers' text neither panics nor reads as something that is written differently.
func FuzzParseFault(f *testing.F) {
	f.Add("pause#0: node 12, for 8.213s, 4.1ms after out[1] Flushed(checkpoint 4)")
	f.Add("crash-in-effects#2: node 11, in out[1] Flushed(checkpoint 4), time 2, before Tell Ack, skip 1")
	f.Add("message-lost#505: on Ack(checkpoint 4) from out[1] to coordinator")
	f.Add("partition#1: ways 11>broker broker>11, for 5s, at 3.2s")
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil {
			return
		}
		again, err := ParseFault(fault.String())
		if err != nil || !reflect.DeepEqual(again, fault) {
			t.Fatalf("%q is read as %+v, written as %q, and read as %+v, %v", text, fault, fault.String(), again, err)
		}
	})
}
