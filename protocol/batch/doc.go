// Package batch holds records in an arena: one slab of bytes, one index, reused.
package batch
