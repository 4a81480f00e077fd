// Command tidy checks the rules of this house and prints each breach as
// "file:line: rule: message". Usage: tidy [folder of go.mod].
//
// It exits 0 if there is no breach, 1 if there are some, 2 if it could not
// look. "go test ./cmd/tidy" does the same for the tree that it stands in.
//
//	policy    who may import whom: policy.txt; a package that it does not name is a breach
//	imports   what may be imported from outside this module: imports.txt
//	doc       every package has a doc.go that begins "Package x" or "Command x"
//	funclen   a function has at most 70 lines
//	filelen   a Go file has at most 500 lines
//	word      no leftover notes to oneself in Go files
//	kafka     no call of the Kafka client's own end of a transaction, and of its ProducerID in runtime/kafka only
//	host      no host names of package registries
//	path      no absolute paths of somebody's machine
//
// and the rules of package determinism in the trees that a seed replays. The
// rules of that package and kafka can be suppressed, on one line and with a
// reason; the others cannot:
//
//	//tidy:allow kafka a foreign transaction, for the reader to skip
package main
