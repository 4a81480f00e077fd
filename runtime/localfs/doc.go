// Package localfs is the bucket on a folder: a device for Store, Load and Delete that several processes may share.
//
// # How one version replaces another
//
// Rename alone is no compare-and-swap, so each of the two conditions has its own atom:
//
//   - "if there is none" is link(2) of a finished temporary file to the object's name: it fails when the name exists.
//   - "if the version is v" holds an flock while it compares the version in the object's first line and renames a
//     finished temporary file over it. The kernel drops the lock of a dead process; a stopped one keeps it, and then
//     the others time out with Unknown, as they would on a bucket that holds a key locked. Delete takes the same lock.
//
// Numbered files (one O_EXCL per sequence number) were the alternative. They need no lock, but none of them may ever be
// removed: a writer that was asleep while old numbers were cleaned up would create one of them anew and think it won.
//
// # What survives what
//
// A killed process leaves the old object or the new one: an object gets its name only when it is complete. Across a power cut
// the same holds, because the file is synced before it gets its name, every folder above it before OK is said, and
// again before a Load shows it: nobody can act on a version that a power cut would take back.
// When the sync of a folder fails, the system may report it once and never again; from then on every outcome is Unknown
// until the process is started anew.
//
// # Layout
//
//	HEAD, manifest/…, data/…   objects; first line: "weir-object 1 <version> <bytes> <SHA-256>", then the body
//	.weir/lock/00 … 3f         lock files, by hash of the key
//	.weir/tmp/<process>/       files not finished; the folder is flocked while its process lives, and Open clears those of dead ones
package localfs
