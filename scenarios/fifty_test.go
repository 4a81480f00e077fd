package scenarios

import (
	"testing"

	"weir/protocol"
)

// five is fifty at a tenth.
func five() Fifty {
	f := DefaultFifty()
	f.Workers, f.Partitions, f.Octaves, f.Rate = 5, 10, 26, 100_000
	f.Model.BucketIn, f.Model.BucketOut = f.Model.BucketIn/10, f.Model.BucketOut/10
	return f
}

func fiveCase() FiftyCase {
	return FiftyCase{Interval: 10 * protocol.Second, Detect: 10 * protocol.Second, Past: 500_000}
}

func TestFiftySmall(t *testing.T) {
	f := five()
	x := NewFiftyRunner(f)
	for seed := range uint64(2) {
		r := x.Run(seed, fiveCase())
		if why := f.Broken(&r); why != "" {
			t.Errorf("seed %d: %s", seed, why)
		}
		if again := x.Run(seed, fiveCase()); again.Run.Digest != r.Run.Digest || again.Caught != r.Caught {
			t.Errorf("seed %d: two runs differ: %v and %v", seed, r.Run, again.Run)
		}
	}
}

// What a record weighs is how the load is represented: it must not show in what is measured.
func TestFiftyScales(t *testing.T) {
	changed := func(weight int64) (n int64) {
		f := five()
		f.Weight = weight
		r := NewFiftyRunner(f).Run(1, fiveCase())
		for _, c := range r.Checkpoints {
			n += c.Changed
		}
		return n / int64(len(r.Checkpoints))
	}
	coarse, fine := changed(4096), changed(2048)
	if d := coarse - fine; d > fine/10 || -d > fine/10 {
		t.Errorf("bytes changed per checkpoint: %d with records of 4096 events, %d with 2048", coarse, fine)
	}
}

// A longer interval saves bytes, because hot keys are written once, and costs events.
func TestFiftyTradesBytesForEvents(t *testing.T) {
	x := NewFiftyRunner(five())
	perSecond := func(interval protocol.Duration) (bytes, events int64) {
		r := x.Run(1, FiftyCase{Interval: interval, Detect: 10 * protocol.Second, Past: int64(interval/protocol.Second) * 50_000})
		for _, c := range r.Checkpoints {
			bytes += c.Changed
		}
		return bytes / int64(len(r.Checkpoints)) / int64(interval/protocol.Second), r.Replayed
	}
	short, few := perSecond(10 * protocol.Second)
	long, many := perSecond(60 * protocol.Second)
	if long >= short || many <= few {
		t.Errorf("10 s: %d bytes/s and %d events; 60 s: %d and %d", short, few, long, many)
	}
}

// The judge of a run is no ornament: each lie is seen.
func TestFiftyBroken(t *testing.T) {
	f := five()
	good := NewFiftyRunner(f).Run(1, fiveCase())
	for name, lie := range map[string]func(*FiftyResult){
		"offset":   func(r *FiftyResult) { r.Exact, r.Inexact = r.Exact-1, 1 },
		"missing":  func(r *FiftyResult) { r.Exact-- },
		"too few":  func(r *FiftyResult) { r.Replayed = r.Past / 4 },
		"too many": func(r *FiftyResult) { r.Replayed *= 10 },
		"no death": func(r *FiftyResult) { r.Detected = 0 },
	} {
		r := good
		if lie(&r); f.Broken(&r) == "" {
			t.Errorf("%s: passed", name)
		}
	}
}
