// Package host is a job's process: flags, logs, signals, and an engine over Kafka and a bucket or a folder.
//
// Before it starts anything it asks broker and bucket for what the job needs, and reads HEAD and the manifests that it
// names: what speaks against the start is said with exit code 2, and nothing is written or created. Its last line on
// stderr is the reason of its end. Exit codes: 0 finished or stopped as asked, 1 lost output, deposed, restarts exhausted or a
// broken invariant, 2 refused.
package host
