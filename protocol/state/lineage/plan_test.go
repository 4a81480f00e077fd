package lineage_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"weir/protocol/state/lineage"
)

// Bytes of an entry with a value, and of a tombstone.
const entryBytes, tombstoneBytes = 100, 20

// A delta is what one checkpoint changes, each key once.
type delta []change

type change struct {
	key  int
	gone bool
}

func (d delta) bytes() (n int64) {
	for _, c := range d {
		n += tombstoneBytes
		if !c.gone {
			n += entryBytes - tombstoneBytes
		}
	}
	return n
}

// A world runs a load through a lineage.
type world struct {
	limits   lineage.Limits
	tellLive bool

	runs              []delta
	sizes             []int64
	live              []bool // by key
	seen              []int  // by key, scratch of merge
	merges            int
	liveBytes         int64
	changed, uploaded int64 // bytes, without the first run
	from, to          int
	busy              bool
}

func (w *world) merge(runs []delta, drop bool) (out delta) {
	w.merges++
	for _, d := range slices.Backward(runs) {
		for _, c := range d {
			if w.seen[c.key] != w.merges && !(drop && c.gone) {
				out = append(out, c)
			}
			w.seen[c.key] = w.merges
		}
	}
	return out
}

func (w *world) add(d delta) {
	for _, c := range d {
		if grown := c.key + 1 - len(w.live); grown > 0 {
			w.live = append(w.live, make([]bool, grown)...)
			w.seen = append(w.seen, make([]int, grown)...)
		}
		if w.live[c.key] == c.gone {
			w.live[c.key] = !c.gone
			w.liveBytes += entryBytes
			if c.gone {
				w.liveBytes -= 2 * entryBytes
			}
		}
	}
	if len(w.runs) > 0 {
		w.changed, w.uploaded = w.changed+d.bytes(), w.uploaded+d.bytes()
	}
	w.runs, w.sizes = append(w.runs, d), append(w.sizes, d.bytes())
}

func (w *world) read() (n int64) {
	for _, s := range w.sizes {
		n += s
	}
	return n
}

// finish ends the merge that is under way and plans the next.
func (w *world) finish() {
	if w.busy {
		m := w.merge(w.runs[w.from:w.to], w.from == 0)
		w.uploaded += m.bytes()
		w.runs, w.sizes = slices.Replace(w.runs, w.from, w.to, m), slices.Replace(w.sizes, w.from, w.to, m.bytes())
	}
	known := int64(0)
	if w.tellLive {
		known = w.liveBytes
	}
	w.from, w.to, w.busy = w.limits.Plan(w.sizes, known)
}

// A figure is what a load cost: bytes uploaded per byte changed and the most read per byte live, in thousandths, and
// the most runs, as seen by the checkpoints while a merge may be under way.
type figure struct{ upload, read, runs int64 }

// A load gives the changes of checkpoint n.
type load func(n int) delta

func (w *world) simulate(checkpoints int, next load) (f figure) {
	for n := range checkpoints {
		w.add(next(n))
		f.runs = max(f.runs, int64(len(w.runs)))
		if n > 10 {
			f.read = max(f.read, 1000*w.read()/max(w.liveBytes, 1))
		}
		w.finish()
	}
	f.upload = 1000 * w.uploaded / w.changed
	return f
}

const keys = 10_000

// draw is a load that changes distinct keys from pick after one that builds all.
func draw(n int, pick func() int, distinct bool) load {
	return func(i int) (d delta) {
		if i == 0 {
			for k := range keys {
				d = append(d, change{key: k})
			}
			return d
		}
		taken := map[int]bool{}
		for i := 0; i < n; i++ {
			k := pick()
			if !taken[k] {
				taken[k] = true
				d = append(d, change{key: k})
			} else if distinct {
				i--
			}
		}
		return d
	}
}

func uniform(changed int) load {
	rng := rand.New(rand.NewPCG(1, 1))
	return draw(changed, func() int { return rng.IntN(keys) }, true)
}

func zipf(s float64, draws int) load {
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 1)), s, 1, keys-1)
	return draw(draws, func() int { return int(z.Uint64()) }, false)
}

// window inserts keys and deletes them width checkpoints later.
func window(width, step int) load {
	return func(n int) (d delta) {
		for i := range step {
			d = append(d, change{key: n*step + i})
			if n >= width {
				d = append(d, change{key: (n-width)*step + i, gone: true})
			}
		}
		return d
	}
}

