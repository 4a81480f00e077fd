// Package run is the format of a frozen delta: sorted keys with values or tombstones, indexed by key group, checksummed.
//
// A run is one envelope of package codec (magic, version, body, CRC32C over all of it) whose body is
//
//	groups   uvarint   key groups of the job
//	count    uvarint   entries in the run
//	blocks   uvarint   blocks in the index
//	index    blocks ×  {group of the first entry, less that of the block before: uvarint; stored: uvarint bytes; raw: uvarint, see below}
//	blocks             entries, in ascending order of key group, then key
//
// and an entry is
//
//	lengths  uvarint   2 × key length, + 1 if the next field is that of the entry before in this block and is left out
//	value    uvarint   0 for a tombstone, or value length + 1
//	key, value
//
// A block ends with the entry that fills 64 KiB. In the index, raw is 0 for a block stored as it is and else the length
// it decompresses to by s2. Blocks up to 512 bytes are never compressed, others if that saves an eighth. No block is
// stored in less than 1/64 of its raw length, so that a reader's memory is bounded by the length of what it was given.
//
// Equal contents have equal raw blocks; on one architecture and one version of s2 also equal bytes.
package run
