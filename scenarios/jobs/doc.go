// Package jobs holds the jobs that scenarios run, written on package weir like any user's.
//
// A checker written elsewhere, which shares no code with this package, parses what they write. These are the formats.
//
// # Inputs
//
// The value of an input record is its id: text that is unique within the run, has no space, and begins with a key and a
// colon, such as "k3:p0:000017". The key is what comes before the first colon; of an id without a colon, all of it. What
// follows the key is the producer's choice. The input record's own key is not read.
//
// # Outputs
//
// The key of an output record is the key of the id that caused it. Its value has a form, and in each form the id:
//
//	copy    "id=<id>"
//	count   "id=<id> n=<count>"  how many inputs of this key there were so far, this one included, in decimal
//	hash    "id=<id> h=<hash>"   the key's chain after this input, 16 hex digits in lower case
//	recent  "id=<id> n=<count> last=<ids> ends=<counts>", see below
//
// The chain of a key begins at 0. An input makes h the 64-bit FNV-1a hash of the 8 bytes of h, big-endian, followed by
// the bytes of the id. It depends on the order of the inputs.
//
// In form recent, count is as in form count; ids are the key's last three, this one included, the oldest first, with
// commas between them; counts are, for each last character that ids of the key had so far, the character and how many had
// it, in the order of the characters, with commas between them, but a count that reaches three is taken away instead.
// After its fifth input a key begins anew, as if it had had none.
//
// # Jobs
//
// Every input has, in every output topic of its job, exactly one record, but for inputs that Linear drops.
//
//	name         inputs (partitions)     outputs (form)                            what it does
//	linear       linear-in (2)           linear-out (copy)                         drops the ids that end in 7
//	fanin        fanin-a, fanin-b (2)    fanin-out (count)                         counts the keys of both topics together
//	shuffle      shuffle-in (3)          shuffle-out (count)                       meant for parallelism 3
//	twosinks     twosinks-in (2)         twosinks-a (copy), twosinks-b (copy)      two transactions per task and checkpoint
//	bounded      bounded-in (2)          bounded-out (count)                       ends with a last checkpoint
//	chainfirst   chain-in (2)            chain-mid (copy)                          its output is the input of chainsecond
//	chainsecond  chain-mid (2)           chain-out (count)                         a value of chain-mid not of form copy fails it
//	hashchain    hashchain-in (2)        hashchain-out (hash)                      not commutative
//	recent       recent-a, recent-b (2)  recent-out (recent)                       a value, a list and a map per key
//
// Records of one key and one input partition keep their order up to the output; of chainsecond, which reads chain-mid,
// this holds for the partitions of chain-mid, and so for those of chain-in too, as long as chain-mid does not grow.
package jobs