// TestBounds holds the figures of realistic loads against the design's: 3 bytes uploaded per byte changed, 2 bytes read
// per live byte (a little more where a delta is larger than the one before). How many deltas a byte lives through grows
// with the inverse of what a delta changes; how few merges can keep so many deltas in so few runs is a theorem, so
// smaller deltas need more runs.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name              string
		runs, checkpoints int
		tellLive          bool
		load              load
	}{
		{"uniform 10 %", 24, 500, false, uniform(keys / 10)},
		{"uniform 1 %", 24, 2000, false, uniform(keys / 100)},
		{"uniform 0.1 %", 48, 8000, false, uniform(keys / 1000)},
		{"zipf 1.01, 1000 draws", 24, 500, false, zipf(1.01, 1000)},
		{"zipf 1.2, 1000 draws", 24, 1000, false, zipf(1.2, 1000)},
		{"zipf 1.1, 50 draws", 24, 4000, false, zipf(1.1, 50)},
		{"append only, 1000 deltas", 24, 1000, true, window(1<<30, 10)},
		{"append only, 10000 deltas", 48, 10_000, true, window(1<<30, 2)},
		{"window of 100 deltas", 24, 2000, false, window(100, 50)},
		{"window of 1000 deltas", 48, 4000, true, window(1000, 10)},
	} {
		w := &world{limits: lineage.Limits{Runs: c.runs, Read: 2}, tellLive: c.tellLive}
		f := w.simulate(c.checkpoints, c.load)
		t.Logf("%-26s at most %d runs: uploaded %d, read %d (thousandths), runs %d", c.name, c.runs, f.upload, f.read, f.runs)
		if f.upload > 3000 || f.read > 2010 || f.runs > int64(c.runs) {
			t.Errorf("%s: uploaded %d, read %d thousandths, runs %d; want at most 3000, 2010, %d", c.name, f.upload, f.read, f.runs, c.runs)
		}
	}
}

// TestAnyLoad: whatever deltas come, however little a merge saves and though it takes several checkpoints, the number of
// runs is bounded, and planning ends when nothing comes any more.
func TestAnyLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := lineage.Limits{Runs: rapid.IntRange(8, 50).Draw(t, "limit"), Read: rapid.IntRange(2, 5).Draw(t, "read")}
		slow := rapid.IntRange(1, 3).Draw(t, "deltas per merge")
		live := rapid.SampledFrom([]int64{0, 1, 1000, 1 << 40}).Draw(t, "live")
		var sizes []int64
		from, to, busy := 0, 0, false
		step := func() {
			if busy {
				merged := int64(0)
				for _, s := range sizes[from:to] {
					merged += s
				}
				sizes = slices.Replace(sizes, from, to, merged-merged/rapid.Int64Range(2, 1<<40).Draw(t, "saved"))
			}
			from, to, busy = l.Plan(sizes, live)
			if busy && (from < 0 || to-from < 2 || to > len(sizes)) {
				t.Fatalf("plan of %v: [%d, %d)", sizes, from, to)
			}
		}
		for n := range rapid.IntRange(0, 300).Draw(t, "deltas") {
			sizes = append(sizes, rapid.Int64Range(1, 1<<rapid.IntRange(0, 40).Draw(t, "magnitude")).Draw(t, "size"))
			if len(sizes) > l.Runs+slow-1 {
				t.Fatalf("%d runs, the limit is %d, and merges take %d checkpoints", len(sizes), l.Runs, slow)
			}
			if !busy || n%slow == 0 {
				step()
			}
		}
		for range 3 {
			step()
		}
		if busy {
			t.Fatalf("planning of %v does not end", sizes)
		}
	})
}

// TestShrinkingState: an oldest run far larger than what lives is rewritten, but not for the sake of a few bytes.
func TestShrinkingState(t *testing.T) {
	for _, c := range []struct {
		tail int64
		want bool
	}{{49, false}, {50, true}} {
		if _, _, ok := lineage.Defaults().Plan([]int64{1000, c.tail}, 100); ok != c.want {
			t.Errorf("an oldest run of 1000 bytes and another of %d at 100 live bytes: merged %v, want %v", c.tail, ok, c.want)
		}
	}
}

func TestNothingToMerge(t *testing.T) {
	for _, sizes := range [][]int64{nil, {1}, {100, 1}, {100, 20, 20, 20}} {
		if from, to, ok := lineage.Defaults().Plan(sizes, 0); ok {
			t.Errorf("plan of %v is [%d, %d)", sizes, from, to)
		}
	}
}
