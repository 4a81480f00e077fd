package faults

import "math/bits"

// Choice is the root of all draws of one run.
type Choice struct{ seed uint64 }

// NewChoice makes the root for a seed.
func NewChoice(seed uint64) *Choice { return &Choice{seed: seed} }

// Seed is the seed of the run.
func (c *Choice) Seed() uint64 { return c.seed }

// Stream begins the stream of a purpose. Streams of different names are independent: draws added to one shift no other.
func (c *Choice) Stream(name string) *Stream {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	s := seeded(c.seed, h)
	return &s
}

// A Stream is a sequence of draws: PCG RXS-M-XS with 64 bits of state, written out here because library helpers may
// change between versions of Go.
type Stream struct {
	state uint64
	inc   uint64 // Invariant: odd
}

// seeded is the stream of (seed, purpose).
func seeded(seed, purpose uint64) Stream {
	s := Stream{state: mix(seed ^ mix(purpose)), inc: mix(purpose+seed)<<1 | 1}
	s.Uint64()
	return s
}

// mix is the finaliser of splitmix64, a permutation that spreads every bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Uint64 is the next 64 bits.
func (s *Stream) Uint64() uint64 {
	old := s.state
	s.state = old*6364136223846793005 + s.inc
	word := ((old >> (old>>59 + 5)) ^ old) * 12605985483714917081
	return word>>43 ^ word
}

// below is a number in [0, n), each equally likely (Lemire's method); n is above zero.
func (s *Stream) below(n uint64) uint64 {
	hi, lo := bits.Mul64(s.Uint64(), n)
	if lo < n {
		for limit := -n % n; lo < limit; {
			hi, lo = bits.Mul64(s.Uint64(), n)
		}
	}
	return hi
}

// Pick is a number in [0, n). It is 0, without a draw, where n is below 2.
func (s *Stream) Pick(n int) int {
	if n < 2 {
		return 0
	}
	return int(s.below(uint64(n)))
}

// Chance is true num times in den.
func (s *Stream) Chance(num, den int) bool { return num > 0 && s.Pick(den) < num }

// Between is a number in [lo, hi], both included; it is lo where hi is not above it.
func (s *Stream) Between(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + int64(s.below(uint64(hi-lo)+1))
}

// Spread is a number in [lo, hi] of which each power of two is about equally likely: many short ones, few long ones.
func (s *Stream) Spread(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	width := bits.Len64(uint64(hi - lo))
	top := int64(1)<<s.Pick(width+1) - 1
	return s.Between(lo, min(hi, lo+top))
}
