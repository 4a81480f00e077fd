// Package s3 is the bucket on S3 and what speaks its protocol: a device for Store, Load and Delete on aws-sdk-go-v2.
//
// # What it relies on
//
// Every PUT carries a condition (If-None-Match:* or If-Match), a CRC32C and the SHA-256 of its body, so that no server
// takes half an object for a whole one, and is sent once: a client that repeats a conditional PUT turns its own success
// into a 412. Only reads are repeated here. Nothing relies on conditional DELETE or COPY.
//
// # What an outcome says
//
//	200 with an ETag                               OK
//	412                                            Conflict
//	403, 401, wrong region, no such bucket         Denied, and the log says what to do
//	404 NoSuchKey of a GET                         NotFound
//	a GET complete in length, wrong in its sums    Corrupt, after three tries
//	all else: 404 or 409 of a PUT, 5xx, reset,
//	time-out, a body cut off                       Unknown: it may have happened, or may happen later
//
// A Conflict may be the caller's own earlier write, and after Unknown a read that shows the old object proves nothing: who
// won is decided by a nonce in the object's body, never by versions. A real server has been seen to pair a new body
// with the ETag of an older one; such a version only makes the next conditional write fail.
//
// Expired credentials and a skewed clock (both 403 or 400) are Unknown as well: they end without a change to the job.
//
// # What the bucket must be
//
// Probe asks. A bucket that ignores conditions, or lets several of 16 writers win, is refused.
package s3
