// Package conformance starts real services on this machine, and its tests hold real devices to the promises of
// protocol/devicetest on them, and the production job to exactly once.
//
// kafka.sh and s3.sh install what they start under .components/, once, and can be used by hand: see their first lines.
// Tests of any package may use [StartKafka] and [StartS3]. Such a test is skipped, with its reason, unless the
// environment asks for the service:
//
//	WEIR_CONFORMANCE=kafka,s3 go test -parallel 8 ./runtime/conformance
//
// The words are kafka, s3, slow for what takes minutes, and cluster for three brokers of which one dies. KAFKA_VERSION,
// KAFKA_TV, KAFKA_BROKERS and S3_SERVER choose what is started. A service that is asked for and does not start fails the
// test. arms.sh, which is make conformance, goes over all versions and servers; reports/fidelity.md is what it found.
//
// Servers differ where S3 promises nothing. Of a write that its sender gave up while the server stood still, and its
// successor on the same predecessor, versitygw takes the first, and MinIO the second.
package conformance
