package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ID names one fault of a run: the nth occasion of its kind.
type ID struct {
	Kind Kind
	N    uint64
}

// String is the fault's name, kind#n.
func (id ID) String() string { return id.Kind.String() + "#" + strconv.FormatUint(id.N, 10) }

// ParseID reads what ID.String writes.
func ParseID(text string) (ID, error) {
	name, number, _ := strings.Cut(strings.TrimSpace(text), "#")
	k, ok := ParseKind(name)
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		return ID{}, fmt.Errorf("fault: %q is not kind#number", text)
	}
	return ID{k, n}, nil
}

// Injector decides at each occasion whether a fault strikes, and gives each its draws.
type Injector struct {
	seed    uint64
	profile Profile
	on      bool
	only    bool
	next    [Kinds]uint64   // occasions so far
	allowed [Kinds][]uint64 // with only: what is left of the list, ascending
}

// NewInjector makes the faults of a seed and a profile.
func NewInjector(seed uint64, p Profile) *Injector {
	return &Injector{seed: seed, profile: p, on: true}
}

// Only makes the injector strike exactly at the faults of list, whatever the profile says.
func (i *Injector) Only(list []ID) {
	i.only = true
	i.allowed = [Kinds][]uint64{}
	for _, id := range list {
		i.allowed[id.Kind] = append(i.allowed[id.Kind], id.N)
	}
	for k := range i.allowed {
		slices.Sort(i.allowed[k])
		i.allowed[k] = slices.Compact(i.allowed[k]) // a partition strikes on several ways
	}
}

// Off ends all faults.
func (i *Injector) Off() { i.on = false }

// On reports whether faults still strike.
func (i *Injector) On() bool { return i.on }

// Odds says how much likelier than others an occasion is hit by a kind that is on.
type Odds struct {
	Weight int // times the profile's chance
	Least  int // millionths
}

// mostOften is the highest chance that Odds lead to, in millionths: what always fails tells nothing.
const mostOften = 400_000

// Usual are the odds of the profile.
func Usual() Odds { return Odds{Weight: 1} }

// Consult asks whether a fault of kind k strikes now; draws holds the fault's own draws.
func (i *Injector) Consult(k Kind, odds Odds) (id ID, draws Stream, strikes bool) {
	if !i.on || i.profile[k] == 0 && !i.only {
		return ID{}, Stream{}, false
	}
	id = ID{k, i.next[k]}
	i.next[k]++
	if i.only {
		strikes = i.take(id)
	} else {
		strikes = mix(i.seed^mix(kindPurpose(k, id.N)))%1_000_000 < uint64(max(i.profile[k], min(max(i.profile[k]*odds.Weight, odds.Least), mostOften)))
	}
	if strikes {
		draws = seeded(i.seed, kindPurpose(k, id.N))
	}
	return id, draws, strikes
}

// take consumes id from the allowed list; occasions come in ascending order.
func (i *Injector) take(id ID) bool {
	l := i.allowed[id.Kind]
	for len(l) > 0 && l[0] < id.N {
		l = l[1:]
	}
	found := len(l) > 0 && l[0] == id.N
	if found {
		l = l[1:]
	}
	i.allowed[id.Kind] = l
	return found
}

// Timed is a fault that strikes at a moment.
type Timed struct {
	ID    ID
	At    int64 // drawn in [0, horizon)
	Draws Stream
}

// Plan is the timed faults up to the horizon, by time.
func (i *Injector) Plan(horizon int64) (plan []Timed) {
	for k := range Kind(Kinds) {
		if !k.Timed() {
			continue
		}
		for _, n := range i.occasions(k) {
			t := Timed{ID: ID{k, n}, Draws: seeded(i.seed, kindPurpose(k, n))}
			t.At = t.Draws.Between(0, max(0, horizon-1))
			plan = append(plan, t)
		}
	}
	slices.SortFunc(plan, func(a, b Timed) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID.Kind, b.ID.Kind), cmp.Compare(a.ID.N, b.ID.N))
	})
	return plan
}

func (i *Injector) occasions(k Kind) []uint64 {
	if i.only {
		return i.allowed[k]
	}
	var out []uint64
	for n := range i.profile[k] {
		out = append(out, uint64(n))
	}
	return out
}

// kindPurpose separates the draws of one occasion from those of any other and from the named streams.
func kindPurpose(k Kind, n uint64) uint64 { return uint64(k+1)<<56 ^ n }
