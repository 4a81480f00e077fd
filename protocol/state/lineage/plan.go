package lineage

// Limits are the bounds that merging keeps.
type Limits struct {
	Runs int // in a lineage; at least 8
	Read int // bytes that a restore reads, per byte of live state; at least 2
}

// Defaults are limits under which updates of 1 % per checkpoint and more upload at most 3 bytes per changed byte, merges
// included. Smaller updates upload more, with the logarithm of their inverse, or need more runs: 48 do for 0.1 %.
func Defaults() Limits { return Limits{Runs: 24, Read: 2} }

// leastFreed is by how many runs a merge shortens a lineage at least: more than come in while it is under way.
const leastFreed = 3

// Plan says which consecutive runs, sizes[from:to], to merge next, or that none need be. Sizes are bytes, oldest run
// first. Live is the size of one run that would hold the state as it is; zero or less means that nobody knows: then the
// oldest run is taken for it, which is right unless the state shrinks.
//
// A merge is planned a checkpoint early, so that the limits also hold at the one that is taken while it is under way.
func (l Limits) Plan(sizes []int64, live int64) (from, to int, ok bool) {
	n := len(sizes)
	if n < 2 {
		return 0, 0, false
	}
	if live <= 0 {
		live = sizes[0]
	}
	read := sum(sizes)
	// A lineage whose oldest run alone is above the limit is rewritten when the others make that worth the upload.
	if read+2*sizes[n-1] > int64(l.Read)*live && 2*(read-sizes[0]) >= live {
		return 0, n, true
	}
	if n+1 < l.Runs {
		return 0, 0, false
	}
	return cheapest(sizes), n, true
}

// cheapest is where the youngest runs begin that are best merged: least bytes per cube of the number of runs freed. The
// cube is what makes it far-sighted: it would rather merge many runs once in a while than few small ones all the time.
// For equal deltas that never overlap that comes close to the least possible, the binomial scheme, in which D deltas are
// merged at most c times each where D = C(Runs+c, c+1). It does not overflow below 64 TB and 50 runs.
func cheapest(sizes []int64) (from int) {
	var bytes, least, cube int64
	for i := len(sizes) - 1; i >= 0; i-- {
		bytes += sizes[i]
		freed := int64(len(sizes) - 1 - i)
		if freed >= leastFreed && (cube == 0 || bytes*cube < least*freed*freed*freed) {
			from, least, cube = i, bytes, freed*freed*freed
		}
	}
	return from
}

func sum(sizes []int64) (n int64) {
	for _, s := range sizes {
		n += s
	}
	return n
}
