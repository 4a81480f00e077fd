package faults

import (
	"testing"

	"pgregory.net/rapid"
)

func TestStreamsAreIndependentAndRepeat(t *testing.T) {
	a, b := NewChoice(7).Stream("input"), NewChoice(7).Stream("input")
	other, seed8 := NewChoice(7).Stream("network"), NewChoice(8).Stream("input")
	same, sameOther, sameSeed := 0, 0, 0
	for range 1000 {
		x := a.Uint64()
		if x == b.Uint64() {
			same++
		}
		if x == other.Uint64() {
			sameOther++
		}
		if x == seed8.Uint64() {
			sameSeed++
		}
	}
	if same != 1000 || sameOther != 0 || sameSeed != 0 {
		t.Fatalf("equal draws: same stream %d of 1000, other name %d, other seed %d", same, sameOther, sameSeed)
	}
}

// The first draws of a stream are a promise: a saved seed must mean the same tomorrow.
func TestStreamGolden(t *testing.T) {
	s := NewChoice(1).Stream("golden")
	got := [4]uint64{s.Uint64(), s.Uint64(), s.Uint64(), s.Uint64()}
	want := [4]uint64{0xe076eb3fc42bb6ed, 0x670860e16a76499b, 0x74bd915f7659f28a, 0xf0b07be096b42bfa}
	if got != want {
		t.Fatalf("draws %#v, want %#v", got, want)
	}
}

func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewChoice(rapid.Uint64().Draw(t, "seed")).Stream("x")
		n := rapid.IntRange(1, 1<<62).Draw(t, "n")
		lo := rapid.Int64Range(-1<<40, 1<<40).Draw(t, "lo")
		hi := lo + rapid.Int64Range(0, 1<<40).Draw(t, "width")
		if p := s.Pick(n); p < 0 || p >= n {
			t.Fatalf("Pick(%d) = %d", n, p)
		}
		if b := s.Between(lo, hi); b < lo || b > hi {
			t.Fatalf("Between(%d, %d) = %d", lo, hi, b)
		}
		if b := s.Spread(lo, hi); b < lo || b > hi {
			t.Fatalf("Spread(%d, %d) = %d", lo, hi, b)
		}
	})
}

func TestDrawsAreEven(t *testing.T) {
	s := NewChoice(3).Stream("even")
	var seen [7]int
	for range 70_000 {
		seen[s.Pick(7)]++
	}
	for i, n := range seen {
		if n < 9_500 || n > 10_500 {
			t.Errorf("Pick(7) = %d came %d times of 70000", i, n)
		}
	}
}

func TestSwarmTurnsHalfOff(t *testing.T) {
	off, most := 0, 0
	for seed := range uint64(500) {
		p := Draw(NewChoice(seed), Full())
		for k := range Kind(Kinds) {
			if p[k] == 0 {
				off++
			}
			if p[k] > k.most()/2 {
				most++
			}
			if p[k] > k.most() {
				t.Fatalf("seed %d: %v = %d above %d", seed, k, p[k], k.most())
			}
		}
	}
	if total := 500 * Kinds; off < total*45/100 || off > total*75/100 || most < total/50 {
		t.Fatalf("of %d families %d are off and %d near their most", total, off, most)
	}
}

func TestProfileText(t *testing.T) {
	for seed := range uint64(100) {
		p := Draw(NewChoice(seed), Full())
		q, err := ParseProfile(p.String())
		if err != nil || p != q {
			t.Fatalf("%v: parsed %v, %v", p, q, err)
		}
	}
	if _, err := ParseProfile("crash-wroker=1"); err == nil {
		t.Fatal("a misspelt kind is read as a profile")
	}
}

// What Only replays is what struck, and nothing else, with the same draws.
func TestOnlyReplays(t *testing.T) {
	p := Full()
	in := NewInjector(9, p)
	var list []ID
	var draws []uint64
	for range 2000 {
		if id, s, ok := in.Consult(MessageDoubled, Usual()); ok {
			list, draws = append(list, id), append(draws, s.Uint64())
		}
	}
	if len(list) < 300 || len(list) > 500 {
		t.Fatalf("%d of 2000 struck at 20 %%", len(list))
	}
	kept := list[len(list)/2:]
	again := NewInjector(9, Calm())
	again.Only(kept)
	var got []ID
	for range 2000 {
		if id, s, ok := again.Consult(MessageDoubled, Usual()); ok {
			if want := draws[len(list)/2+len(got)]; s.Uint64() != want {
				t.Fatalf("%v has other draws in the replay", id)
			}
			got = append(got, id)
		}
	}
	if len(got) != len(kept) || got[0] != kept[0] {
		t.Fatalf("replayed %d of %d", len(got), len(kept))
	}
}

func TestPlanKeepsNamesWhenFaultsAreTakenAway(t *testing.T) {
	in := NewInjector(4, Full())
	plan := in.Plan(1_000_000)
	if len(plan) < 20 {
		t.Fatalf("a full plan has %d faults", len(plan))
	}
	half := NewInjector(4, Full())
	half.Only([]ID{plan[7].ID, plan[3].ID, plan[7].ID})
	got := half.Plan(1_000_000)
	if len(got) != 2 || got[0] != plan[3] || got[1] != plan[7] {
		t.Fatalf("plan of two is %v, want %v and %v", got, plan[3], plan[7])
	}
	for _, f := range plan {
		if id, err := ParseID(f.ID.String()); err != nil || id != f.ID {
			t.Fatalf("%v parsed as %v, %v", f.ID, id, err)
		}
	}
}

// Odds make an occasion likelier, up to a bound, and leave its name and a kind that is off alone.
func TestOdds(t *testing.T) {
	for _, c := range []struct {
		chance      int
		odds        Odds
		least, most int
	}{
		{10_000, Usual(), 70, 130}, {10_000, Odds{8, 0}, 700, 900}, {10, Odds{8, 20_000}, 150, 250}, {10_000, Odds{1000, 0}, 3800, 4200},
		{900_000, Odds{8, 0}, 8800, 9200}, {0, Odds{8, 20_000}, 0, 0},
	} {
		var p Profile
		p[ReplyLost] = c.chance
		in, n := NewInjector(5, p), 0
		for i := range uint64(10_000) {
			if id, _, ok := in.Consult(ReplyLost, c.odds); ok {
				if n++; id.N != i {
					t.Fatalf("occasion %d is called %v", i, id)
				}
			}
		}
		if n < c.least || n > c.most {
			t.Errorf("%+v: struck %d of 10000 times", c, n)
		}
	}
}
