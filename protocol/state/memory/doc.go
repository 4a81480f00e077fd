// Package memory is keyed state in memory: a hash table of live values and a delta of copies since the last freeze.
//
// A Table holds no pointer per key: entries, keys and values lie in slabs, so the garbage collector does not walk them.
// Nothing depends on the order of the table: a frozen delta is sorted when it is encoded.
package memory
