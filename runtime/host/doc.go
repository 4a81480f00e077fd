// Package host is a job's process: flags, logs, signals, and an engine over Kafka and a bucket or a folder.
package host
