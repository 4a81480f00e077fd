// Package kafka is the log device on real Kafka, spoken through franz-go.
//
// Every effect runs on a goroutine or a promise of its own, with IOTimeout as its deadline; nothing here retries beyond
// one effect, because the machine does. Reading is by raw Fetch requests to a partition's leader, addressed by topic id,
// so that an exact offset is never bounded in silence and the position passes markers and aborted tails. Writing is by
// one client per transaction, closed after the flush; ending is by raw requests of one pinned version.
package kafka
