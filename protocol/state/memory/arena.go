package memory

import (
	"encoding/binary"
	"math/bits"
)

const (
	smallest  = 8       // bytes of the first class
	classes   = 44      // up to 32 KiB
	huge      = classes // the class of a block with a chunk of its own
	firstSlab = 512
	lastSlab  = 1 << 20
)

// A ref is where a block stands. Chunks count from 1; the zero ref is no block.
type ref struct{ chunk, off uint32 }

// An arena hands out blocks of bytes by size class. Chunks begin small and double, because many tables stay small.
// The zero arena is empty and usable.
type arena struct {
	chunks [][]byte
	cur    uint32       // the chunk that is being filled; zero: none
	used   int          // of it
	total  int          // bytes in shared chunks
	free   [classes]ref // lists of free blocks, linked through their first bytes
	gone   []uint32     // chunks of freed huge blocks
}

// classOf is the class of a block of n bytes: steps of 8 up to 64, then 4 steps per doubling.
func classOf(n int) uint8 {
	switch {
	case n <= 64:
		return uint8(max(n-1, 0) / smallest)
	case n > 32<<10:
		return huge
	}
	shift := bits.Len(uint(n-1)) - 3
	return uint8(8 + (shift-4)*4 + (n-1)>>shift - 4)
}

// sizeOf is the size of a class below huge.
func sizeOf(class uint8) int {
	if class < 8 {
		return (int(class) + 1) * smallest
	}
	return int(5+(class-8)%4) << (4 + (class-8)/4)
}

// alloc returns a block of at least n bytes, whose content is anything.
func (a *arena) alloc(n int) (ref, uint8) {
	class := classOf(n)
	if class == huge {
		return a.allocHuge(n), huge
	}
	if r := a.free[class]; r.chunk != 0 {
		link := a.bytes(r, 0, smallest)
		a.free[class] = ref{binary.LittleEndian.Uint32(link), binary.LittleEndian.Uint32(link[4:])}
		return r, class
	}
	size := sizeOf(class)
	if a.cur == 0 || a.used+size > len(a.chunks[a.cur-1]) {
		a.grow(size)
	}
	r := ref{a.cur, uint32(a.used)}
	a.used += size
	return r, class
}

func (a *arena) grow(size int) {
	n := max(size, min(max(a.total, firstSlab), lastSlab))
	a.chunks = append(a.chunks, make([]byte, n))
	a.cur, a.used = uint32(len(a.chunks)), 0
	a.total += n
}

// allocHuge leaves an eighth of room, so that a value that grows by a little each time is not copied each time.
func (a *arena) allocHuge(n int) ref {
	chunk := make([]byte, n+n/8)
	if last := len(a.gone) - 1; last >= 0 {
		r := ref{chunk: a.gone[last]}
		a.gone = a.gone[:last]
		a.chunks[r.chunk-1] = chunk
		return r
	}
	a.chunks = append(a.chunks, chunk)
	return ref{chunk: uint32(len(a.chunks))}
}

// release gives a block back.
func (a *arena) release(r ref, class uint8) {
	if class == huge {
		a.chunks[r.chunk-1] = nil
		a.gone = append(a.gone, r.chunk)
		return
	}
	link := a.bytes(r, 0, smallest)
	binary.LittleEndian.PutUint32(link, a.free[class].chunk)
	binary.LittleEndian.PutUint32(link[4:], a.free[class].off)
	a.free[class] = r
}

// room is the size of a block.
func (a *arena) room(r ref, class uint8) int {
	if class == huge {
		return len(a.chunks[r.chunk-1])
	}
	return sizeOf(class)
}

// bytes is a block's content from one position to another.
func (a *arena) bytes(r ref, from, to int) []byte {
	off := int(r.off)
	return a.chunks[r.chunk-1][off+from : off+to : off+to]
}
