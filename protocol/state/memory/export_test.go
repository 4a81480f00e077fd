package memory

// Footprint is the memory of a table's live part, in bytes.
func Footprint(t *Table) int {
	return t.slab.total + 32*cap(t.entries) + 8*cap(t.index.slots) + 8*cap(t.dead)
}
