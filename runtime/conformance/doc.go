// Package conformance starts real services on this machine, and its tests hold real devices to the promises of
// protocol/devicetest on them, and the production job to exactly once.
//
// kafka.sh and s3.sh install what they start under .components/, once, and can be used by hand: see their first lines.
// Tests of any package may use [StartKafka] and [StartS3]. Such a test is skipped, with its reason, unless the
// environment asks for the service:
//
//	WEIR_CONFORMANCE=kafka,s3 go test -parallel 8 ./runtime/conformance
//
// The words are kafka, s3, and slow for what takes minutes: three brokers, a broker that dies. KAFKA_VERSION, KAFKA_TV
// and S3_SERVER choose what is started, as in the scripts. A service that is asked for and does not start fails the test.
//
// # What was seen to differ
//
// Every promise holds on Kafka 3.9.2, 4.1.1 and 4.3.0, at transaction.version 1 and 2, and on versitygw and MinIO, but
// for one: below version 5 of EndTxn a writer can go on after another client's end. What coordinators answer, and
// kfake, is in testdata/codes.txt, row by row. Until the markers of an end are written, a coordinator of 4.x answers
// CONCURRENT_TRANSACTIONS to any other end, and takes records of the ended epoch.
//
// Servers differ where S3 promises nothing. Of a write that its sender gave up while the server stood still, and its
// successor on the same predecessor, versitygw takes the first, and MinIO the second.
package conformance
