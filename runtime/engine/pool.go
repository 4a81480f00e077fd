package engine

import (
	"sync"

	"weir/protocol/batch"
)

// Pool is a batch.Pool shared by the tasks and devices of a process.
type Pool struct{ pool sync.Pool }

// Get returns an empty batch.
func (p *Pool) Get() *batch.Batch {
	if b, ok := p.pool.Get().(*batch.Batch); ok {
		return b
	}
	return new(batch.Batch)
}

// Put takes a batch back. The holder keeps no alias to it.
func (p *Pool) Put(b *batch.Batch) {
	b.Reset()
	p.pool.Put(b)
}
